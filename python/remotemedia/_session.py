"""A session: one live stream through a pipeline, a few microseconds a frame."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import warnings
import weakref
from contextlib import suppress
from fractions import Fraction
from struct import Struct
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np

from remotemedia import _calls, _lane
from remotemedia._arrays import as_array, check_audio, dtype_code, memory
from remotemedia._audio import MAX_CHANNELS, Audio, hertz, whole_number
from remotemedia._beside import beside
from remotemedia._formats import AudioFormat
from remotemedia._inputs import Inputs, is_slow
from remotemedia._json import checked, checked_names, quoted
from remotemedia._lib import NativeError, native, reraise
from remotemedia._numbers import index_of, number_of, plain
from remotemedia._output import Output, data_of
from remotemedia._owner import own
from remotemedia._run import ELSEWHERE, NATIVELY
from remotemedia._session_stream import SessionStream
from remotemedia._turn import let_others_run
from remotemedia._turns import is_beneath, is_inside, wait_for_turn
from remotemedia._wire import records_after
from remotemedia._words import counted
from remotemedia.errors import (
    BusyError,
    ClosedError,
    FormatError,
    InputTypeError,
    InputValueError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
    from types import TracebackType

    from remotemedia._arrays import Array
    from remotemedia._lib import Buffers, NativeLane, NativeLive, NativeSession
    from remotemedia._owner import Owner
    from remotemedia._results import Ports
    from remotemedia._run import Compiled

__all__ = ["Session", "open_session", "session_config"]

_HOLD_GIL_NS = 50_000.0
"""Work of at most this keeps the GIL: giving it away would cost more."""
_SHORT_NS = 500_000.0
"""Work of at most this may run on an event loop's thread."""
_HEAD = Struct("<qIIII")
"""Before each record: ticks, numerator and denominator of its time, generation, dropped."""
_LANE_HEAD = Struct("=qIII").unpack_from
_LANE_HEAD_BYTES = 32
_NANO = 1_000_000_000
_MEASURED = 8
"""How many of the first frames are timed."""
_MOST_NS = 2_000_000.0
"""A frame that takes longer than this, when it was measured, does not keep the GIL, whatever the estimate was."""
_COPIED_QUICKLY = 4 * 1024 * 1024
"""An item of so many bytes is copied on an event loop's own thread."""
_NO_CODE = -(2**62)
"""No call gives this: the next result is looked at."""

_WHEN_FULL: dict[str, Any] = {
    "wait": native.WhenFull.WAIT,
    "drop_oldest": native.WhenFull.DROP_OLDEST,
    "drop_newest": native.WhenFull.DROP_NEWEST,
    "latest": native.WhenFull.LATEST,
}

_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


class Session:
    """One stream through a pipeline. Made by `Pipeline.session`; a context manager, also an asynchronous one.

    One thread at a time: another one that calls meanwhile gets a `BusyError`. An error about an input leaves the
    stream as it was. After a node has failed, every call raises that error until `reset`.
    """

    __slots__ = (
        "__weakref__",
        "_at_end",
        "_call",
        "_channels",
        "_code",
        "_cost_ns",
        "_dead",
        "_dtype",
        "_enter",
        "_exit",
        "_fed",
        "_fed_to",
        "_frames",
        "_generation",
        "_handle",
        "_head",
        "_is_opening",
        "_lane",
        "_lane_possible",
        "_live",
        "_make_live",
        "_measured_ns",
        "_native",
        "_one_axis",
        "_opening",
        "_params",
        "_passage",
        "_ports",
        "_queue",
        "_result",
        "_runs",
        "_shape",
        "_sources",
        "_staged",
        "_streaming",
        "_through_lane",
        "_to_measure",
        "_used",
        "_waits_when_full",
    )

    def __init__(self, pipeline: Compiled, config: Any, queue: int, when_full: Any) -> None:
        lock = threading.Lock()
        self._enter: Callable[[bool], bool] = lock.acquire
        self._exit: Callable[[], None] = lock.release
        try:
            # A thread with an event loop must not wait for workers and models: `async with` does, or the first call.
            later = pipeline.runs != NATIVELY and asyncio._get_running_loop() is not None
            make = pipeline.native.raw_session_later if later else pipeline.native.session
            self._native: NativeSession = make(config)
            self._sources: list[str] = self._native.raw_sources()
            self._fed_to: int = self._native.raw_handle()
        except NativeError as error:
            reraise(error)
        self._ports: Ports = pipeline.ports
        self._runs = pipeline.runs
        self._lane: NativeLane | None = None
        self._live: NativeLive | None = None
        self._opening = threading.Lock()
        # Of the last interrupt that has returned. No thread comes between a look at a plain number and the next step.
        self._generation = 0
        # An item goes into a live stream, or an interrupt is made: not both at once.
        self._passage = threading.Lock()
        self._queue, self._waits_when_full = queue, when_full is _WHEN_FULL["wait"]
        # Who reads for `stream`, and whether all that it has read went into the live stream.
        self._streaming: object = None
        self._at_end = False
        self._params: dict[tuple[str, str], str] = {}
        make_live = pipeline.native.live
        self._make_live: Callable[[], NativeLive] = lambda: make_live(config, queue, when_full)
        self._lane_possible = len(pipeline.ports) == 1
        self._handle = 0
        # Of the frame before: a frame of the same shape needs no look at all.
        self._shape: tuple[int, ...] | None = None
        self._dtype: np.dtype[Any] | None = None
        self._frames = 0
        self._cost_ns = 0.0
        self._staged: Any = None
        self._call: Callable[[int, int], int] = _lane.process_holding_gil
        self._code = _NO_CODE
        self._result: Any = None
        self._head: Any = None
        self._one_axis = True
        self._channels = 1
        self._through_lane = False
        self._used = False
        self._is_opening = False
        # How long a frame has taken, and how many are still to be timed.
        self._measured_ns = 0.0
        self._to_measure = _MEASURED
        # Of the last array fed: what audio of the flush is to be.
        self._fed: tuple[int, bool] = (-1, True)
        self._dead = ""
        _sessions.add(self)

    def process(self, frame: Array) -> Array:
        """Take a frame of audio and return what comes out, for pipelines whose one result is audio.

        Parameters
        ----------
        frame : ndarray
            ``(frames,)`` or ``(frames, channels)``, of any length; float32, float64, float16, int16, int32 or uint8,
            but always the same.

        Returns
        -------
        ndarray
            A new array of the same element type. It may be shorter or longer than the frame, or empty: nodes hold
            back what they cannot know yet, and `flush` returns the rest.

        Raises
        ------
        FormatError
            When it differs from the frames before, or from what is declared.
        InputValueError
            When a sample is not finite.
        UnsupportedError
            When the pipeline has several results, or gives something else: use `feed`.
        BusyError, ClosedError, NodeError

        Examples
        --------
        >>> import numpy as np, remotemedia as rm
        >>> pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=16000)])
        >>> with pipe.session(sample_rate=48000, channels=1) as session:
        ...     parts = [session.process(np.zeros(960, np.float32)) for _ in range(50)]
        ...     parts.append(session.flush())
        >>> sum(len(part) for part in parts)
        16000
        """
        if not self._enter(False):
            self._enter_anyway()
        try:
            was = self._generation
            if type(frame) is not np.ndarray or frame.shape != self._shape or frame.dtype is not self._dtype:
                frame = self._look_at(frame)
            self._staged[...] = frame
            code = self._call(self._handle, self._frames)
            made: Array = self._result.copy() if code == self._code else self._answer(code)
            if self._generation != was:
                self._forget()
        finally:
            self._exit()
        # From here on no other thread gets its turn before this has returned.
        return made if self._generation == was else made[:0]

    def feed(self, item: object, pts: float | Fraction | None = None, to: str | None = None) -> list[Output]:
        """Take an item and return what comes out: any graph, any kind of data.

        Parameters
        ----------
        item : object
            An array, `Audio`, `VideoFrame`, str, bytes or a JSON value, as `Pipeline.run` takes it.
        pts : float or Fraction, optional
            When its first frame is, in seconds. What is missing before it becomes silence. Without it the item
            follows the one before.
        to : str, optional
            The id of the node that takes it. Without it, every node that takes input does.

        Returns
        -------
        list of Output
            In order; empty when nothing came out.

        Raises
        ------
        FormatError, InputTypeError, InputValueError
            When the item does not fit, or goes back in time; the stream is as it was.
        BusyError, ClosedError, NodeError

        Examples
        --------
        >>> import numpy as np, remotemedia as rm
        >>> pipe = rm.Pipeline([rm.nodes.Gain(gain_db=6), rm.nodes.AudioLevel()])
        >>> with pipe.session(sample_rate=48000) as session:
        ...     for out in session.feed(np.zeros(960, np.float32), pts=2.5):
        ...         print(out.node, out.port, float(out.pts))
        audiolevel out 2.5
        """
        return self._feed(item, pts, to, self._generation)

    def _feed(self, item: object, pts: float | Fraction | None, to: str | None, was: int) -> list[Output]:
        """Take an item of a generation. After an interrupt it is not fed, and nothing of it comes out."""
        if not self._enter(False):
            self._enter_anyway()
        try:
            self._check_direct()
            if self._runs == ELSEWHERE:
                _check_no_loop()
            self._used = True
            inputs = Inputs((item,))
            ticks, den = _ticks(pts)
            batch = inputs.for_call()
            source, fed = self._to(to), (-1, True)
            if type(item) is np.ndarray:
                fed = (cast("int", dtype_code(item.dtype)), item.ndim == 1)
            # The next frame is looked at, so that flush knows what to answer with.
            self._through_lane, self._shape = False, None
            if self._generation != was:
                return []
            answer = _calls.feed(self._fed_to, batch, len(batch), source, ticks, den)
            self._fed = fed
            outputs = self._outputs(answer, inputs)
            if self._generation != was:
                self._forget()
        except NativeError as error:
            reraise(error)
        finally:
            self._exit()
        return outputs if self._generation == was else []

    def flush(self) -> Any:
        """End the stream and return everything that was held back. What comes next begins another stream, at time 0.

        Returns
        -------
        ndarray or list of Output
            An array after `process`, a list after `feed`.
        """
        if not self._enter(False):
            self._enter_anyway()
        try:
            was = self._generation
            self._check_direct()
            if self._through_lane and self._lane is not None:
                made: Any = self._answer(self._lane.raw_flush())
            else:
                made = self._outputs(_calls.flush(self._fed_to, *self._fed), Inputs(()))
        except NativeError as error:
            reraise(error)
        finally:
            self._exit()
        return made if self._generation == was else made[:0]

    async def push(self, item: object, pts: float | Fraction | None = None, to: str | None = None) -> None:
        """Put an item in the queue; wait for room if it is full and the session is to wait.

        The arguments are those of `feed`. Results come with `next`, `next_batch` or ``async for``, also while others
        push. A session is used this way, or with `process` and `feed`: what is called first decides.

        Examples
        --------
        >>> import asyncio, numpy as np, remotemedia as rm
        >>> pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=16000)])
        >>> async def main():
        ...     async with pipe.session(sample_rate=48000) as session:
        ...         for _ in range(50):
        ...             await session.push(np.zeros(960, np.float32))
        ...         session.end()
        ...         return sum([len(out.data) async for out in session])
        >>> asyncio.run(main())
        16000
        """
        await self._push(item, pts, to, self._generation)

    async def _push(self, item: object, pts: float | Fraction | None, to: str | None, was: int) -> None:
        """Put an item of a generation in the queue. After an interrupt it is left out."""
        live = self._live or await self._await_live()
        self._check_alive()
        inputs = await beside(Inputs, (item,)) if is_slow((item,)) else Inputs((item,))
        call = (self._put, was, live, inputs.for_call(), self._to(to), *_ticks(pts))
        is_long = inputs.byte_len > _COPIED_QUICKLY
        if isinstance(item, np.ndarray):
            self._fed = (cast("int", dtype_code(item.dtype)), item.ndim == 1)
        try:
            while not (await beside(*call) if is_long else call[0](*call[1:])):
                await live.room()
        except NativeError as error:
            reraise(error)
        await let_others_run()

    def _put(self, was: int, live: NativeLive, batch: bytes, to: int, ticks: int, den: int) -> bool:
        """Put an item of a generation into the stream; say whether that is done. After an interrupt it is left out."""
        wait_for_turn(self._passage, self, _PASSING)
        try:
            if self._generation != was:
                return True
            done = live.raw_push(batch, to, ticks, den)
            if self._generation != was:
                # The handler of a signal has interrupted this very call: nothing else has gone in since.
                self._generation = live.interrupt()
            return done
        finally:
            self._passage.release()

    async def next(self) -> Output | None:
        """Wait for a result. None: the stream has ended and everything was taken."""
        outputs = await self.next_batch(1)
        return outputs[0] if outputs else None

    async def next_batch(self, most: int = 64) -> list[Output]:
        """Wait until there is a result; return all that are ready, at most ``most``. Empty: the stream has ended."""
        live = self._live or await self._await_live()
        self._check_alive()
        count = index_of(most)
        if count is None or not 0 < count < 2**31:
            raise InputValueError(f"most is {most!r}, expected a whole number from 1")
        live_handle = live.raw_handle()
        await let_others_run()
        try:
            while True:
                was = self._generation
                owner = own()
                answer = _calls.live_take(live_handle, count, *self._fed, owner.number)
                if answer:
                    # No turn for others from here on: what was taken would be lost if this was cancelled.
                    outputs = self._outputs(answer, Inputs(()), _Answer(owner))
                    # They are all of one generation.
                    if outputs[0].generation >= self._generation:
                        return outputs
                elif live.is_finished():
                    # It may be the end of before.
                    if self._generation == was:
                        return []
                else:
                    await live.ready()
                self._check_alive()
        except NativeError as error:
            reraise(error)

    def end(self) -> None:
        """Say that nothing more will be pushed: what nodes hold comes out, then the results end."""
        self._guarded(self._open_live().end)

    async def __aiter__(self) -> AsyncIterator[Output]:
        """Yield results until the stream has ended."""
        while (out := await self.next()) is not None:
            yield out

    @property
    def dropped(self) -> tuple[int, int]:
        """How many pushed items, and how many results, a full queue has dropped."""
        return (0, 0) if self._live is None else (self._live.dropped_items(), self._live.dropped_outputs())

    def stream(self, source: Iterable[object] | AsyncIterable[object]) -> SessionStream:
        """Feed everything from an iterable, and give what comes out as it comes; flush at its end.

        Iterate with ``async for`` over what is returned (the source may be asynchronous or not), or with ``for`` (over
        a source that is not). ``for`` reads an item when all outputs before it were taken. ``async for`` goes on
        reading while nodes take their time, until the queue is full; then what `Pipeline.session` was told of a full
        queue holds. Who leaves the loop early loses what was read and did not come out yet.

        With nodes in other processes it is `push` and `next` that do it, and `process` and `feed` are not for this
        session any more.

        Examples
        --------
        >>> import numpy as np, remotemedia as rm
        >>> frames = [np.zeros(960, np.float32)] * 50
        >>> with rm.Pipeline([rm.nodes.AudioResample(target_rate=16000)]).session(sample_rate=48000) as session:
        ...     print(sum(len(out.data) for out in session.stream(frames)))
        16000
        """
        return SessionStream(self, source)

    def interrupt(self) -> int:
        """Throw away what is held, at once: no output of before comes after this returns. Time begins at 0 again.

        Any thread may call it. A call under way in another thread returns nothing.

        Returns
        -------
        int
            The new generation.
        """
        self._check_alive()
        return self._raise(self._cut)

    def _raise(self, call: Callable[[NativeLive | None], int]) -> int:
        """Make a call that begins another generation; return its number. When this returns, the one before is over."""
        # The handler of a signal may come into a call of this thread, which does not go on before it returns.
        nested = is_beneath(self, _PASSING)
        if not nested:
            wait_for_turn(self._passage, self, _PASSING)
        try:
            generation = call(self._live)
            if self._generation < generation:
                self._generation = generation
            return generation
        finally:
            if not nested:
                self._passage.release()

    def reset(self) -> None:
        """Forget the stream, with everything held. A session whose node has failed works again."""
        self._guarded(lambda: self._raise(self._begin_anew), None)

    def _cut(self, live: NativeLive | None) -> int:
        generation = (self._native if live is None else live).interrupt()
        self._end_again(live)
        return generation

    def _begin_anew(self, live: NativeLive | None) -> int:
        stream = self._native if live is None else live
        stream.reset()
        self._end_again(live)
        return stream.generation()

    def _end_again(self, live: NativeLive | None) -> None:
        """End the stream that has just begun, if there is nothing to come: the source of `stream` was read."""
        self._at_end = self._at_end and self._streaming is not None
        if self._at_end and live is not None:
            with suppress(*NativeError):  # Whoever takes the results is told.
                live.end()

    def set_param(self, node: str, name: str, value: object) -> None:
        """Change a parameter of a node, from the next frame on.

        Raises
        ------
        InputValueError
            For a node, name or value that there is not.
        UnsupportedError
            When that parameter cannot be changed while running.

        Examples
        --------
        >>> import numpy as np, remotemedia as rm
        >>> with rm.Pipeline([rm.nodes.Gain(gain_db=0)]).session(sample_rate=48000) as session:
        ...     session.set_param("gain", "gain_db", -20)
        ...     float(session.process(np.ones(480, np.float32))[-1])
        0.10000000149011612
        """
        checked_names(node=node, name=name)
        stream, text = self._live or self._native, checked("value", plain(value, name))
        self._guarded(lambda: stream.set_param(node, name, text), None)
        if self._live is None:
            self._params[node, name] = text

    def metrics(self) -> dict[str, Any]:
        """Return figures: ``node_metrics`` as those of a run, and what full queues have dropped.

        ``node_metrics`` is empty unless the session was opened with ``metrics=True``.

        Examples
        --------
        >>> import numpy as np, remotemedia as rm
        >>> with rm.Pipeline([rm.nodes.Gain(gain_db=0)]).session(sample_rate=48000, metrics=True) as session:
        ...     y = session.process(np.zeros(960, np.float32))
        ...     session.metrics()["node_metrics"][0]["frames_in"]
        960
        """
        stream = self._native if self._live is None else self._live
        nodes = json.loads(self._guarded(stream.raw_metrics, "[]"))
        items, outputs = self.dropped
        return {"node_metrics": nodes, "dropped_items": items, "dropped_outputs": outputs}

    @property
    def generation(self) -> int:
        """How many interrupts there were."""
        return self._native.generation() if self._live is None else self._live.generation()

    @property
    def held_frames(self) -> int:
        """The most audio frames that a node holds back now, at the rate of its output."""
        return 0 if self._dead else self._native.held_frames()

    def close(self) -> None:
        """End the session. Later calls raise `ClosedError`. Frames that are held and were not flushed are lost."""
        if self._dead:
            return
        held = self._native.held_frames()
        self._dead = "the session is closed"
        self._shape = None
        self._call = _lane.process_without_gil  # Not a method, which would keep the session.
        self._make_live = _make_no_live
        self._native.shutdown()
        if self._live is not None:
            self._live.shutdown()
        if held:
            warnings.warn(
                f"the session is closed with {counted(held, 'frame')} held back; "
                "call flush() first, or reset() to drop them",
                ResourceWarning,
                stacklevel=3,
            )

    def __enter__(self) -> Session:
        self._check_alive()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and not self._dead:
            # An error is on its way: what is held is not what it is about.
            self._native.interrupt()
        self.close()

    async def __aenter__(self) -> Session:
        session = self.__enter__()
        if self._runs != NATIVELY:
            try:
                await beside(self._guarded, self._native.raw_prepare)
            except BaseException:
                self.close()
                raise
        return session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session cannot be pickled or copied; pickle its Pipeline and open another one")

    def __repr__(self) -> str:
        return f"Session({self._dead or ' '.join(port.name for port in self._ports)})"

    def _check_alive(self) -> None:
        if self._dead:
            raise ClosedError(self._dead, hint="open another one")

    def _check_direct(self) -> None:
        """Check that the session is one of `process` and `feed`."""
        self._check_alive()
        if self._live is not None:
            raise UnsupportedError(
                "the session is used with push() and next(): process(), feed() and flush() are not",
                hint="end() flushes",
            )

    async def _await_live(self) -> NativeLive:
        # Workers are started and models loaded there, unless `async with` has done it.
        return self._open_live() if self._runs == NATIVELY else await beside(self._open_live)

    def _open_live(self) -> NativeLive:
        wait_for_turn(self._opening, self, _OPENING)
        try:
            self._check_alive()
            if self._live is None:
                if self._lane is not None or self._used:
                    raise UnsupportedError(
                        "the session is used with process() or feed(): push() and next() are not",
                        hint="open another session",
                    )
                live = self._new_live()
                self._shape = None
                self._raise(lambda _: self._open(live))
                if self._dead:
                    live.shutdown()
            return cast("NativeLive", self._live)
        finally:
            self._is_opening = False
            self._opening.release()

    def _new_live(self) -> NativeLive:
        """Open the live stream. What is asked of the session meanwhile, on other threads, is done when it is there."""
        try:
            if self._runs != NATIVELY:
                self._is_opening = True
                # What was started for this session, and not used, the stream takes over.
                self._native.raw_release()
            live = self._make_live()
            done: dict[tuple[str, str], str] = {}
            while done != self._params or live.generation() != self._native.generation():
                for (node, name), text in list(self._params.items()):
                    live.set_param(node, name, text)
                    done[node, name] = text
                while live.generation() != self._native.generation():
                    live.interrupt()
            return live
        except NativeError as error:
            reraise(error)

    def _open(self, live: NativeLive) -> int:
        """Let a live stream take the place of the session, with all interrupts that there were."""
        while (generation := live.generation()) != self._native.generation():
            live.interrupt()
        self._live = live
        return generation

    def _guarded(self, call: Callable[[], Any], while_opening: Any = None) -> Any:
        """Make a native call; return ``while_opening`` when the live stream that it is for is still being opened."""
        self._check_alive()
        opening = self._is_opening
        try:
            return call()
        except NativeError as error:
            if opening and type(error).__name__ == "Closed" and not self._dead:
                return while_opening
            reraise(error)

    def _enter_anyway(self) -> None:
        """Take the lock that is taken, if nobody is there who could give it back."""
        for _ in range(3):
            if is_inside(self, _INSIDE):
                raise BusyError("another thread is in the session")
            if self._enter(False):
                return
        with suppress(RuntimeError):  # It is free by now.
            self._exit()
        if not self._enter(False):
            raise BusyError("another thread is in the session")

    def _to(self, to: str | None) -> int:
        if to is None:
            return -1
        if not isinstance(cast("object", to), str) or to not in self._sources:
            expected = ", ".join(f"`{source}`" for source in self._sources) or "none"
            raise InputValueError(f"to is {quoted(to)}, expected a node that takes input: {expected}")
        return self._sources.index(to)

    def _look_at(self, frame: object) -> Array:
        """Check a frame that is not like the one before, make room for it, and return it as an array.

        An exception may come between any two steps. So the shape is forgotten first and known again last: until then
        every frame is looked at.
        """
        self._check_direct()
        if isinstance(frame, (str, bytes, Audio)):
            raise InputTypeError(f"the frame is of type {type(frame).__name__}, expected an array; feed() takes it")
        array = as_array(frame)
        check_audio(array)
        channels = 1 if array.ndim == 1 else array.shape[1]
        self._shape = None
        try:
            if self._lane is None:
                code = cast("int", dtype_code(array.dtype))
                lane = self._native.raw_lane(code, channels)
                self._handle = lane.raw_handle()
                self._dtype = array.dtype
                self._one_axis = array.ndim == 1
                self._channels = channels
                self._lane = lane
            elif array.dtype != self._dtype:
                raise FormatError(
                    f"the frame has dtype {array.dtype}, expected {self._dtype} as before", code="RM0204"
                ) from None
            elif self._one_axis != (array.ndim == 1) or channels != self._channels:
                expected = "(frames,)" if self._one_axis else f"(frames, {self._channels})"
                raise FormatError(f"the frame has shape {array.shape}, expected {expected} as before", code="RM0206")
            frames = array.shape[0]
            # The lane keeps what it has outgrown: a view of before looks at memory of ours still.
            address = self._lane.raw_input(frames)
            self._staged = memory(address, cast("Any", self._dtype).str, array.shape, self._lane)
            self._frames = frames
            self._cost_ns = max(self._native.raw_cost_ns(frames), frames * self._measured_ns)
            if self._runs == ELSEWHERE:
                self._call = _wait_without_gil
            elif self._cost_ns > _HOLD_GIL_NS:
                self._call = _lane.process_without_gil
            else:
                self._call = self._measure if self._to_measure else _lane.process_holding_gil
            self._through_lane = True
            self._shape = array.shape
            return array
        except NativeError as error:
            reraise(error)

    def _measure(self, handle: int, frames: int) -> int:
        """Work on one of the first frames, and see how long it takes: an estimate may be wrong."""
        started = perf_counter_ns()
        code = _lane.process_without_gil(handle, frames)
        elapsed = perf_counter_ns() - started
        if self._to_measure < _MEASURED:  # The first one makes plans and loads weights.
            self._measured_ns = max(self._measured_ns, elapsed / max(frames, 1))
        self._to_measure -= 1
        if self._to_measure <= 0:
            # Others may have had the processor meanwhile: a few times as long as it should take is no surprise.
            slow = self._measured_ns * frames > _MOST_NS
            self._measured_ns = self._measured_ns if slow else 0.0
            self._call = _lane.process_without_gil if slow else _lane.process_holding_gil
        return code

    def _answer(self, code: int) -> Array:
        """Return what a call has left in the output, and remember where, for the next one of that length."""
        lane = cast("NativeLane", self._lane)
        try:
            self._code = _NO_CODE
            if code == _lane.LONGER:
                code = lane.raw_grow()
            if code < 0:
                if code == _lane.BUSY:
                    raise BusyError("another thread is in the session")
                self._check_alive()
                lane.fail()
            frames, channels = _lane.unpack(code)
            shape = (frames,) if channels == 1 and self._one_axis else (frames, channels)
            if frames == 0:
                return np.empty(shape, self._dtype)
            address = lane.raw_output()
            self._head = memory(address, "|u1", (_LANE_HEAD_BYTES,), lane)
            self._result = memory(address + _LANE_HEAD_BYTES, cast("Any", self._dtype).str, shape, lane)
            self._code = code
            return self._result.copy()  # type: ignore[no-any-return]
        except NativeError as error:
            reraise(error)

    def _is_short(self, item: object) -> bool:
        """Whether the work on an item may run on an event loop's thread."""
        if self._runs != NATIVELY:
            return False
        if type(item) is np.ndarray and item.shape == self._shape:
            return self._cost_ns <= _SHORT_NS
        frames = item.shape[0] if isinstance(item, np.ndarray) and item.ndim else getattr(item, "frames", 1)
        return self._native.raw_cost_ns(int(frames)) <= _SHORT_NS and not is_slow((item,))

    def _streams_live(self) -> bool:
        """Whether `stream` goes over `push` and `next`, and not over `feed`."""
        is_fresh = self._lane is None and not self._used
        return self._live is not None or (is_fresh and (self._runs == ELSEWHERE or not self._waits_when_full))

    def _feed_quickly(self, item: object) -> list[Output]:
        """Like `feed`, through the lane where that is possible."""
        if not self._lane_possible or type(item) is not np.ndarray:
            return self.feed(item)
        try:
            data = self.process(cast("Array", item))
        except UnsupportedError:
            if self._lane is not None:
                raise
            self._lane_possible = False
            return self.feed(item)
        return self._lane_outputs(data)

    def _give_up(self) -> None:
        """Give up the call that is under way in another thread, because nobody waits for it any more."""
        if not self._dead and self._runs != NATIVELY:
            self.interrupt()

    def _rest(self) -> list[Output]:
        """Flush into a list."""
        rest = self.flush()
        return self._lane_outputs(rest) if self._through_lane else cast("list[Output]", rest)

    def _forget(self) -> None:
        """Take out again what went in while the session was interrupted: the caller has the lock, so it is alone."""
        try:
            self._native.reset()
        except NativeError as error:
            reraise(error)

    def _lane_outputs(self, data: Array) -> list[Output]:
        """Return what the lane has just given with its place in time."""
        if data.size == 0:
            return []
        ticks, num, den, generation = _LANE_HEAD(self._head)
        return [Output(self._ports[0].node, self._ports[0].port, data, (ticks, num, den), generation)]

    def _outputs(self, answer: bytes, inputs: Inputs, buffers: Buffers | None = None) -> list[Output]:
        outputs: list[Output] = []
        for head, record in records_after(answer, _HEAD):
            ticks, num, den, generation, dropped = head
            port = self._ports[record.port]
            data = data_of(answer, record, inputs, buffers or self._native)
            outputs.append(Output(port.node, port.port, data, (ticks, num, den), generation, dropped))
        return outputs


class _Answer:
    """The buffers that an answer of a live stream names."""

    __slots__ = ("_owner",)

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def raw_buffer(self, buffer: int, owner: int) -> int:
        """Give a buffer to the owner of a number; return its address."""
        address: int = native.raw_answer_buffer(self._owner.number, buffer, owner)
        return address


_INSIDE = frozenset(method.__code__ for method in (Session.process, Session._feed, Session.flush))
"""Whoever has the lock of a session is in one of these."""
_OPENING = frozenset((Session._open_live.__code__,))
_PASSING = frozenset((Session._put.__code__, Session._raise.__code__))


def _check_no_loop() -> None:
    """Refuse to wait for another process where that would stop an event loop."""
    if asyncio._get_running_loop() is not None:
        raise UnsupportedError(
            "the pipeline waits for a worker process, and this thread runs an event loop",
            hint="use push() and next(), or stream()",
        )


def _wait_without_gil(handle: int, frames: int) -> int:
    """Work on a frame that another process takes part in."""
    _check_no_loop()
    return _lane.process_without_gil(handle, frames)


def _make_no_live() -> NativeLive:
    """Take the place of what holds the pipeline: a session that is closed keeps no worker."""
    raise ClosedError("the session is closed")


def session_config(
    sample_rate: int | None,
    channels: int | None,
    input: AudioFormat | None,
    constant_frames: bool = False,
    metrics: bool = False,
) -> Any:
    """Return the native settings of a session; `Pipeline.session` says what the arguments mean."""
    if input is not None:
        if sample_rate is not None or channels is not None:
            raise InputValueError("both `input` and `sample_rate` or `channels` are given, expected one of them")
        if not isinstance(cast("object", input), AudioFormat):
            raise InputTypeError(f"input is of type {type(input).__name__}, expected remotemedia.AudioFormat")
        sample_rate, channels = input.sample_rate, input.channels
    rate = 0 if sample_rate is None else hertz("sample_rate", sample_rate)
    count = 0 if channels is None else whole_number("channels", channels, MAX_CHANNELS)
    return native.SessionConfig(
        sample_rate_hz=rate, channels=count, constant_frames=bool(constant_frames), metrics=bool(metrics)
    )


def open_session(pipeline: Compiled, config: Any, queue: int, when_full: str) -> Session:
    """Open a session; `Pipeline.session` says what the arguments mean."""
    queue = whole_number("queue", queue, 1_000_000)
    if not isinstance(cast("object", when_full), str) or when_full not in _WHEN_FULL:
        raise InputValueError(f"when_full is {when_full!r}, expected one of {', '.join(map(repr, _WHEN_FULL))}")
    return Session(pipeline, config, queue, _WHEN_FULL[when_full])


def _ticks(pts: float | Fraction | None) -> tuple[int, int]:
    """Return a time as ticks and denominator; a denominator of 0 for none."""
    if pts is None:
        return 0, 0
    seconds = number_of(pts)
    if seconds is None:
        raise InputTypeError(f"pts is {quoted(pts)}, expected seconds as a number or a Fraction")
    if isinstance(seconds, Fraction) and seconds.denominator < 2**31:
        ticks, den = seconds.numerator, seconds.denominator
    elif seconds != seconds or not -9e9 <= seconds <= 9e9:
        raise InputValueError(f"pts is {quoted(pts)}, expected at most 9e9 seconds")
    else:
        ticks, den = round(Fraction(seconds) * _NANO), _NANO
    if abs(ticks) >= 2**63:
        raise InputValueError(f"pts is {quoted(pts)}, expected at most 9e9 seconds")
    return ticks, den


def _after_fork() -> None:
    """Close the sessions of the parent: another thread may have been in one."""
    for session in list(_sessions):
        session._dead = "the session belongs to the parent process"
        session._shape = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
