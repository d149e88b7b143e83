"""What can be done with `Audio` as with a number or a list: gain, mixing, cutting by frames or seconds."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from remotemedia._json import quoted
from remotemedia._numbers import index_of
from remotemedia.errors import FormatError, InputTypeError, InputValueError

if TYPE_CHECKING:
    from remotemedia._arrays import Array
    from remotemedia._audio import Audio

__all__ = ["frames_of", "inverse", "mixed", "scaled"]

_MOST_SECONDS = 2**40


def frames_of(part: object, frames: int, sample_rate: int) -> slice:
    """Return a part in frames: its ends are whole numbers of frames, or floats, which are seconds."""
    if not isinstance(part, slice):
        raise InputTypeError(
            "audio is cut by frames, such as audio[0:16000], or seconds, such as audio[0.5:1.0], not by "
            f"{quoted(part)} of type {type(part).__name__}"
        )
    if part.step is not None and not (isinstance(part.step, numbers.Integral) and part.step == 1):
        raise InputValueError(f"the step is {part.step!r}, expected 1; use remotemedia.resample to change the rate")
    ends = (part.start, part.stop)
    # Neither nothing nor 0 says which of the two is meant.
    in_seconds = {_is_seconds(end) for end in ends if end is not None and not (isinstance(end, int) and end == 0)}
    if len(in_seconds) > 1:
        raise InputTypeError(
            f"audio[{part.start!r}:{part.stop!r}] is in frames and in seconds, expected two whole numbers or two floats"
        )
    return slice(*(_frame(end, frames, sample_rate) for end in ends))


def _is_seconds(end: object) -> bool:
    return isinstance(end, numbers.Real) and not hasattr(end, "__index__")


def _frame(end: object, frames: int, sample_rate: int) -> int | None:
    if end is None:
        return None
    if not _is_seconds(end):
        frame = index_of(end)
        if frame is None:
            raise InputTypeError(f"audio is cut at {quoted(end)}, expected frames, or seconds as floats")
        return frame
    seconds = float(cast("float", end))
    if math.isnan(seconds):
        raise InputValueError("audio is cut at nan, expected seconds")
    frame = round(min(max(seconds, -_MOST_SECONDS), _MOST_SECONDS) * sample_rate)
    # Below 0 it counts from the end, also where it rounds to no frame at all.
    return frame if math.copysign(1, seconds) > 0 or seconds == 0 else max(frames + frame, 0)


def scaled(samples: Array, gain: object) -> Array:
    """Return samples with another gain, in their element type."""
    if isinstance(gain, bool) or not isinstance(gain, numbers.Real):
        raise InputTypeError(
            f"audio is multiplied by a number, not by {type(gain).__name__}; "
            "multiply the samples: remotemedia.Audio(audio.samples * gains, audio.sample_rate)"
        )
    factor = float(gain)
    if not math.isfinite(factor):
        raise InputValueError(f"the gain is {factor}, expected a finite number")
    if samples.dtype.kind == "f":
        louder: Array = np.multiply(samples, samples.dtype.type(factor))
        return louder
    middle = _middle(samples.dtype)
    return _whole((samples.astype(np.float64) - middle) * factor + middle, samples.dtype)


def inverse(divisor: object) -> object:
    """Return the gain that divides; what is no number is left to the multiplication."""
    if isinstance(divisor, numbers.Real) and float(divisor) == 0:
        raise InputValueError("audio is divided by 0, expected another number")
    return 1 / float(divisor) if isinstance(divisor, numbers.Real) else divisor


def mixed(one: Audio, other: Audio, sign: int) -> Array:
    """Return the sum, or the difference, of two pieces of audio in one format."""
    if one.sample_rate != other.sample_rate:
        raise FormatError(
            f"audio of {one.sample_rate} Hz and of {other.sample_rate} Hz, expected one rate; "
            f"resample one: remotemedia.resample(samples, {other.sample_rate}, {one.sample_rate})"
        )
    if one.channels != other.channels:
        raise FormatError(
            f"audio of {one.channels} and of {other.channels} channels, expected the same number; "
            "remotemedia.nodes.AudioChannels changes it"
        )
    if one.samples.dtype != other.samples.dtype:
        raise FormatError(f"audio of {one.samples.dtype} and of {other.samples.dtype}, expected one element type")
    if one.frames != other.frames:
        raise InputValueError(
            f"audio of {one.frames} and of {other.frames} frames, expected the same length: + mixes; cut the longer "
            "one, or join them with numpy.concatenate"
        )
    dtype = one.samples.dtype
    if dtype.kind == "f":
        sum_of_both: Array = one.samples + other.samples if sign > 0 else one.samples - other.samples
        return sum_of_both
    wide: Array = one.samples.astype(np.float64) + sign * (other.samples.astype(np.float64) - _middle(dtype))
    return _whole(wide, dtype)


def _middle(dtype: np.dtype[Any]) -> int:
    """Return the value of silence."""
    return 128 if dtype == np.uint8 else 0


def _whole(wide: Array, dtype: np.dtype[Any]) -> Array:
    limits = np.iinfo(dtype)
    return np.rint(wide).clip(limits.min, limits.max).astype(dtype)
