"""Audio files: WAV and FLAC."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from remotemedia._arrays import address, as_array, dense, dtype_code, view
from remotemedia._audio import Audio, audio_of, hertz, whole_number
from remotemedia._lib import NativeError, native, reraise
from remotemedia._paths import file_name, is_pipe, read_whole
from remotemedia.errors import InputTypeError, InputValueError, IoError

if TYPE_CHECKING:
    from remotemedia._lib import NativeAudioBuffer, NativeAudioInfo

    Path = str | os.PathLike[str]

__all__ = ["AudioInfo", "info", "read", "write"]

_FLOAT32 = 10
_SCALES = {"int16": 2**15, "int32": 2**31}
_MOST_FRAMES = 2**62


@dataclass(frozen=True)
class AudioInfo:
    """What the header of an audio file says.

    Attributes
    ----------
    sample_rate : int
        Frames per second, in Hz.
    channels, frames : int
        Number of channels; frames in the file.
    container, subtype : str
        Such as ``"WAV"`` and ``"PCM_16"``.
    """

    sample_rate: int
    channels: int
    frames: int
    container: str
    subtype: str

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate


def info(path: Path) -> AudioInfo:
    """Return what the header of a WAV or FLAC file says.

    Raises
    ------
    IoError
        When the file cannot be read, or is of another kind. Where the system has refused it, it is the builtin error as
        well, such as `FileNotFoundError`.

    Examples
    --------
    >>> import remotemedia as rm
    >>> found = rm.info(clip)
    >>> found.sample_rate, found.channels, found.duration, found.container
    (16000, 1, 9.34, 'FLAC')
    """
    name = file_name(path)
    data = read_whole(name) if is_pipe(name) else None
    try:
        found: NativeAudioInfo = (
            native.audio_info(name) if data is None else native.AudioReader.raw_of_bytes(data, name).info()
        )
        # A stream's header does not say how long it is.
        frames = found.frames if found.frames >= 0 else _decoded(name, data, 0, -1, 0, False).frames()
    except NativeError as error:
        reraise(error)
    return AudioInfo(found.sample_rate_hz, found.channels, frames, found.container, found.subtype)


def read(
    path: Path,
    *,
    sample_rate: int | None = None,
    mono: bool = False,
    start: int = 0,
    frames: int | None = None,
    dtype: str = "float32",
) -> Audio:
    """Read a WAV or FLAC file.

    Parameters
    ----------
    path : str or path object
        The file.
    sample_rate : int, optional
        Resample to this rate in Hz; the file's own when left out.
    mono : bool
        Mix all channels into one.
    start, frames : int
        The first frame and the number of frames to read, counted at the file's own rate; to the end when left out.
    dtype : str
        ``"float32"``, ``"float64"``, ``"int16"`` or ``"int32"``. Files are decoded to float32, which holds 24 bits.

    Returns
    -------
    Audio
        ``(frames,)`` for one channel, else ``(frames, channels)``.

    Raises
    ------
    IoError
        When the file cannot be read, or is of another kind.
    InputTypeError, InputValueError
        When an argument is wrong.

    Examples
    --------
    >>> import remotemedia as rm
    >>> rm.read(clip, start=16000, frames=8000)
    Audio(8000 frames, 16000 Hz, 1 channel, float32, 0.500 s)
    """
    if not isinstance(cast("object", dtype), str) or dtype not in ("float32", "float64", *_SCALES):
        raise InputValueError(f"dtype is {dtype!r}, expected 'float32', 'float64', 'int16' or 'int32'")
    rate = 0 if sample_rate is None else hertz("sample_rate", sample_rate)
    first = whole_number("start", start, _MOST_FRAMES, least=0)
    length = -1 if frames is None else whole_number("frames", frames, _MOST_FRAMES, least=0)
    name = file_name(path)
    data = read_whole(name) if is_pipe(name) else None
    try:
        buffer = _decoded(name, data, first, length, rate, bool(mono))
        count, channels = buffer.frames(), buffer.channels()
        samples = view(buffer.raw_export, _FLOAT32, (count,) if channels == 1 else (count, channels))
        return audio_of(_as_type(samples, dtype), buffer.sample_rate_hz())
    except NativeError as error:
        reraise(error)


def write(path: Path, audio: object, *, sample_rate: int | None = None, subtype: str | None = None) -> None:
    """Write a WAV or FLAC file; the ending of its name says which.

    Parameters
    ----------
    path : str or path object
        The file; one that is there is replaced.
    audio : Audio or array_like
        The samples; an array needs ``sample_rate``.
    sample_rate : int, optional
        In Hz, for an array.
    subtype : str, optional
        ``"PCM_16"``, ``"PCM_24"``, ``"PCM_32"`` or ``"FLOAT"`` for WAV; ``"PCM_16"`` or ``"PCM_24"`` for FLAC.

    Raises
    ------
    IoError
        When the file cannot be written.
    FormatError, InputTypeError, InputValueError, UnsupportedError
        When an argument is wrong.

    Examples
    --------
    >>> import numpy as np, remotemedia as rm
    >>> rm.write("quiet.wav", np.zeros(1600, np.float32), sample_rate=16000, subtype="PCM_16")
    >>> rm.info("quiet.wav").subtype
    'PCM_16'
    """
    name = file_name(path)
    sound = as_audio(audio, sample_rate)
    if subtype is not None and not isinstance(cast("object", subtype), str):
        raise InputTypeError(f"subtype is of type {type(subtype).__name__}, expected str")
    memory = dense(sound.samples)
    if is_pipe(name):
        raise IoError(f"{name}: it is a pipe, expected a file: what stands at its start is written last", path=name)
    try:
        buffer = native.AudioBuffer.raw_copy_from(
            address(memory), memory.nbytes, dtype_code(memory.dtype), sound.channels, sound.sample_rate
        )
        native.write_audio(name, buffer, subtype or "")
    except NativeError as error:
        reraise(error)


def as_audio(audio: object, sample_rate: int | None) -> Audio:
    """Return audio given as `Audio`, or as an array with its rate."""
    if isinstance(audio, Audio):
        if sample_rate not in (None, audio.sample_rate):
            raise InputValueError(f"sample_rate is {sample_rate}, but the audio has {audio.sample_rate} Hz")
        return audio
    array = as_array(audio)
    if sample_rate is None:
        raise InputTypeError("an array needs sample_rate=; or pass remotemedia.Audio(array, sample_rate)")
    return Audio(array, sample_rate)


def _as_type(samples: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    scale = _SCALES.get(dtype)
    if scale is None:
        return np.asarray(samples, dtype)
    scaled = np.rint(samples.astype(np.float64) * scale)
    return np.asarray(scaled.clip(-scale, scale - 1), dtype)


def _decoded(name: str, data: bytes | None, start: int, frames: int, rate: int, mono: bool) -> NativeAudioBuffer:
    """Return the audio of a file, or of what has come out of a pipe."""
    buffer: NativeAudioBuffer = (
        native.read_audio(name, start, frames, rate, mono)
        if data is None
        else native.raw_read_audio(data, name, start, frames, rate, mono)
    )
    return buffer
