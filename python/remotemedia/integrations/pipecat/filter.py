"""A manifest as an audio filter of a pipecat transport."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipecat.audio.filters.base_audio_filter import BaseAudioFilter
from pipecat.frames.frames import FilterControlFrame, FilterEnableFrame

from remotemedia._pipeline import Pipeline
from remotemedia.integrations.pipecat._discard import discard
from remotemedia.integrations.pipecat._pcm import samples

if TYPE_CHECKING:
    from remotemedia._session import Session

__all__ = ["ManifestFilter"]


class ManifestFilter(BaseAudioFilter):
    """Run a manifest over the audio of a transport: 16-bit mono in, 16-bit mono of the same rate out.

    A ``FilterEnableFrame`` switches it off and on; what it held back is then forgotten.

    Parameters
    ----------
    manifest : object
        As for `remotemedia.Pipeline`. It has one result, which is audio.
    """

    def __init__(self, manifest: Any) -> None:
        self._pipeline = manifest if isinstance(manifest, Pipeline) else Pipeline(manifest)
        self._session: Session | None = None
        self._enabled = True

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
                self._session.reset()

    async def filter(self, audio: bytes) -> bytes:
        """Take audio and return what comes out: as many frames as went in, from the first on.

        Raises
        ------
        NodeError, FormatError, InputValueError
            As `remotemedia.Session.process`.
        """
        if self._session is None or not self._enabled:
            return audio
        made: bytes = self._session.process(samples(audio)).tobytes()
        return made

    def _close(self) -> None:
        discard(self._session)
        self._session = None
