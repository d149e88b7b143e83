"""What is wanted most often, in one call each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from remotemedia._arrays import as_array, check_audio, element_type
from remotemedia._audio import MAX_CHANNELS, Audio, hertz, whole_number
from remotemedia._audio_io import as_audio
from remotemedia._pipeline import Pipeline
from remotemedia.errors import FormatError, InputTypeError, InputValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remotemedia._session import Session

__all__ = ["ResampleStream", "SpeechSegment", "resample", "resample_session", "speech_segments"]

_QUALITIES = {"low_latency": "low_latency", "high": "high", "very_high": "very_high", "hq": "high", "vhq": "very_high"}


class ResampleStream:
    """Change the sample rate of a stream, chunk by chunk; soxr's class of this name, with its calls.

    Parameters
    ----------
    in_rate, out_rate : int
        Rates in Hz, 1 to 1,536,000.
    num_channels : int
        Channels of every chunk, 1 to 64.
    dtype : dtype
        Element type of every chunk: float32, float64, int16 or int32.
    quality : str
        As for `resample`.

    Notes
    -----
    All chunks together give the same bit by bit however the stream is cut, and what `resample` gives of the whole to
    the rounding of float32 (it works in longer blocks). With ``num_channels`` of 1 chunks are ``(frames,)`` or
    ``(frames, 1)``, and stay so.

    Examples
    --------
    >>> import numpy as np, remotemedia as rm
    >>> stream = rm.ResampleStream(48000, 16000, 1)
    >>> parts = [stream.resample_chunk(np.zeros(960, np.float32), last=n == 49) for n in range(50)]
    >>> sum(len(part) for part in parts)
    16000
    """

    __slots__ = ("_dtype", "_rate", "_session")

    def __init__(
        self, in_rate: float, out_rate: float, num_channels: int, dtype: object = "float32", quality: str = "high"
    ) -> None:
        self._dtype = element_type(dtype, "float32, float64, int16 or int32")
        if self._dtype.str[1:] not in ("f4", "f8", "i2", "i4"):
            raise InputTypeError(f"dtype is {self._dtype}, expected float32, float64, int16 or int32")
        self._rate = hertz("in_rate", in_rate)
        self._session = resample_session(self._rate, out_rate, num_channels, quality)

    def resample_chunk(self, x: np.ndarray[Any, np.dtype[Any]], last: bool = False) -> np.ndarray[Any, np.dtype[Any]]:
        """Take a chunk of any length and return what is ready; with ``last`` all of the rest, and begin anew.

        Raises
        ------
        FormatError
            For another element type or shape than before.
        """
        x = _at_rate(x, self._rate)
        if x.dtype != self._dtype:
            raise FormatError(f"the chunk has dtype {x.dtype}, expected {self._dtype}", code="RM0204")
        y = self._session.process(x)
        return np.concatenate([y, self._session.flush()]) if last else y

    def clear(self) -> None:
        """Forget the stream."""
        self._session.reset()


def resample_session(in_rate: float, out_rate: float, channels: object, quality: str) -> Session:
    """Return a session that resamples, with what was asked for checked."""
    rate_in = hertz("in_rate", in_rate)
    rate_out = hertz("out_rate", out_rate)
    number = whole_number("num_channels", channels, MAX_CHANNELS)
    return _resampler(rate_in, rate_out, number, _quality(quality)).session()


def resample(x: object, in_rate: float, out_rate: float, quality: str = "high") -> np.ndarray[Any, np.dtype[Any]]:
    """Change the sample rate of a whole signal; soxr's signature and shapes.

    Parameters
    ----------
    x : array_like
        ``(frames,)`` or ``(frames, channels)`` of float32, float64, int16 or int32.
    in_rate, out_rate : int
        Rates in Hz, 1 to 1,536,000.
    quality : str
        ``"high"`` or ``"very_high"``; soxr's ``"HQ"`` and ``"VHQ"`` are the same. ``"low_latency"`` is for streams: a
        short filter that is less flat from 0.8 of the lower Nyquist frequency on.

    Returns
    -------
    ndarray
        ``ceil(frames * out_rate / in_rate)`` frames of the same dtype and number of dimensions, in time with the
        input (no delay left in). Computed in float32; integers are rounded and clipped.

    Raises
    ------
    FormatError
        For another dtype or shape.
    InputTypeError, InputValueError
        For a rate or quality that is out of range, or `Audio` whose rate is not ``in_rate``.

    Examples
    --------
    >>> import numpy as np, remotemedia as rm
    >>> rm.resample(np.zeros((48000, 2), np.int16), 48000, 16000).shape
    (16000, 2)
    """
    rate_in = hertz("in_rate", in_rate)
    array = _at_rate(x, rate_in)
    if array.dtype.str[1:] not in ("f4", "f8", "i2", "i4"):
        raise FormatError(f"x has dtype {array.dtype}, expected float32, float64, int16 or int32")
    check_audio(array)
    rate_out = hertz("out_rate", out_rate)
    name = _quality(quality)
    channels = 1 if array.ndim == 1 else whole_number("channels", array.shape[1], MAX_CHANNELS)
    if rate_in == rate_out or array.size == 0:
        return np.array(array)
    result: np.ndarray[Any, np.dtype[Any]] = _resampler(rate_in, rate_out, channels, name).run(array)
    return result


def _at_rate(x: object, rate: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Return samples as an array; `Audio` of another rate is refused."""
    if isinstance(x, Audio) and x.sample_rate != rate:
        raise InputValueError(f"in_rate is {rate}, but the audio has {x.sample_rate} Hz")
    return as_array(x)


def _quality(quality: str) -> str:
    name = _QUALITIES.get(quality.lower()) if isinstance(cast("object", quality), str) else None
    if name is None:
        raise InputValueError(
            f"quality is {quality!r}, expected 'low_latency', 'high' or 'very_high' (soxr's 'HQ' or 'VHQ')"
        )
    return name


@lru_cache(maxsize=32)
def _resampler(rate_in: int, rate_out: int, channels: int, quality: str) -> Pipeline:
    node = {"id": "resample", "node_type": "AudioResample", "params": {"target_rate": rate_out, "quality": quality}}
    declared = {"type": "audio", "sample_rate_hz": rate_in, "channels": channels}
    return Pipeline({"version": "v1", "metadata": {"name": "resample"}, "input": declared, "nodes": [node]})


@dataclass(frozen=True)
class SpeechSegment:
    """A stretch of speech.

    Attributes
    ----------
    start, end : float
        Seconds from the beginning of the audio.
    probability : float
        How sure the detector is, 0 to 1.
    start_sample, end_sample : int
        The same places in frames of the audio: ``audio[s.start_sample:s.end_sample]`` cuts it out.
    """

    start: float
    end: float
    probability: float
    start_sample: int
    end_sample: int

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


def speech_segments(
    audio: object, *, sample_rate: int | None = None, preset: str = "file", **params: float
) -> list[SpeechSegment]:
    """Find where there is speech.

    Parameters
    ----------
    audio : Audio or array_like
        Any rate and number of channels; an array needs ``sample_rate``.
    sample_rate : int, optional
        In Hz, for an array.
    preset : str
        ``"file"`` for recordings, ``"conversation"`` for answers as soon as possible.
    **params : float
        Any other parameter of the node ``SpeechVAD``, such as ``min_speech_ms`` or ``min_silence_ms``.

    Returns
    -------
    list of SpeechSegment
        In order, without overlap; empty when there is none.

    Raises
    ------
    ManifestError
        For a preset or parameter that ``SpeechVAD`` does not have.
    FormatError, InputTypeError, InputValueError
        When the audio is wrong.

    Examples
    --------
    >>> import remotemedia as rm
    >>> for s in rm.speech_segments(rm.read(clip)):
    ...     print(f"{s.start:.0f} to {s.end:.0f} s")
    0 to 6 s
    6 to 9 s
    """
    sound = as_audio(audio, sample_rate)
    settings = {"preset": preset, **params}
    try:
        pipeline = _detector(sound.channels > 1, tuple(sorted(settings.items())))
    except TypeError:
        raise InputTypeError("the parameters of speech_segments are numbers and names") from None
    return segments(cast("Sequence[Mapping[str, Any]]", pipeline.run(sound)))


@lru_cache(maxsize=32)
def _detector(mix: bool, settings: tuple[tuple[str, Any], ...]) -> Pipeline:
    nodes: list[dict[str, object]] = [{"id": "vad", "node_type": "SpeechVAD", "params": dict(settings)}]
    connections: list[dict[str, object]] = []
    if mix:
        nodes.insert(0, {"id": "mono", "node_type": "AudioChannels", "params": {"channels": 1}})
        connections.append({"from": "mono", "to": "vad"})
    return Pipeline(
        {
            "version": "v1",
            "metadata": {"name": "speech_segments"},
            "nodes": nodes,
            "connections": connections,
            "outputs": ["vad.events"],
        }
    )


def segments(events: Sequence[Mapping[str, Any]]) -> list[SpeechSegment]:
    """Return the segments of a detector's events."""
    return [
        SpeechSegment(
            start=event["start_s"],
            end=event["end_s"],
            probability=event["probability"],
            start_sample=event["start_sample"],
            end_sample=event["end_sample"],
        )
        for event in events
        if event["event"] == "speech_end"
    ]
