"""The instances of Python nodes, one a stream, and the requests that are made of them."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib
import inspect
import sys
import threading
import traceback
import warnings
import weakref
from contextlib import aclosing, closing
from time import monotonic_ns, sleep
from typing import TYPE_CHECKING, Any, Protocol, cast

from remotemedia._arrays import address
from remotemedia._audio import Audio, audio_of
from remotemedia._json import whole_text
from remotemedia._lib import NativeError, native, translate
from remotemedia.errors import FullError, RemoteMediaError, RemoteMediaWarning
from remotemedia.worker import _wire
from remotemedia.worker._frames import INPUT, OUTPUT, Frames, forget
from remotemedia.worker._script import script
from remotemedia.worker._wire import (
    COPIED_BYTES,
    NO_TIMES,
    Lent,
    Result,
    audio_reply,
    data_of,
    form_of,
    head_bytes,
    pack_times,
    result_of,
    stream_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from remotemedia._arrays import Array
    from remotemedia.worker._lent import Lender
    from remotemedia.worker._wire import Form

__all__ = ["Instances", "Requests", "registered"]

_ROOM_S = 0.005
"""How long a generator of this process waits for room before it looks again."""

registered: dict[str, type] = {}
"""The classes that this process has decorated: they need no import."""


_next: Any = ctypes.CDLL(native._UniffiLib._name).remotemedia_node_next
_next.argtypes = [ctypes.c_uint64, ctypes.c_void_p]
_next.restype = ctypes.c_int64


class Requests:
    """Requests as they come, on one thread that waits for them in native code.

    ``handle`` is what the native call takes, 0 for the nodes of this process.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.found = (ctypes.c_uint64 * 4)()
        """Address and length of the head, address of the payload, whether another thread is wanted."""
        self._place = ctypes.addressof(self.found)

    def next(self) -> bool:
        """Wait for a request; whether there is one."""
        return bool(_next(self._handle, self._place) == 1)


def _reply_call(load: type[ctypes.CDLL], payload: Any) -> Any:
    call: Any = load(native._UniffiLib._name).remotemedia_node_reply
    call.argtypes = [ctypes.c_uint64, ctypes.c_char_p, ctypes.c_uint64, payload, ctypes.c_uint64]
    call.restype = ctypes.c_int64
    return call


# A reply in this process is a copy and never waits; one to another process may wait for room. Each with the payload by
# its address, and as bytes.
_here, _here_bytes = _reply_call(ctypes.PyDLL, ctypes.c_uint64), _reply_call(ctypes.PyDLL, ctypes.c_char_p)
_there, _there_bytes = _reply_call(ctypes.CDLL, ctypes.c_uint64), _reply_call(ctypes.CDLL, ctypes.c_char_p)


class Keeper(Protocol):
    """Who lends the memory of requests, and can lend it for longer."""

    def keep(self) -> int: ...
    def release(self, number: int) -> None: ...


class EscapedError(Exception):
    """Views of earlier inputs hold back as much memory as there is."""


class _Loop:
    """The event loop of nodes that are asynchronous, on a thread of its own, started when first used."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def run(self, work: Awaitable[Any]) -> Any:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="remotemedia-loop", daemon=True).start()
        value, error = asyncio.run_coroutine_threadsafe(_caught(work), self._loop).result()
        if error is not None:
            raise error
        return value


async def _caught(work: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    """Return what comes of it, or what it raises: SystemExit would end the loop for all."""
    try:
        return await work, None
    except BaseException as error:
        return None, error


_loop = _Loop()


def after_fork() -> None:
    """Forget the loop of the parent: its thread is not in the child."""
    global _loop
    _loop = _Loop()


class _Instance:
    """An instance of a node."""

    def __init__(self, class_: type, params: Mapping[str, Any], own: bool) -> None:
        self._class, self._params, self.own = class_, dict(params), own
        self._changed: dict[str, Any] = {}
        self._make()

    def _make(self) -> None:
        self.node: Any = self._class(**self._params)
        setup = getattr(self.node, "setup", None)
        if setup is not None:
            _finished(setup())
        for name, value in self._changed.items():
            _finished(self.node.set_param(name, value))
        self.process: Callable[[object], Any] = self.node.process

    def reset(self) -> None:
        """Forget the stream: by its own ``reset``, else by another instance."""
        reset = getattr(self.node, "reset", None)
        if reset is not None:
            _finished(reset())
            return
        self.close()
        self._make()

    def set_param(self, name: str, value: Any) -> None:
        """Change a parameter; the next object has it too."""
        _finished(self.node.set_param(name, value))
        self._changed[name] = value

    def close(self) -> None:
        close = getattr(self.node, "close", None)
        if close is not None:
            _finished(close())


def _is_streamed(value: object) -> bool:
    """Whether a node's result is still to be made: a generator or a coroutine."""
    return inspect.isgenerator(value) or inspect.isawaitable(value) or hasattr(value, "__anext__")


def _finished(value: Any) -> Any:
    return _loop.run(value) if inspect.iscoroutine(value) else value


class Instances:
    """Instances by stream; requests in, replies out through one native channel.

    Parameters
    ----------
    handle : int
        What the native calls take; 0 for the nodes of this process.
    class_ : mapping, optional
        The one class of a worker.
    keeper : Keeper, optional
        Who lends the memory of requests; without one it is nobody's when a call returns.
    own : bool
        Whether a worker's node gets copies.
    most_kept : int
        How many requests may be kept by views before the node fails.
    lender : Lender, optional
        Who lends memory for results: what was written there is sent without a copy.
    """

    def __init__(
        self,
        handle: int,
        class_: Mapping[str, Any] | None,
        keeper: Keeper | None,
        own: bool,
        most_kept: int,
        lender: Lender | None = None,
    ) -> None:
        self._handle, self._class, self._keeper = handle, class_, keeper
        self._own, self._most_kept = own, most_kept
        self._kept = 0
        self._lent: weakref.ref[Any] | None = None
        self._has_warned = False
        self._lender = lender
        self._send, self._send_bytes = (_here, _here_bytes) if keeper is None else (_there, _there_bytes)
        self._instances: dict[int, _Instance] = {}
        self._frames: dict[int, Frames] = {}
        self._seen: dict[int, Form] = {}
        self.stopped = False

    def answer(self, head_address: int, head_len: int, payload: int) -> None:
        """Answer a request, whatever happens."""
        taken_ns = monotonic_ns() if self._handle else 0
        head = ctypes.string_at(head_address, head_len)
        try:
            form = form_of(head)
            if form.kind == _wire.CONTROL:
                self._control(head, data_of(form, payload, False, False)[0], taken_ns)
            else:
                self._process(head, form, payload, taken_ns)
        except BaseException as error:
            self._fail(head, error, taken_ns)
            if self._handle == 0 and _is_for_the_caller(error):
                raise
        # Only now is nobody left who looks at the input for us: not even the traceback of an error.
        if self._lent is not None:
            lent, self._lent = self._lent, None
            self._guard(lent)

    def answer_frame(self, stream: int) -> int:
        """Answer a request whose payload native code has put into the memory for such frames; say where the result is.

        The usual case, a frame of audio in and one like it out, takes no message and no new memory.
        """
        frames, place = self._frames[stream], 0
        data: Any = audio_of(frames.given(), frames.rate)
        value: Any = None
        try:
            value = self._instances[stream].process(data)
            if value is data:
                place = INPUT
            elif type(value) is Audio and frames.takes(value):
                place = OUTPUT
            elif _is_streamed(value):
                self._stream_out(frames.head, value, 0)
            else:
                self._reply(frames.head, self._result(value), _wire.LAST, 0)
        except BaseException as error:
            self._fail(frames.head, error, 0)
            if _is_for_the_caller(error):
                raise
        finally:
            data = value = None
            if frames.is_looked_at():
                # The node has kept it: it is the node's now.
                if place == INPUT:
                    frames.output[...] = frames.input
                    place = OUTPUT
                frames.renew(stream)
        return place

    def _process(self, head: bytes, form: Form, payload: int, taken_ns: int) -> None:
        instance = self._instances[stream_of(head)]
        if self._kept >= self._most_kept:
            gc.collect()
            if self._kept >= self._most_kept:
                raise EscapedError(f"views of {self._kept} earlier inputs are still held, expected none")
        if self._handle == 0 and not instance.own:
            self._expect(stream_of(head), head, form)
        data, self._lent = data_of(form, payload, self._keeper is not None, instance.own)
        value = instance.process(data)
        if type(value) is Audio and value._samples.nbytes <= COPIED_BYTES:
            times = pack_times(taken_ns, monotonic_ns()) if self._handle else NO_TIMES
            text, payload_bytes = audio_reply(head, value, times)
            if self._send_bytes(self._handle, text, len(text), payload_bytes, len(payload_bytes)) != 0:
                raise _refused()
        elif _is_streamed(value):
            self._stream_out(head, value, taken_ns)
        else:
            result = self._result(value)
            value = None
            self._reply(head, result, _wire.LAST, taken_ns)

    def _expect(self, stream: int, head: bytes, form: Form) -> None:
        """Make memory ready for more frames like this one, when it is the second in a row."""
        if self._seen.get(stream) is not form:
            self._seen[stream] = form
        elif Frames.suits(form):
            # Native code knows of none for such frames, or it would be there: the one that there was is left to whoever
            # has kept it.
            forget(stream)
            frames = self._frames[stream] = Frames(head, form)
            frames.renew(stream)

    def _stream_out(self, head: bytes | bytearray, value: Any, taken_ns: int) -> None:
        """Send what a generator or a coroutine gives, as it comes."""
        if inspect.isgenerator(value):
            with closing(value):
                for one in value:
                    while not self._one(head, one, taken_ns):
                        sleep(_ROOM_S)
        elif hasattr(value, "__anext__"):
            _loop.run(self._async_out(head, value, taken_ns))
        else:
            self._reply(head, self._result(_loop.run(value)), _wire.LAST, taken_ns)
            return
        self._reply(head, _wire.NOTHING, _wire.LAST, taken_ns)

    async def _async_out(self, head: bytes | bytearray, values: Any, taken_ns: int) -> None:
        async with aclosing(values):
            async for one in values:
                while not self._one(head, one, taken_ns):
                    await asyncio.sleep(_ROOM_S)

    def _one(self, head: bytes | bytearray, value: object, taken_ns: int) -> bool:
        """Send one of several results; say whether there was room for it. A worker waits in native code."""
        try:
            if value is not None:
                self._reply(head, result_of(value), 0, taken_ns)
        except FullError:
            return False
        return True

    def _result(self, value: object) -> Result:
        """Return what is to be sent. Memory that was lent is not held by it: who lets go of the value saves a copy."""
        if value is None:
            return _wire.NOTHING
        result = result_of(value)
        lent = None if self._lender is None else self._lender.claim(cast("Array", result.memory))
        return result if lent is None else result._replace(memory=lent)

    def _reply(self, head: bytes | bytearray, result: Result, flags: int, taken_ns: int) -> None:
        text = head_bytes(head, result, flags, pack_times(taken_ns, monotonic_ns()))
        memory = result.memory
        owner = None
        if isinstance(memory, Lent):
            owner = cast("Lender", self._lender).send(memory, text)
            if owner is None:
                return
            place = memory.place
        else:
            place = address(memory)
        if self._send(self._handle, text, len(text), place, memory.nbytes) != 0:
            raise _refused()

    def _guard(self, lent: weakref.ref[Any]) -> None:
        """Keep memory that somebody still looks at, so that it is not written to under them."""
        if lent() is None or self._keeper is None:
            return
        gc.collect()
        owner = lent()
        if owner is None:
            return
        self._kept += 1
        weakref.finalize(owner, self._release, self._keeper.keep())
        if not self._has_warned:
            self._has_warned = True
            text = "process() keeps a view of its input; keep a copy: x.copy()"
            warnings.warn(text, RemoteMediaWarning, stacklevel=2)

    def _release(self, number: int) -> None:
        self._kept -= 1
        if self._keeper is not None:
            self._keeper.release(number)

    def _control(self, head: bytes, question: dict[str, Any], taken_ns: int) -> None:
        op = question["op"]
        if op == "open":
            class_ = find_class(question.get("class") or self._class)
            own = self._own or bool(question.get("copy_inputs"))
            self._instances[stream_of(head)] = _Instance(class_, question["params"], own)
        elif op == "flush":
            flush = getattr(self._instances[stream_of(head)].node, "flush", None)
            value = None if flush is None else flush()
            if _is_streamed(value):
                self._stream_out(head, value, taken_ns)
                return
            result = self._result(value)
            value = None
            self._reply(head, result, _wire.LAST, taken_ns)
            return
        elif op == "reset":
            self._instances[stream_of(head)].reset()
        elif op == "set_param":
            self._instances[stream_of(head)].set_param(question["name"], question["value"])
        elif op == "close":
            stream = stream_of(head)
            instance = self._instances.pop(stream, None)
            self._seen.pop(stream, None)
            if stream in self._frames:
                forget(stream)
                del self._frames[stream]
            if instance is not None:
                instance.close()
        elif op == "stop":
            self.stopped = True
            self.close()
        self._reply(head, _wire.NOTHING, _wire.LAST, taken_ns)

    def close(self) -> None:
        """Close every instance."""
        while self._instances:
            _, instance = self._instances.popitem()
            instance.close()

    def forget(self) -> None:
        """Forget every instance: they are of the parent process."""
        self._instances, self._frames, self._seen = {}, {}, {}

    def hello(self, value: object) -> None:
        """Say who we are."""
        self._reply(bytes(64), _wire.control(value), _wire.LAST, monotonic_ns())

    def _fail(self, head: bytes | bytearray, error: BaseException, taken_ns: int) -> None:
        kind = "Escaped" if isinstance(error, EscapedError) else "Node"
        value = {"kind": kind, "reason": _line(error), "traceback": _traceback(error), "hint": _hint(error)}
        value = {key: whole_text(text) for key, text in value.items()}
        self._reply(head, _wire.control(value), _wire.LAST | _wire.ERROR, taken_ns)


def _is_for_the_caller(error: BaseException) -> bool:
    """Whether it is no failure of the node, but what a signal's handler has raised, such as Ctrl-C."""
    return not isinstance(error, (Exception, GeneratorExit, asyncio.CancelledError))


def _refused() -> Exception:
    """Return why the native side has refused the last reply of this thread."""
    try:
        native.raw_failure()
    except NativeError as error:
        return translate(error)
    return RuntimeError("the native side has refused a reply")


def _line(error: BaseException) -> str:
    if isinstance(error, RemoteMediaError):
        # With a node, it is the error of a pipeline that this node runs, whose nodes have names of their own.
        return str(error) if error.node is None else f"in a pipeline of its own: {error}"
    return "".join(traceback.format_exception_only(type(error), error)).strip()


def _hint(error: BaseException) -> str:
    return "return a copy, or keep one: x.copy()" if isinstance(error, EscapedError) else ""


def _traceback(error: BaseException) -> str:
    """Return the traceback without the frames of this package."""
    if isinstance(error, (RemoteMediaError, EscapedError)):
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/remotemedia/worker/" not in frame.filename.replace("\\", "/")]
    lines = traceback.format_list(own)
    return "Traceback (most recent call last):\n" + "".join(lines) if lines else ""


def find_class(place: Mapping[str, Any] | None) -> type:
    """Return a class by its place: ``module``, ``name``, and the ``file`` of a script."""
    if place is None:
        raise RuntimeError("the request names no class")
    module, name = str(place["module"]), str(place["name"])
    known = registered.get(str(place.get("key")))
    if known is not None:
        return known
    found: Any
    if place.get("file"):
        found = script(str(place["file"]))
    else:
        found = sys.modules.get(module) or importlib.import_module(module)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ImportError(f"there is no `{part}` in {module}, expected the class `{name}`") from None
    if not isinstance(found, type) or not callable(getattr(cast("Any", found), "process", None)):
        raise TypeError(f"`{module}:{name}` is not a node, expected a class with a method process(self, data)")
    return found
