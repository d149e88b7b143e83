"""numpy arrays over native memory and back: element types, addresses, views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from remotemedia._json import quoted
from remotemedia._owner import own
from remotemedia._words import counted
from remotemedia.errors import FormatError, InputTypeError

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, np.dtype[Any]]

__all__ = [
    "AUDIO_TYPES",
    "DTYPES",
    "Exporter",
    "address",
    "as_array",
    "check_audio",
    "copied",
    "dense",
    "dtype_code",
    "element_type",
    "is_array_like",
    "memory",
    "to_float32",
    "view",
]

_TYPES = [
    np.bool_,
    np.int8,
    np.int16,
    np.int32,
    np.int64,
    np.uint8,
    np.uint16,
    np.uint32,
    np.uint64,
    np.float16,
    np.float32,
    np.float64,
    np.complex64,
    np.complex128,
]
_SWAPPED = 100
DTYPES: dict[int, np.dtype[Any]] = {}
for _number, _type in enumerate(_TYPES):
    DTYPES[_number] = np.dtype(_type)
    DTYPES[_number + _SWAPPED] = np.dtype(_type).newbyteorder("S")
# By `dtype.str`, such as "<f4": the aliases of one type (`long`, `longlong`) have the same one.
_CODES = {dtype.str: code for code, dtype in reversed(DTYPES.items())}
_CODES_BY_DTYPE: dict[np.dtype[Any], int] = {dtype: code for code, dtype in reversed(DTYPES.items())}
_TYPESTR = {code: dtype.str for code, dtype in DTYPES.items()}

AUDIO_TYPES = "float16, float32, float64, int16, int32 or uint8"
"""The element types that can be audio, in words."""
_AUDIO = frozenset({"f2", "f4", "f8", "i2", "i4", "u1"})


def element_type(dtype: object, expected: str) -> np.dtype[Any]:
    """Return what numpy makes of a dtype, or raise the error that says what was expected."""
    try:
        found: np.dtype[Any] = np.dtype(cast("Any", dtype))
    except (TypeError, ValueError, UnicodeError, SyntaxError):
        raise InputTypeError(f"dtype is {quoted(dtype)}, expected {expected}") from None
    return found


def dtype_code(dtype: np.dtype[Any]) -> int | None:
    """Return the native number of an element type; None when there is none."""
    code = _CODES_BY_DTYPE.get(dtype)
    return _CODES.get(dtype.str) if code is None else code


def is_array_like(value: object) -> bool:
    """Whether numpy can see the value's memory without asking what it means."""
    if hasattr(value, "__array_interface__") or hasattr(value, "__dlpack__"):
        return True
    if value is None or isinstance(value, (str, int, float, list, tuple, dict)):
        return False
    try:
        memoryview(cast("Any", value)).release()
    except (TypeError, BufferError):
        return False
    return True


def as_array(value: object) -> Array:
    """Return an array over the value's own memory where that is possible.

    Takes arrays, what has ``__array_interface__`` or ``__dlpack__`` (torch, jax), buffers and nested lists.

    Raises
    ------
    InputTypeError
        When numpy finds no array in it, or a masked one.
    """
    if type(value) is np.ndarray:
        return cast("Array", value)
    if isinstance(value, np.ndarray):
        if isinstance(value, np.ma.MaskedArray):
            raise InputTypeError("a masked array would lose its mask; pass x.filled(...) instead")
        # The method of a subclass could return anything.
        return np.ndarray.view(value, np.ndarray)
    try:
        if not hasattr(value, "__array_interface__") and hasattr(value, "__dlpack__"):
            return as_array(np.from_dlpack(cast("Any", value)))
        return np.asarray(value)
    except Exception as error:
        kind = type(value).__name__
        raise InputTypeError(
            f"numpy cannot read this {kind}: {error}; pass a numpy array (for a tensor: x.detach().cpu().numpy())"
        ) from None


def dense(array: Array) -> Array:
    """Return the array itself if it is C-contiguous and aligned, else a copy that is."""
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else array.copy(order="C")


def address(array: Array) -> int:
    """Return where the first element lies; 0 for an empty array."""
    return int(array.__array_interface__["data"][0]) if array.size else 0


def check_audio(array: Array, channels: int | None = None) -> None:
    """Check element type and shape of samples: ``(n,)`` or ``(frames, channels)``.

    Raises
    ------
    FormatError
        For another element type, more dimensions, or channels that come first.
    """
    if array.dtype.str[1:] not in _AUDIO:
        raise FormatError(
            f"audio samples have dtype {array.dtype}, expected {AUDIO_TYPES}; use x.astype('float32')", code="RM0204"
        )
    if array.ndim not in (1, 2):
        raise FormatError(
            f"audio samples have shape {array.shape}, expected (frames,) or (frames, channels)", code="RM0206"
        )
    if array.ndim == 1:
        return
    first, second = array.shape
    if first <= 8 < second and second != channels:
        raise FormatError(f"audio samples have shape {array.shape}: channels first, pass x.T", code="RM0205")
    if second == 0 or (channels is not None and second != channels):
        expected = "at least 1" if channels is None else channels
        raise FormatError(
            f"audio samples have shape {array.shape}: {counted(second, 'channel')}, expected {expected}",
            code="RM0206",
        )


def to_float32(array: Array) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return audio samples as native float32: floats as they are, integers scaled to -1 to 1."""
    kind = array.dtype.str[1:]
    if kind == "u1":
        return ((array.astype(np.float32) - 128) / 128).astype(np.float32, copy=False)
    if kind == "i2":
        return (array.astype(np.float32) / 2**15).astype(np.float32, copy=False)
    if kind == "i4":
        return (array / 2**31).astype(np.float32)
    return array.astype(np.float32, copy=False)


class Exporter:
    """Shows native memory to numpy. It lives as long as any view of it, and keeps the memory's owner alive."""

    __slots__ = ("__array_interface__", "__weakref__", "_owner")

    def __init__(
        self, address: int, typestr: str, shape: tuple[int, ...], owner: object, read_only: bool = False
    ) -> None:
        self._owner = owner
        self.__array_interface__ = {
            "version": 3,
            "shape": shape,
            "typestr": typestr,
            "data": (address, read_only),
            "strides": None,
        }


def copied(data: bytes, start: int, code: int, shape: tuple[int, ...]) -> Array:
    """Return a writable array with a copy of the bytes from ``start`` on."""
    return cast("Array", np.ndarray(shape, DTYPES[code], data, start).copy())


def view(place: Callable[[int], int], code: int, shape: tuple[int, ...]) -> Array:
    """Return a writable array over native memory, which lives as long as the array or any view of it.

    ``place`` gives the memory to the owner of a number, and returns its address.
    """
    if 0 in shape:
        return np.empty(shape, DTYPES[code])
    owner = own()
    return memory(place(owner.number), _TYPESTR[code], shape, owner.capsule)


def memory(address: int, typestr: str, shape: tuple[int, ...], owner: object) -> Array:
    """Return a writable array over memory at an address, which ``owner`` keeps alive."""
    return np.asarray(Exporter(address, typestr, shape, owner))
