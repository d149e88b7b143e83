"""Work beside an event loop, on threads that nobody waits for at the end: no node keeps a process from ending."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["beside"]

_Result = TypeVar("_Result")
_Work = tuple["asyncio.AbstractEventLoop", "asyncio.Future[Any]", "Callable[[], Any]"]
_MOST_IDLE = 8

_idle: list[SimpleQueue[_Work]] = []


async def beside(call: Callable[..., _Result], *arguments: object) -> _Result:
    """Await what a call returns, on a thread of its own. Cancelled, it returns at once; the call goes on for nobody."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Result] = loop.create_future()
    context = contextvars.copy_context()
    try:
        work = _idle.pop()
    except IndexError:
        work = SimpleQueue()
        threading.Thread(target=_serve, args=(work,), name="remotemedia-beside", daemon=True).start()
    work.put((loop, future, lambda: context.run(call, *arguments)))
    return await future


def _serve(work: SimpleQueue[_Work]) -> None:
    while True:
        loop, future, call = work.get()
        result, error = None, None
        try:
            result = call()
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # The loop has ended.
            loop.call_soon_threadsafe(_tell, future, result, error)
        loop = future = call = result = error = None  # type: ignore[assignment]
        if len(_idle) >= _MOST_IDLE:
            return
        _idle.append(work)


def _tell(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        # A future holds no StopIteration.
        future.set_exception(RuntimeError("the call raised StopIteration") if type(error) is StopIteration else error)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)
