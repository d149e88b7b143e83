"""Paths as they are given, and pipes, which are waited for here: Ctrl-C ends the wait."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

from remotemedia._json import quoted
from remotemedia.errors import InputTypeError, InputValueError, IoError, io_kind

if TYPE_CHECKING:
    Path = str | os.PathLike[str]

__all__ = ["failed", "file_name", "is_pipe", "opened", "python_name", "read_whole"]


def python_name(path: object) -> str:
    """Return a path as a str, which may name files that are not Unicode, as Python's own `open` takes it."""
    try:
        name: Any = os.fspath(path)  # type: ignore[call-overload]
    except TypeError:
        raise InputTypeError(f"the path is of type {type(path).__name__}, expected str or a path object") from None
    if not isinstance(name, str):
        raise InputTypeError(f"the path is of type {type(name).__name__}, expected str")
    return name


def file_name(path: object) -> str:
    """Return a path as native code takes it: text of Unicode."""
    name = python_name(path)
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InputValueError(
            f"the path {quoted(name)} has a lone surrogate at character {error.start}, expected a name in Unicode; "
            "rename the file"
        ) from None
    return name


def is_pipe(name: str) -> bool:
    """Whether this is a named pipe, whose other end may not be there yet."""
    try:
        return stat.S_ISFIFO(os.stat(name).st_mode)
    except (OSError, ValueError):
        return False


def opened(name: str) -> int:
    """Open a pipe for reading, when somebody writes to it, and return the descriptor."""
    try:
        return os.open(name, os.O_RDONLY)
    except OSError as error:
        raise failed(name, error) from None


def read_whole(name: str) -> bytes:
    """Return what comes out of a pipe until its other end is closed."""
    try:
        with open(name, "rb") as file:
            return file.read()
    except OSError as error:
        raise failed(name, error) from None


def failed(name: str, error: OSError) -> IoError:
    """Return the error of ours for one of Python's about a file."""
    return io_kind(error.errno)(f"{name}: {error.strerror or error}", path=name, number=error.errno)
