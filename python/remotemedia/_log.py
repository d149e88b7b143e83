"""The core's log records as records of Python's `logging`."""

from __future__ import annotations

import json
import logging
import os
import threading

from remotemedia._lib import NativeError, native, reraise
from remotemedia.errors import InputTypeError, InputValueError

__all__ = ["LEVELS", "level_name", "log_to_python", "stop"]

LEVELS = {"ERROR": logging.ERROR, "WARN": logging.WARNING, "INFO": logging.INFO, "DEBUG": logging.DEBUG, "TRACE": 5}
_WAIT_MS = 500
"""How long the thread stays in native code. Ending the bridge wakes it at once."""

_thread: threading.Thread | None = None
_directives = ""


def log_to_python(level: int | str | None = None) -> None:
    """Send the core's log records to the logger ``remotemedia`` from now on, instead of to stderr.

    A daemon thread fetches the records, so they come a little after the call that made them. At most 1024 wait;
    of further ones the number is logged. Call it again to change the level.

    What a worker process prints comes from ``remotemedia.worker``, and records of a logger there, such as ``my_app``,
    from ``remotemedia.worker.my_app``; the level of a worker is the one that applied when it was started.

    Parameters
    ----------
    level : int or str, optional
        The least level that the core records: a level of `logging`, its name, or directives such as
        ``"remotemedia=debug"``. Left out: what ``RUST_LOG`` says, else ``info``. The logger's own level applies too.

    Raises
    ------
    InputTypeError, InputValueError
        For a level that is none.
    UnsupportedError
        When the library was loaded into a program that has its own subscriber.

    Examples
    --------
    >>> import logging, remotemedia as rm
    >>> rm.log_to_python(logging.WARNING)
    """
    global _directives
    _directives = _words(level)
    try:
        native.raw_log_attach(_directives)
    except NativeError as error:
        reraise(error)
    _start()


def _words(level: object) -> str:
    """Return a level in the words of ``RUST_LOG``."""
    if level is None:
        return ""
    if isinstance(level, bool) or not isinstance(level, (int, str)):
        raise InputTypeError(f"level is {level!r}, expected a level of logging such as logging.DEBUG or its name")
    if isinstance(level, str):
        if not level:
            raise InputValueError("level is '', expected a level of logging such as 'debug'")
        return {"WARNING": "warn", "CRITICAL": "error"}.get(level.upper(), level.lower())
    return level_name(level).lower()


def level_name(level: int) -> str:
    """Return the core's name of a level of `logging`."""
    return next((name for name, least in LEVELS.items() if level >= least), "TRACE")


def _start() -> None:
    global _thread
    if _thread is None or not _thread.is_alive():
        _thread = threading.Thread(target=_forward, name="remotemedia-log", daemon=True)
        _thread.start()


def _forward() -> None:
    logger = logging.getLogger("remotemedia")
    while True:
        text: str | None = native.raw_log_next(_WAIT_MS)
        if text is None:
            return
        if text:
            record = json.loads(text)
            if record["dropped"]:
                logger.warning(
                    "%d log records were dropped: they came faster than they were fetched", record["dropped"]
                )
            name = record["target"].replace("::", ".")
            if record["logger"]:
                name = f"{name}.{record['logger']}"
            (logger if name == "remotemedia" else logging.getLogger(name)).log(LEVELS[record["level"]], record["text"])


def stop() -> None:
    """End the bridge, when what waits was handed over."""
    if _thread is not None:
        native.raw_log_detach()
        _thread.join(1.0)


def _after_fork() -> None:
    """Begin anew: the parent's thread is not in the child, and what waited was the parent's."""
    if _thread is not None:
        native.raw_log_detach()
        native.raw_log_attach(_directives)
        _start()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
