"""Python values as JSON text, with nothing changed on the way and nothing pickled."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import cast

from remotemedia.errors import InputTypeError, InputValueError

__all__ = [
    "MAX_DEPTH",
    "NotJsonError",
    "checked",
    "checked_names",
    "dumps",
    "is_unicode",
    "quoted",
    "size",
    "whole_text",
]

MAX_DEPTH = 100
"""How deep lists and dicts may be nested: the native parser stops at 128."""
_ENCODED_AT_ONCE = 10_000
"""About so many values are encoded in one call, which no other thread can come between."""
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


class NotJsonError(Exception):
    """A value that JSON cannot hold, and the JSON pointer to it."""

    def __init__(self, reason: str, *, wrong_type: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = ""
        self.wrong_type = wrong_type

    def within(self, key: object) -> NotJsonError:
        """Put one step before the pointer."""
        step = whole_text(str(key)).replace("~", "~0").replace("/", "~1")
        self.path = f"/{step}{self.path}"
        return self


def dumps(value: object) -> str:
    """Return the JSON text of None, bool, int, float, str, and lists, tuples and dicts of them.

    Raises
    ------
    NotJsonError
        For ints outside -2**63 to 2**63 - 1, NaN and infinity, keys that are no str, lone surrogates,
        nesting deeper than `MAX_DEPTH`, and objects of any other type.
    """
    _check(value, 0)
    return _text(value)


def _text(value: object) -> str:
    """Return the JSON text of a value that was checked, in calls of which none keeps other threads waiting for long."""
    if isinstance(value, (list, tuple)) and size(value, _ENCODED_AT_ONCE) > _ENCODED_AT_ONCE:
        items = cast("list[object]", value)
        if len(items) <= _ENCODED_AT_ONCE:
            return f"[{','.join(map(_text, items))}]"
        parts = (_encode(items[at : at + _ENCODED_AT_ONCE])[1:-1] for at in range(0, len(items), _ENCODED_AT_ONCE))
        return f"[{','.join(parts)}]" if _is_flat(items) else f"[{','.join(map(_text, items))}]"
    if isinstance(value, dict) and size(cast("object", value), _ENCODED_AT_ONCE) > _ENCODED_AT_ONCE:
        pairs = cast("dict[str, object]", value).items()
        return f"{{{','.join(f'{_encode(key)}:{_text(one)}' for key, one in pairs)}}}"
    return _encode(value)


def _is_flat(items: Sequence[object]) -> bool:
    return not any(isinstance(one, (list, tuple, dict)) for one in items)


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


def checked(name: str, value: object) -> str:
    """Return the JSON text of an argument, or raise the error that names it."""
    try:
        return dumps(value)
    except NotJsonError as error:
        kind = InputTypeError if error.wrong_type else InputValueError
        place = f" (at {error.path})" if error.path else ""
        raise kind(f"{name}: {error.reason}{place}") from None


def checked_names(**names: object) -> None:
    """Check that arguments are names: text that is Unicode."""
    for argument, name in names.items():
        if not isinstance(name, str):
            raise InputTypeError(f"{argument} is {quoted(name)}, expected a str")
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise InputValueError(f"{argument} is {quoted(name)}, with a lone surrogate at {error.start}") from None


def _check(value: object, depth: int) -> None:
    if value is None or value is True or value is False:
        return
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int):
        if not _SMALLEST <= value <= _LARGEST:
            raise NotJsonError(f"{_short(value)} is outside of -2**63 to 2**63 - 1; pass it as text")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise NotJsonError(f"{value} is no JSON number; pass None or text")
    elif isinstance(value, (list, tuple)):
        _check_depth(depth)
        for index, one in enumerate(cast("list[object]", value)):
            try:
                _check(one, depth + 1)
            except NotJsonError as error:
                raise error.within(index) from None
    elif isinstance(value, dict):
        _check_depth(depth)
        for key, one in cast("Mapping[object, object]", value).items():
            if not isinstance(key, str):
                raise NotJsonError(f"the key {_short(key)} is of type {type(key).__name__}, expected str")
            try:
                _check_text(key)
                _check(one, depth + 1)
            except NotJsonError as error:
                raise error.within(key) from None
    else:
        hint = "pass it as an item of its own" if hasattr(value, "__array_interface__") else "convert it first"
        if hasattr(value, "__fspath__"):
            hint = "pass what is in the file, such as remotemedia.read(path) of audio"
        raise NotJsonError(f"a value of type {type(value).__name__} is no JSON value; {hint}", wrong_type=True)


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise NotJsonError(f"nested deeper than {MAX_DEPTH} levels, or within itself")


def _check_text(text: str) -> None:
    try:
        str.encode(text)
    except UnicodeEncodeError as error:
        raise NotJsonError(f"the text has a lone surrogate at character {error.start}") from None


def _short(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 200:
        return f"an int of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def quoted(value: object) -> str:
    """Return a value as it stands in a message: in quotes, without what a terminal obeys, and not too long."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def is_unicode(text: str) -> bool:
    """Whether text has no lone surrogate: a name of a file that is not UTF-8 has some."""
    try:
        str.encode(text)
    except UnicodeEncodeError:
        return False
    return True


def whole_text(text: str) -> str:
    """Return text with lone surrogates, which JSON does not have, spelled out."""
    return str.encode(text, "utf-8", "backslashreplace").decode()


def size(value: object, limit: int) -> int:
    """Return about how many values are nested in this one; counting stops above ``limit``."""
    if isinstance(value, dict):
        inner = list(cast("dict[object, object]", value).values())
    elif isinstance(value, (list, tuple)):
        inner = cast("list[object]", value)
    elif isinstance(value, str):
        return 1 + len(value) // 16
    else:
        return 1
    total = 1 + len(inner)
    for one in inner:
        if total > limit:
            return total
        if isinstance(one, (dict, list, tuple, str)):
            total += size(cast("object", one), limit - total)
    return total
