"""Numbers as people pass them: Python's own, numpy's scalars of any width, Fractions, and floats that are whole."""

from __future__ import annotations

import math
import numbers
import operator
from fractions import Fraction
from typing import SupportsIndex, cast

__all__ = ["index_of", "number_of", "plain", "whole_of"]

_RATES = frozenset(("sample_rate", "sample_rate_hz", "source_rate", "target_rate"))
_DEEPEST = 100
"""What is nested deeper is refused by who reads it."""


def index_of(value: object) -> int | None:
    """Return a whole number as Python counts with it; None for what is none, and for True and False."""
    try:
        return None if isinstance(value, bool) else operator.index(cast("SupportsIndex", value))
    except TypeError:  # Arrays have an index, unless they are more than a number.
        return None


def number_of(value: object) -> int | float | Fraction | None:
    """Return a number as Python's own, whatever its width was; None for what is none, and for True and False.

    numpy counts in the width of its scalars: what is large for that becomes another number.
    """
    number = index_of(value) if isinstance(value, numbers.Real) else None
    if number is not None:
        return number
    if isinstance(value, Fraction):  # It keeps what it was made of: that may be numpy's, too.
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    return float(value)


def whole_of(value: object) -> object:
    """Return the whole number that a float or a Fraction stands for; any other value as it is."""
    number = number_of(value)
    whole = number is not None and (isinstance(number, int) or math.isfinite(number)) and number == int(number)
    return int(cast("float", number)) if whole else value


def plain(value: object, name: str = "", depth: int = 0) -> object:
    """Return a setting with numbers as JSON has them, also those of numpy, Fractions, and rates such as 44100.0."""
    if isinstance(value, (str, bool)) or value is None or depth > _DEEPEST:
        return value
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value).items()
        return {key: plain(one, key if isinstance(key, str) else "", depth + 1) for key, one in pairs}
    if isinstance(value, (list, tuple)):
        return [plain(one, "", depth + 1) for one in cast("list[object]", value)]
    if name in _RATES:
        return whole_of(value)
    number = None if isinstance(value, (int, float)) else number_of(value)
    if number is None:
        return value
    return float(number) if isinstance(number, Fraction) else number
