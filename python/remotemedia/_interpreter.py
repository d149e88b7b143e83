"""What the native library is told of this interpreter, and the exceptions that have ended its calls into it."""

from __future__ import annotations

import ctypes
from typing import Any

from remotemedia._native import remotemedia as _generated  # pyright: ignore[reportUnknownVariableType]

__all__ = ["FAILED", "PATH", "take_raised", "tell_nodes"]

FAILED = b"\x0a"
"""All of an answer of a plain call: there was a failure."""

PATH: str = _generated._UniffiLib._name
"""The native library."""

_NAMES = (
    "PyBytes_FromStringAndSize",
    "PyCapsule_New",
    "PyCapsule_GetPointer",
    "PyCapsule_GetContext",
    "PyCapsule_SetContext",
    "PyEval_SaveThread",
    "PyEval_RestoreThread",
    "PyGILState_Ensure",
    "PyGILState_Release",
    "PyObject_CallFunction",
    "PyLong_AsLongLong",
    "PyErr_CheckSignals",
    "PyErr_Fetch",
    "PyErr_Restore",
    "PyErr_NormalizeException",
    "PyException_SetTraceback",
    "PyErr_WriteUnraisable",
    "Py_DecRef",
    "Py_IncRef",
)
"""The functions of the C API that ``src/ffi/interpreter.rs`` uses, in its order."""

_library = ctypes.PyDLL(PATH)


def _for_ever(value: object) -> object:
    """Give an object away: native code holds it as long as the process lives."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
    return value


def _tell() -> None:
    addresses = [ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0 for name in _NAMES]
    tell: Any = _library.remotemedia_python
    tell.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.py_object, ctypes.py_object, ctypes.py_object]
    tell.restype = ctypes.c_int64
    objects = map(_for_ever, (_generated._uniffi_continuation_callback, None, FAILED))
    if tell((ctypes.c_size_t * len(addresses))(*addresses), len(addresses), *objects) != 0:
        raise ImportError(f"{PATH} is of another build than the Python files beside it")


_tell()
_take: Any = _library.remotemedia_take_raised
_take.restype = ctypes.py_object


def take_raised() -> BaseException | None:
    """Return what has ended the last native call of this thread, such as Ctrl-C in a node, once."""
    error: BaseException | None = _take()
    return error


def _raise_pending() -> None:
    error = take_raised()
    if error is not None:
        raise error


_generated._uniffi_raise_pending = _raise_pending


def tell_nodes(run: object, frame: object) -> None:
    """Say which functions work for a Python node of this process: on a request, and on a frame in memory of ours."""
    tell: Any = _library.remotemedia_python_nodes
    tell.argtypes = [ctypes.py_object, ctypes.py_object]
    tell.restype = None
    tell(_for_ever(run), _for_ever(frame))
