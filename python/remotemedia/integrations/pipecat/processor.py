"""A manifest as a processor of a pipecat pipeline."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipecat.frames.frames import (
    AudioRawFrame,
    CancelFrame,
    DataFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    TextFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from remotemedia._audio import Audio
from remotemedia._pipeline import Pipeline
from remotemedia.errors import RemoteMediaError
from remotemedia.integrations.pipecat._discard import discard
from remotemedia.integrations.pipecat._pcm import pcm, samples

if TYPE_CHECKING:
    from remotemedia._output import Output
    from remotemedia._session import Session

__all__ = ["ManifestProcessor", "ResultFrame"]

_LONG_S = 0.001
"""A call that took longer than this is made in a thread from then on, so that the event loop is not held up."""


@dataclass
class ResultFrame(DataFrame):
    """A result of a manifest that is neither audio nor text.

    Attributes
    ----------
    node, port : str
        Where it came from.
    data : object
        A JSON value, such as a speech event, an array, bytes or a `remotemedia.VideoFrame`.
    time_s : float
        When it is, in seconds from the start of the stream.
    """

    node: str
    port: str
    data: Any
    time_s: float


class ManifestProcessor(FrameProcessor):
    """Run a manifest over the audio, or the text, that flows downstream.

    Audio results go on as audio frames of the kind that came in, text as text frames, all else as `ResultFrame`. All
    other frames pass. An interruption throws away what is under way. The end of the pipeline gets what is held back
    first. A failure is reported upstream, and the stream begins anew. So is a manifest with nodes in worker processes:
    the thread of an event loop must not wait for them.

    Parameters
    ----------
    manifest : object
        As for `remotemedia.Pipeline`.
    takes : str
        ``"audio"`` or ``"text"``: which frames the manifest gets.
    **settings : object
        As for `remotemedia.Pipeline.session`, without rate and channels, which are those of the first frame.
    """

    def __init__(self, manifest: Any, *, takes: str = "audio", **settings: Any) -> None:
        super().__init__()
        self._manifest = manifest if isinstance(manifest, Pipeline) else Pipeline(manifest)
        if takes not in ("audio", "text"):
            raise ValueError(f"takes is {takes!r}, expected 'audio' or 'text'")
        self._takes: type = AudioRawFrame if takes == "audio" else TextFrame
        self._settings = settings
        self._session: Session | None = None
        self._format: tuple[int, int] | None = None
        self._like: type[Frame] = OutputAudioRawFrame
        self._long = False
        # Audio of a transport comes beside the queue of all other frames: one at a time all the same.
        self._turn = asyncio.Lock()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take a frame."""
        await super().process_frame(frame, direction)
        if direction is FrameDirection.DOWNSTREAM and isinstance(frame, self._takes):
            await self._take(frame)
            return
        if isinstance(frame, InterruptionFrame) and self._session is not None:
            self._session.interrupt()
        elif isinstance(frame, EndFrame):
            await self._end()
        elif isinstance(frame, CancelFrame):
            self._close()
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """Close the stream."""
        self._close()
        await super().cleanup()

    async def _take(self, frame: Any) -> None:
        async with self._turn:
            try:
                if isinstance(frame, AudioRawFrame):
                    self._like = InputAudioRawFrame if isinstance(frame, InputAudioRawFrame) else OutputAudioRawFrame
                    await self._begin((frame.sample_rate, frame.num_channels))
                    item: Any = Audio(samples(frame.audio, frame.num_channels), frame.sample_rate)
                else:
                    await self._begin(None)
                    item = frame.text
                outputs = await self._call("feed", item)
            except RemoteMediaError as error:
                self._close()
                await self.push_error(str(error), exception=error)
                return
            await self._push(outputs)

    async def _begin(self, format: tuple[int, int] | None) -> None:
        """Open a session for this format; another one than before ends the stream first."""
        if self._session is not None and format != self._format:
            await self._push(await self._call("flush"))
            self._close()
        if self._session is None:
            given: dict[str, Any] = {} if format is None else {"sample_rate": format[0], "channels": format[1]}
            self._session, self._format = self._manifest.session(**given, **self._settings), format

    async def _call(self, name: str, *arguments: Any) -> list[Output]:
        call = getattr(self._session, name)
        if self._long:
            outputs: list[Output] = await asyncio.to_thread(call, *arguments)
            return outputs
        started = time.perf_counter()
        outputs = call(*arguments)
        # The first call opens the nodes, which takes longer than any other.
        self._long = time.perf_counter() - started > (20 * _LONG_S if name == "flush" else _LONG_S)
        return outputs

    async def _end(self) -> None:
        async with self._turn:
            if self._session is None:
                return
            try:
                outputs = await self._call("flush")
            except RemoteMediaError as error:
                await self.push_error(str(error), exception=error)
            else:
                await self._push(outputs)
            self._close()

    async def _push(self, outputs: list[Output]) -> None:
        for output in outputs:
            await self.push_frame(self._frame(output))

    def _frame(self, output: Output) -> Any:
        data = output.data
        if isinstance(data, Audio):
            return self._like(audio=pcm(data.samples), sample_rate=data.sample_rate, num_channels=data.channels)
        if isinstance(data, str):
            return TextFrame(text=data)
        return ResultFrame(node=output.node, port=output.port, data=data, time_s=float(output.pts))

    def _close(self) -> None:
        discard(self._session)
        self._session = None
