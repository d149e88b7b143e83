"""Every error and warning of the package.

One class per kind of failure under one root::

    RemoteMediaError
    |-- ManifestError        also ValueError      the manifest cannot be read or says something impossible
    |-- FormatError          also ValueError      a stream's format is not what a node takes, or is unknown
    |-- InputTypeError       also TypeError       an input item is of a kind that cannot be used
    |-- InputValueError      also ValueError      an input item has a wrong length, range or shape
    |-- NodeError            also RuntimeError    a node failed while it worked
    |-- WorkerStartError                          a worker process did not start
    |-- WorkerCrashedError                        a worker process died
    |-- TimeoutError         also TimeoutError    the time allowed has passed
    |-- ClosedError                               the object was shut down or cancelled
    |-- BusyError                                 the object is in use by another thread
    |-- FullError                                 a bounded queue is full
    |-- IoError              also OSError         reading or writing a file failed; also `FileNotFoundError`,
    |                                             `PermissionError` and the like, with `errno` and `filename`
    |-- UnsupportedError                          this object, build or platform cannot do it
    `-- InternalError                             a fault of RemoteMedia: please report it

Kinds and codes are stable, wording is not.
"""

from __future__ import annotations

import builtins
import errno
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

__all__ = [
    "AssumedFormatWarning",
    "BusyError",
    "ClosedError",
    "FormatError",
    "FullError",
    "InputTypeError",
    "InputValueError",
    "InternalError",
    "IoError",
    "ManifestError",
    "ManifestWarning",
    "NodeError",
    "Problem",
    "RemoteMediaError",
    "RemoteMediaWarning",
    "TimeoutError",
    "UnhandledKindWarning",
    "UnsupportedError",
    "WorkerCrashedError",
    "WorkerStartError",
]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a manifest.

    Attributes
    ----------
    code : str
        Stable code, such as ``"RM0103"``.
    severity : str
        ``"error"``, or ``"warning"`` for what has no effect.
    path : str
        JSON pointer to the place, such as ``"/nodes/0/node_type"``; empty for the whole document.
    reason : str
        All of it in one line: code, what is wrong, where, and the fix last.
    found, expected, nearest, fix, node : str or None
        The value found, what was expected, the nearest known name, what to do, the node's id.
    line, column, end_column : int or None
        The place in the manifest's text, counted from 1, and the column behind it; None for a manifest that was given
        as a dict or a list of nodes.
    excerpt : str or None
        The line of the text with a mark under the place, as a compiler shows it.
    """

    code: str
    severity: str
    path: str
    reason: str
    found: str | None = None
    expected: str | None = None
    nearest: str | None = None
    fix: str | None = None
    node: str | None = None
    line: int | None = None
    column: int | None = None
    end_column: int | None = None
    excerpt: str | None = None

    def __str__(self) -> str:
        return self.reason

    def to_dict(self) -> dict[str, str | int | None]:
        """Return all fields as a dict that `json.dumps` takes."""
        return asdict(self)


class RemoteMediaError(Exception):
    """Any failure of the package; catch this to catch all of them.

    Parameters
    ----------
    reason : str
        One clear line with the fix last; a `ManifestError` adds a line per problem, and the line of the manifest with a
        mark under the place when it was given as text or file.
    code : str, optional
        Stable code; the kind's own when left out.
    node, path, hint : str, optional
        The node's id; a JSON pointer into the manifest, or a file; what to do about it.
    item_index : int, optional
        The input item concerned, counted from 0.
    problems : iterable of Problem, optional
        Every problem of the manifest.

    Examples
    --------
    >>> import remotemedia as rm
    >>> try:
    ...     rm.Pipeline({"version": "v1", "nodes": [{"id": "a", "node_type": "AudioResampel"}]})
    ... except rm.RemoteMediaError as error:
    ...     print(error.kind, error.node, error.path, error.problems[0].nearest)
    Manifest a /nodes/0/node_type AudioResample
    """

    kind: ClassVar[str] = "Internal"
    _default_code: ClassVar[str] = "RM0900"

    code: str
    node: str | None
    path: str | None
    hint: str | None
    item_index: int | None
    problems: tuple[Problem, ...]

    def __init__(
        self,
        reason: str,
        *,
        code: str | None = None,
        node: str | None = None,
        path: str | None = None,
        hint: str | None = None,
        item_index: int | None = None,
        problems: Iterable[Problem] = (),
    ) -> None:
        super().__init__(reason)
        self.code = self._default_code if code is None else code
        self.node = node
        self.path = path
        self.hint = hint
        self.item_index = item_index
        self.problems = tuple(problems)

    def _of_item(self, reason: str, item_index: int) -> RemoteMediaError:
        """Return the same error in other words, of this item."""
        return type(self)(
            reason,
            code=self.code,
            node=self.node,
            path=self.path,
            hint=self.hint,
            item_index=item_index,
            problems=self.problems,
        )

    def to_dict(self) -> dict[str, object]:
        """Return kind, code, text and place as a dict that `json.dumps` takes."""
        return {
            "kind": self.kind,
            "code": self.code,
            "reason": str(self),
            "node": self.node,
            "path": self.path,
            "hint": self.hint,
            "item_index": self.item_index,
            "problems": [problem.to_dict() for problem in self.problems],
        }


class ManifestError(RemoteMediaError, ValueError):
    """The manifest cannot be read or says something impossible; `problems` lists all of it."""

    kind = "Manifest"
    _default_code = "RM0100"


class FormatError(RemoteMediaError, ValueError):
    """A stream's format is not what a node takes, or it is not known."""

    kind = "Format"
    _default_code = "RM0200"


class InputTypeError(RemoteMediaError, TypeError):
    """An input item is of a kind that cannot be used here; `item_index` says which."""

    kind = "InputType"
    _default_code = "RM0300"


class InputValueError(RemoteMediaError, ValueError):
    """An input item has a wrong length, range or shape; `item_index` says which."""

    kind = "InputValue"
    _default_code = "RM0310"


class NodeError(RemoteMediaError, RuntimeError):
    """A node failed while it worked; `node` says which."""

    kind = "Node"
    _default_code = "RM0400"


class WorkerStartError(RemoteMediaError):
    """A worker process did not start."""

    kind = "WorkerStart"
    _default_code = "RM0500"


class WorkerCrashedError(RemoteMediaError):
    """A worker process died."""

    kind = "WorkerCrashed"
    _default_code = "RM0510"


if sys.version_info >= (3, 11):

    class TimeoutError(RemoteMediaError, builtins.TimeoutError):
        """The time allowed has passed; also the builtin `TimeoutError`, and asyncio's."""

        kind = "Timeout"
        _default_code = "RM0600"

else:  # asyncio's is a class of its own.
    import asyncio

    class TimeoutError(RemoteMediaError, builtins.TimeoutError, asyncio.TimeoutError):
        """The time allowed has passed; also the builtin `TimeoutError`, and asyncio's."""

        kind = "Timeout"
        _default_code = "RM0600"


class ClosedError(RemoteMediaError):
    """The object was shut down or cancelled."""

    kind = "Closed"
    _default_code = "RM0610"


class BusyError(RemoteMediaError):
    """The object is in use by another thread."""

    kind = "Busy"
    _default_code = "RM0620"


class FullError(RemoteMediaError):
    """A bounded queue is full."""

    kind = "Full"
    _default_code = "RM0630"


class IoError(RemoteMediaError, OSError):
    """Reading or writing a file failed; `path` says which, as does `filename`.

    Where the system has refused it, `errno` is its number, and the error is also of the builtin class for it, such as
    `FileNotFoundError`.
    """

    kind = "Io"
    _default_code = "RM0700"

    def __init__(self, reason: str, *, path: str | None = None, number: int | None = None, **more: Any) -> None:
        super().__init__(reason, path=path, **more)
        self.filename = path
        if number is not None:
            self.errno = number
            self.strerror = os.strerror(number)

    def __str__(self) -> str:
        # That of `OSError` would leave out what there is to do.
        return str(self.args[0])

    def __reduce__(self) -> tuple[object, ...]:
        # That of `OSError` leaves these out unless they are its arguments.
        of_system = {"errno": self.errno, "strerror": self.strerror, "filename": self.filename}
        return type(self), self.args, {**self.__dict__, **of_system}

    def _of_item(self, reason: str, item_index: int) -> RemoteMediaError:
        copy = super()._of_item(reason, item_index)
        assert isinstance(copy, IoError)
        copy.errno, copy.strerror, copy.filename = self.errno, self.strerror, self.filename
        return copy


class FileNotFoundError(IoError, builtins.FileNotFoundError):
    """Also the builtin `FileNotFoundError`."""


class FileExistsError(IoError, builtins.FileExistsError):
    """Also the builtin `FileExistsError`."""


class PermissionError(IoError, builtins.PermissionError):
    """Also the builtin `PermissionError`."""


class IsADirectoryError(IoError, builtins.IsADirectoryError):
    """Also the builtin `IsADirectoryError`."""


class NotADirectoryError(IoError, builtins.NotADirectoryError):
    """Also the builtin `NotADirectoryError`."""


_OF_SYSTEM: dict[int, type[IoError]] = {
    errno.ENOENT: FileNotFoundError,
    errno.EEXIST: FileExistsError,
    errno.EACCES: PermissionError,
    errno.EPERM: PermissionError,
    errno.EISDIR: IsADirectoryError,
    errno.ENOTDIR: NotADirectoryError,
}


def io_kind(number: int | None) -> type[IoError]:
    """Return the class of a failure that has this number in the system."""
    return IoError if number is None else _OF_SYSTEM.get(number, IoError)


class UnsupportedError(RemoteMediaError):
    """This object, build or platform cannot do it."""

    kind = "Unsupported"
    _default_code = "RM0800"


class InternalError(RemoteMediaError):
    """A fault of RemoteMedia itself: please report it."""

    kind = "Internal"
    _default_code = "RM0900"


class RemoteMediaWarning(UserWarning):
    """Any warning of the package."""


class AssumedFormatWarning(RemoteMediaWarning):
    """A bare array reached a node that needs a sample rate: 48 kHz was assumed."""


class UnhandledKindWarning(RemoteMediaWarning):
    """An item of a kind that a node does not take passed that node unchanged."""


class ManifestWarning(RemoteMediaWarning):
    """Something in a manifest has no effect, such as an unknown key."""
