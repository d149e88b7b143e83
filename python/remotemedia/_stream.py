"""An audio file in chunks, without reading all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remotemedia._arrays import view
from remotemedia._audio import Audio, audio_of
from remotemedia._lib import NativeError, native, reraise
from remotemedia._numbers import number_of
from remotemedia._paths import file_name, is_pipe, opened
from remotemedia._words import counted
from remotemedia.errors import ClosedError, InputTypeError, InputValueError

if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType

    from remotemedia._lib import NativeAudioReader

__all__ = ["AudioStream", "stream"]

_FLOAT32 = 10
_MOST_MS = 3_600_000


class AudioStream:
    """The chunks of a file, in order: an iterator of `Audio`. Closing it, or leaving ``with``, closes the file.

    Attributes
    ----------
    sample_rate, channels : int
        Of every chunk.
    frames : int or None
        Length of the file, when it states it.
    """

    __slots__ = ("_chunk", "_given", "_ms", "_reader", "channels", "frames", "sample_rate")

    def __init__(self, path: str | PathLike[str], chunk_ms: float) -> None:
        ms = number_of(chunk_ms)
        if ms is None:
            raise InputTypeError(f"chunk_ms is {chunk_ms!r}, expected a number of milliseconds")
        if not 0 < ms <= _MOST_MS:
            raise InputValueError(f"chunk_ms is {chunk_ms}, expected more than 0 and at most {_MOST_MS}")
        name = file_name(path)
        try:
            reader: NativeAudioReader = (
                native.AudioReader.raw_of_descriptor(opened(name), name) if is_pipe(name) else native.AudioReader(name)
            )
            info = reader.info()
        except NativeError as error:
            reraise(error)
        self._reader: NativeAudioReader | None = reader
        self.sample_rate: int = info.sample_rate_hz
        self.channels: int = info.channels
        self.frames: int | None = info.frames if info.frames >= 0 else None
        self._ms = ms
        self._chunk = 0
        self._given = 0
        if round(self.sample_rate * ms / 1000) < 1:
            raise InputValueError(
                f"chunk_ms is {chunk_ms}, less than one frame at {self.sample_rate} Hz, "
                f"expected at least {1000 / self.sample_rate:.3g}"
            )

    def __iter__(self) -> AudioStream:
        return self

    def __next__(self) -> Audio:
        if self._reader is None:
            raise ClosedError("the stream of the file is closed")
        # Counted from the start of the file: chunks of 10 ms at 44,100 Hz have 441 frames, of 11.025 kHz 110 or 111.
        end = round((self._chunk + 1) * self.sample_rate * self._ms / 1000)
        try:
            buffer = self._reader.read(end - self._given)
        except NativeError as error:
            reraise(error)
        if buffer is None:
            raise StopIteration
        self._chunk += 1
        self._given += buffer.frames()
        shape = (buffer.frames(),) if self.channels == 1 else (buffer.frames(), self.channels)
        return audio_of(view(buffer.raw_export, _FLOAT32, shape), self.sample_rate)

    def close(self) -> None:
        """Close the file. Asking for a chunk after that is a `ClosedError`."""
        self._reader = None

    def __enter__(self) -> AudioStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        length = "unknown length" if self.frames is None else counted(self.frames, "frame")
        channels = counted(self.channels, "channel")
        return f"AudioStream({length}, {self.sample_rate} Hz, {channels}, chunks of {float(self._ms):g} ms)"


def stream(path: str | PathLike[str], chunk_ms: float = 20) -> AudioStream:
    """Read a WAV or FLAC file in chunks: live input to try a pipeline with, or a file too long for memory.

    Parameters
    ----------
    path : path
        The file.
    chunk_ms : float
        Length of a chunk in milliseconds, up to an hour. Chunk ``k`` ends at frame
        ``round((k + 1) * sample_rate * chunk_ms / 1000)``, so that no drift adds up. The last chunk holds the rest.

    Returns
    -------
    AudioStream
        An iterator of `Audio` of float32; also a context manager.

    Raises
    ------
    IoError
        When the file cannot be read, also in the middle of it.
    InputTypeError, InputValueError
        For a `chunk_ms` that is no length.

    Examples
    --------
    >>> import numpy as np, remotemedia as rm
    >>> rm.write("tone.wav", rm.Audio(np.zeros(44100, np.float32), 44100))
    >>> with rm.stream("tone.wav", chunk_ms=300) as chunks:
    ...     print(chunks.sample_rate, [chunk.frames for chunk in chunks])
    44100 [13230, 13230, 13230, 4410]
    """
    return AudioStream(path, chunk_ms)
