"""Samples with their rate."""

from __future__ import annotations

import sys
from typing import Any, cast

import numpy as np

from remotemedia._arithmetic import frames_of, inverse, mixed, scaled
from remotemedia._arrays import as_array, check_audio
from remotemedia._json import quoted
from remotemedia._numbers import index_of, whole_of
from remotemedia._words import counted
from remotemedia.errors import InputTypeError, InputValueError

__all__ = ["Audio", "audio_of", "hertz", "whole_number"]

MAX_SAMPLE_RATE = 1_536_000
MAX_CHANNELS = 64


def whole_number(name: str, value: object, largest: int, *, least: int = 1) -> int:
    """Return a whole number from ``least`` to ``largest``, or raise the error that names it."""
    number = index_of(value)
    if number is None:
        raise InputTypeError(f"{name} is {quoted(value)}, expected a whole number from {least} to {largest}")
    if not least <= number <= largest:
        raise InputValueError(f"{name} is {number}, expected {least} to {largest}")
    return number


def hertz(name: str, value: object) -> int:
    """Return a sample rate, or raise the error that names it. Other libraries say 44100.0: that is whole, too."""
    return whole_number(name, whole_of(value), MAX_SAMPLE_RATE)


class Audio:
    """Audio samples and their rate. The samples are not copied.

    Parameters
    ----------
    samples : array_like
        ``(frames,)`` for mono, else ``(frames, channels)``; ``(frames, 1)`` becomes ``(frames,)``.
        Floats are full scale at -1 to 1; int16, int32 and uint8 at their own range.
    sample_rate : int
        Frames per second in Hz, 1 to 1,536,000.

    Raises
    ------
    FormatError
        For another dtype or shape, or when the channels come first.
    InputTypeError, InputValueError
        For a rate that is no whole number, or out of range.

    Examples
    --------
    >>> import numpy as np, remotemedia as rm
    >>> audio = rm.Audio(np.zeros((48000, 2), np.float32), 48000)
    >>> audio
    Audio(48000 frames, 48000 Hz, 2 channels, float32, 1.000 s)
    >>> audio[:24000].duration
    0.5
    >>> audio[0.25:1.0].frames
    36000
    >>> (audio * 0.5 + audio).duration
    1.0
    """

    __slots__ = ("__weakref__", "_rate", "_samples")

    _samples: np.ndarray[Any, np.dtype[Any]]
    _rate: int

    def __init__(self, samples: object, sample_rate: int) -> None:
        array = as_array(samples)
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        check_audio(array)
        if array.ndim == 2 and array.shape[1] > MAX_CHANNELS:
            raise InputValueError(f"audio samples have {array.shape[1]} channels, expected 1 to {MAX_CHANNELS}")
        self._samples = array
        self._rate = hertz("sample_rate", sample_rate)

    @property
    def samples(self) -> np.ndarray[Any, np.dtype[Any]]:
        """The samples: ``(frames,)`` or ``(frames, channels)``."""
        return self._samples

    @property
    def sample_rate(self) -> int:
        """Frames per second, in Hz."""
        return self._rate

    @property
    def channels(self) -> int:
        """Number of channels."""
        return 1 if self._samples.ndim == 1 else int(self._samples.shape[1])

    @property
    def frames(self) -> int:
        """Number of frames: samples of one channel."""
        return int(self._samples.shape[0])

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.frames / self._rate

    def __len__(self) -> int:
        return self.frames

    def __getitem__(self, part: slice) -> Audio:
        """Return a part as audio over the same memory: whole numbers are frames, floats seconds. The step must be 1."""
        return audio_of(self._samples[frames_of(part, self.frames, self._rate)], self._rate)

    # With numbers, and with audio in the same format; an array has no rate.
    __array_priority__ = 1000

    def __mul__(self, gain: object) -> Audio:
        """Return the audio with another gain, in the same element type; integers are rounded and clipped."""
        return audio_of(scaled(self._samples, gain), self._rate)

    def __rmul__(self, gain: object) -> Audio:
        return self * gain

    def __truediv__(self, divisor: object) -> Audio:
        """Return the audio with its gain divided."""
        return audio_of(scaled(self._samples, inverse(divisor)), self._rate)

    def __neg__(self) -> Audio:
        return self * -1

    def __add__(self, other: object) -> Audio:
        """Return both, mixed: of one rate, shape and element type. Integers are clipped."""
        if not isinstance(other, Audio):
            raise InputTypeError(f"audio is mixed with audio, not with {type(other).__name__}")
        return audio_of(mixed(self, other, 1), self._rate)

    def __radd__(self, other: object) -> Audio:
        # What `sum` begins with.
        return self if type(other) is int and other == 0 else self + other

    def __sub__(self, other: object) -> Audio:
        """Return the difference of two of one rate, shape and element type. Integers are clipped."""
        if not isinstance(other, Audio):
            raise InputTypeError(f"audio is subtracted from audio, not {type(other).__name__}")
        return audio_of(mixed(self, other, -1), self._rate)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, np.dtype[Any]]:
        if dtype is not None and np.dtype(dtype) != self._samples.dtype:
            if copy is False:
                raise ValueError(f"samples of {self._samples.dtype} become {np.dtype(dtype)} by a copy only")
            return self._samples.astype(dtype)
        return self._samples.copy() if copy else self._samples

    def __dlpack__(self, **options: Any) -> Any:
        return cast("Any", self._samples).__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return cast("tuple[int, int]", self._samples.__dlpack_device__())

    if sys.version_info >= (3, 12):

        def __buffer__(self, flags: int, /) -> memoryview:
            return self._samples.__buffer__(flags)

    def __eq__(self, other: object) -> bool:
        """Whether rate, shape, dtype and every sample are the same."""
        if not isinstance(other, Audio):
            return NotImplemented
        mine, theirs = self._samples, other._samples
        return self._rate == other._rate and mine.dtype == theirs.dtype and np.array_equal(mine, theirs)

    def __repr__(self) -> str:
        frames, channels = counted(self.frames, "frame"), counted(self.channels, "channel")
        return f"Audio({frames}, {self._rate} Hz, {channels}, {self._samples.dtype}, {self.duration:.3f} s)"

    def _repr_html_(self) -> str:
        """Return a player and a waveform for a notebook."""
        from remotemedia._display import audio_html

        return audio_html(self)

    def __reduce__(self) -> tuple[object, tuple[object, int]]:
        return audio_of, (self._samples, self._rate)


def audio_of(samples: np.ndarray[Any, np.dtype[Any]], sample_rate: int) -> Audio:
    """Return audio over samples whose dtype, shape and rate are known to be good."""
    audio = Audio.__new__(Audio)
    audio._samples = samples
    audio._rate = sample_rate
    return audio
