"""Many streams through one pipeline, driven by one caller."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from struct import Struct
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np

from remotemedia import _calls
from remotemedia._arrays import as_array, dtype_code
from remotemedia._audio import whole_number
from remotemedia._inputs import Inputs
from remotemedia._lib import NativeError, reraise
from remotemedia._numbers import index_of
from remotemedia._output import Output, data_of
from remotemedia._wire import records_after
from remotemedia._words import counted
from remotemedia.errors import ClosedError, InputValueError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from remotemedia._arrays import Array
    from remotemedia._lib import NativeGroup
    from remotemedia._results import Ports
    from remotemedia._run import Compiled

__all__ = ["GroupOutput", "SessionGroup"]

_HEAD = Struct("<qIIIII")
"""Before each record: ticks, numerator and denominator of its time, generation, dropped, stream."""
_MOST = 2**31 - 1


class GroupOutput(Output):
    """An `Output` with the number of its stream in `stream`."""

    __slots__ = ("stream",)

    def __init__(
        self, stream: int, node: str, port: str, data: Any, pts: tuple[int, int, int], generation: int, dropped: int
    ) -> None:
        super().__init__(node, port, data, pts, generation, dropped)
        self.stream = stream

    def __repr__(self) -> str:
        return f"{self.stream}: {super().__repr__()}"


class SessionGroup:
    """Many sessions of one pipeline. Made by `Pipeline.session_group`; a context manager.

    A call works on the frames of all streams, without Python between them and without a thread for each. Use a group
    for each core, in threads of your own: the work itself gives the GIL away.
    """

    __slots__ = (
        "__weakref__",
        "_cut_at",
        "_cuts",
        "_dead",
        "_fed",
        "_generations",
        "_handle",
        "_native",
        "_ports",
        "streams",
    )

    def __init__(self, pipeline: Compiled, config: Any, streams: int) -> None:
        try:
            self._native: NativeGroup = pipeline.native.raw_group(config, streams)
            self._handle: int = self._native.raw_handle()
        except NativeError as error:
            reraise(error)
        self._ports: Ports = pipeline.ports
        self._fed: tuple[int, bool] = (-1, True)
        self._dead = ""
        self.streams: int = streams
        # How many interrupts there were; the last one of each stream, and its generation since.
        self._cuts = 0
        self._cut_at = [0] * streams
        self._generations = [0] * streams

    def push_many(self, frames: Array | Mapping[int, object]) -> None:
        """Feed a frame to many streams; what comes out waits for `next_many`.

        A stream that fails does not keep the others from their frames; its error is raised after all were served.

        Parameters
        ----------
        frames : ndarray or mapping
            ``(streams, frames)`` or ``(streams, frames, channels)``: row ``i`` for stream ``i``. Or a mapping from the
            number of a stream to an item, for some of them.

        Raises
        ------
        FullError
            When too many results wait.
        RemoteMediaError
            As `Session.feed`, with the number of the stream.

        Examples
        --------
        >>> import numpy as np, remotemedia as rm
        >>> pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=16000)])
        >>> with pipe.session_group(100, sample_rate=48000, channels=1) as group:
        ...     for _ in range(50):
        ...         group.push_many(np.zeros((100, 960), np.float32))
        ...     group.flush()
        ...     sum(len(out.data) for out in group.next_many() if out.stream == 99)
        16000
        """
        was = self._cuts
        self._call(was, *self._batch(frames))

    async def push_many_async(self, frames: Array | Mapping[int, object]) -> None:
        """Like `push_many`, on a thread beside the event loop, which stays free."""
        was = self._cuts
        await asyncio.to_thread(self._call, was, *self._batch(frames))

    def next_many(self, most: int = _MOST) -> list[GroupOutput]:
        """Return the results that wait, at most ``most``, in the order in which they came."""
        self._check_alive()
        count = index_of(most)
        if count is None or not 0 < count <= _MOST:
            raise InputValueError(f"most is {most!r}, expected a whole number from 1")
        seen = self._cuts
        answer = _calls.group_take(self._handle, count, *self._fed)
        outputs: list[GroupOutput] = []
        inputs = Inputs(())
        for head, record in records_after(answer, _HEAD):
            ticks, num, den, generation, dropped, stream = head
            port = self._ports[record.port]
            data = data_of(answer, record, inputs)
            outputs.append(GroupOutput(stream, port.node, port.port, data, (ticks, num, den), generation, dropped))
        # Those of streams that were interrupted meanwhile are of before.
        while seen != self._cuts:
            seen = self._cuts
            outputs = [out for out in outputs if out.generation >= self._generations[out.stream]]
        return outputs

    def flush(self, stream: int | None = None) -> None:
        """End one stream, or all: what they held back waits for `next_many`."""
        self._guarded(self._native.flush, stream)

    def reset(self, stream: int | None = None) -> None:
        """Forget one stream, or all. A stream that has failed works again."""
        self._guarded(self._native.reset, stream)

    def interrupt(self, stream: int | None = None) -> None:
        """Throw away what one stream, or all, hold, and their results that wait."""
        self._guarded(self._cut, stream)

    def _cut(self, stream: int) -> None:
        """Interrupt one stream, or all (-1), and note it: the calls that are under way look at it."""
        self._native.interrupt(stream)
        # No thread comes into the middle of one of these steps.
        self._cuts += 1
        for one in range(self.streams) if stream == -1 else (stream,):
            self._cut_at[one] = self._cuts
            self._generations[one] += 1

    def close(self) -> None:
        """End all sessions. Later calls raise `ClosedError`."""
        if not self._dead:
            self._dead = "the group is closed"
            self._native.shutdown()

    def __enter__(self) -> SessionGroup:
        self._check_alive()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self.streams

    def __reduce__(self) -> NoReturn:
        raise TypeError("a group of sessions cannot be pickled or copied; pickle its Pipeline and open another one")

    def __repr__(self) -> str:
        return f"SessionGroup({self._dead or counted(self.streams, 'stream')})"

    def _batch(self, frames: Array | Mapping[int, object]) -> tuple[Inputs, bytes]:
        self._check_alive()
        if isinstance(frames, Mapping):
            numbers = list(frames)
            for number in numbers:
                position = index_of(number)
                if position is None or not 0 <= position < len(self):
                    raise InputValueError(f"stream is {number!r}, expected 0 to {len(self) - 1}")
            items = list(frames.values())
            for item in items:
                if isinstance(item, np.ndarray):
                    self._fed = (cast("int", dtype_code(item.dtype)), item.ndim == 1)
            return Inputs(items), np.asarray(numbers, "<u4").tobytes()
        array = as_array(frames)
        self._fed = (cast("int", dtype_code(array.dtype)), array.ndim == 2)
        return Inputs((array,)), b""

    def _call(self, was: int, inputs: Inputs, streams: bytes) -> None:
        if inputs.count == 0:
            return
        try:
            if self._cuts != was and all(at > was for at in self._cut_at):
                return
            self._native.raw_push(inputs.for_call(), streams)
            if self._cuts != was:
                # What has gone into a stream after its interrupt is of before: it is taken out again.
                for stream in [stream for stream, at in enumerate(self._cut_at) if at > was]:
                    self._cut(stream)
        except NativeError as error:
            reraise(error)

    def _check_alive(self) -> None:
        if self._dead:
            raise ClosedError(self._dead, hint="open another one")

    def _guarded(self, call: Callable[[int], None], stream: int | None) -> None:
        self._check_alive()
        number = -1 if stream is None else whole_number("stream", stream, self.streams - 1, least=0)
        try:
            call(number)
        except NativeError as error:
            reraise(error)
