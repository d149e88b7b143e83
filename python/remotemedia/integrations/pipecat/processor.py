"""A manifest as a processor of a pipecat pipeline."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pipecat.frames.frames import (
    AudioRawFrame,
    CancelFrame,
    DataFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InputTextRawFrame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    TextFrame,
    TranscriptionFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from remotemedia._audio import Audio
from remotemedia._pipeline import Pipeline
from remotemedia.errors import RemoteMediaError
from remotemedia.integrations.pipecat._discard import discard
from remotemedia.integrations.pipecat._ears import Ears
from remotemedia.integrations.pipecat._pcm import pcm, samples
from remotemedia.integrations.pipecat._work import Work

if TYPE_CHECKING:
    from remotemedia._output import Output
    from remotemedia._session import Session

__all__ = ["ManifestProcessor", "ResultFrame"]

_OF_THE_USER = (TranscriptionFrame, InterimTranscriptionFrame, InputTextRawFrame)


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
        When it is, in seconds from the first frame of the user, or of the bot. Interruptions do not set it back.
    """

    node: str
    port: str
    data: Any
    time_s: float


class ManifestProcessor(FrameProcessor):
    """Run a manifest over the audio, or the text, that flows downstream.

    Audio results go on as audio frames of the kind that came in, text as text frames, all else as `ResultFrame`. All
    other frames pass. The end of the pipeline gets what is held back first. A failure is reported upstream, and the
    stream begins anew. Nodes may be in worker processes.

    What the user says and what the bot says are two streams, ears and mouth. An interruption throws away what the bot
    was to say, also what is under way. The user, who interrupts, is heard on: no word is cut. Audio of the user is
    worked on in a task of its own, so that no other frame waits for a recognizer.

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
        self._mouth, self._read = _Side(self._manifest), _Side(self._manifest)
        self._ears: Ears | None = None
        self._listening: asyncio.Task[None] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take a frame."""
        await super().process_frame(frame, direction)
        if direction is FrameDirection.DOWNSTREAM and isinstance(frame, self._takes):
            try:
                await self._take(frame)
            except RemoteMediaError as error:
                await self._fail(error)
            return
        if isinstance(frame, InterruptionFrame):
            self._mouth.interrupt()
        elif isinstance(frame, EndFrame):
            await self._end()
        elif isinstance(frame, CancelFrame):
            await self._close()
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """Close the streams."""
        await self._close()
        await super().cleanup()

    async def _take(self, frame: Any) -> None:
        if not isinstance(frame, AudioRawFrame):
            await self._work(self._read if isinstance(frame, _OF_THE_USER) else self._mouth, None, frame.text)
            return
        audio = Audio(samples(frame.audio, frame.num_channels), frame.sample_rate)
        if isinstance(frame, InputAudioRawFrame):
            if self._ears is None:
                self._ears = Ears(self._open, self._push_heard, self._fail)
                self._listening = self.create_task(self._ears.run(), "ears")
            self._ears.take(audio)
        else:
            await self._work(self._mouth, (frame.sample_rate, frame.num_channels), audio)

    def _open(self, format: tuple[int, int] | None) -> Session:
        given: dict[str, Any] = {} if format is None else {"sample_rate": format[0], "channels": format[1]}
        return self._manifest.session(**given, **self._settings)

    async def _work(self, side: _Side, format: tuple[int, int] | None, item: Any) -> None:
        """Feed an item and push what comes out. Another format than before ends the stream first."""
        was = side.cuts
        async with side.turn:
            try:
                if side.session is not None and format != side.format:
                    await self._flush(side)
                if side.cuts != was:
                    return
                if side.session is None:
                    side.session, side.format, side.began_s = self._open(format), format, side.before_s
                if isinstance(item, Audio):
                    side.before_s += Fraction(item.frames, item.sample_rate)
                session = side.session
                outputs = await side.work.call(session._feed, item, None, None, session._generation)
            except RemoteMediaError:
                side.close()
                raise
            await self._push_all(side, session, outputs, was)

    async def _flush(self, side: _Side) -> None:
        """End a stream, and push what it held back."""
        session, was = side.session, side.cuts
        if session is not None:
            outputs = await side.work.call(session.flush, may_be_long=True)
            await self._push_all(side, session, outputs, was)
            side.close()

    async def _push_all(self, side: _Side, session: Session, outputs: list[Output], was: int) -> None:
        for output in outputs:
            # The stream may be interrupted while a frame goes on its way.
            if side.cuts == was and output.generation >= session._generation:
                await self.push_frame(_frame(output, OutputAudioRawFrame, side.began_s))

    async def _push_heard(self, output: Output, began_s: Fraction) -> None:
        await self.push_frame(_frame(output, InputAudioRawFrame, began_s))

    async def _fail(self, error: RemoteMediaError) -> None:
        await self.push_error(str(error), exception=error)

    async def _end(self) -> None:
        if self._ears is not None and self._listening is not None:
            self._ears.end()
            await asyncio.wait((self._listening,))
            self._ears = self._listening = None
        for side in (self._read, self._mouth):
            async with side.turn:
                try:
                    await self._flush(side)
                except RemoteMediaError as error:
                    side.close()
                    await self._fail(error)

    async def _close(self) -> None:
        listening, self._ears, self._listening = self._listening, None, None
        if listening is not None:
            await self.cancel_task(listening)
        self._read.close()
        self._mouth.close()


class _Side:
    """One stream of the two, for which frames wait in their order."""

    def __init__(self, manifest: Pipeline) -> None:
        self.work = Work(manifest)
        self.turn = asyncio.Lock()
        self.session: Session | None = None
        self.format: tuple[int, int] | None = None
        # How often it was interrupted: what has come before that, and waits, is not worked on.
        self.cuts = 0
        # Seconds of audio that came, and how many of them before the stream began.
        self.before_s = self.began_s = Fraction(0)

    def interrupt(self) -> None:
        """Throw away what is under way."""
        self.cuts += 1
        self.began_s = self.before_s
        if self.session is not None:
            self.session.interrupt()

    def close(self) -> None:
        """End the stream, and drop what it holds."""
        discard(self.session)
        self.session = None


def _frame(output: Output, like: type[Frame], began_s: Fraction) -> Any:
    data = output.data
    if isinstance(data, Audio):
        make: Any = like
        return make(audio=pcm(data.samples), sample_rate=data.sample_rate, num_channels=data.channels)
    if isinstance(data, str):
        return TextFrame(text=data)
    return ResultFrame(node=output.node, port=output.port, data=data, time_s=float(began_s + output.pts))
