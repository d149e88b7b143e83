"""A manifest as an audio filter of a pipecat transport."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pipecat.audio.filters.base_audio_filter import BaseAudioFilter
from pipecat.frames.frames import FilterControlFrame, FilterEnableFrame

from remotemedia._pipeline import Pipeline
from remotemedia.errors import BusyError
from remotemedia.integrations.pipecat._discard import discard
from remotemedia.integrations.pipecat._pcm import samples
from remotemedia.integrations.pipecat._work import Work

if TYPE_CHECKING:
    from remotemedia._session import Session

__all__ = ["ManifestFilter"]


class ManifestFilter(BaseAudioFilter):
    """Run a manifest over the audio of a transport: 16-bit mono in, 16-bit mono of the same rate out.

    A ``FilterEnableFrame`` switches it off and on; what it held back, or works on, is then forgotten.

    Parameters
    ----------
    manifest : object
        As for `remotemedia.Pipeline`. It has one result, which is audio.
    """

    def __init__(self, manifest: Any) -> None:
        self._pipeline = manifest if isinstance(manifest, Pipeline) else Pipeline(manifest)
        self._session: Session | None = None
        self._enabled = True
        self._work = Work(self._pipeline)

    async def start(self, sample_rate: int) -> None:
        """Open the stream at the transport's rate, in Hz."""
        self._close()
        self._session = self._pipeline.session(sample_rate=sample_rate, channels=1, constant_frames=True)

    async def stop(self) -> None:
        """Close the stream."""
        self._close()

    async def process_frame(self, frame: FilterControlFrame) -> None:
        """Take a control frame."""
        if isinstance(frame, FilterEnableFrame):
            self._enabled = frame.enable
            if self._session is not None:
                self._session.interrupt()
                with suppress(BusyError):  # What is under way ends with nothing.
                    self._session.reset()

    async def filter(self, audio: bytes) -> bytes:
        """Take audio and return what comes out: as many frames as went in, silent if they were interrupted.

        Raises
        ------
        NodeError, FormatError, InputValueError
            As `remotemedia.Session.process`.
        """
        session = self._session
        if session is None or not self._enabled:
            return audio
        was = session._generation
        made: bytes = await self._work.call(_processed, session, samples(audio), was)
        if not self._enabled:
            return audio
        return made if session is self._session and session._generation == was else bytes(len(audio))

    def _close(self) -> None:
        discard(self._session)
        self._session = None


def _processed(session: Session, frame: Any, was: int) -> bytes:
    """Work on a frame of a generation. After an interrupt it is not fed, and nothing of it stays."""
    if session._generation != was:
        return b""
    made = session.process(frame)
    if session._generation != was:
        # It may have gone in after the interrupt. No other has: one waits for the other.
        session.reset()
    return made.tobytes()
