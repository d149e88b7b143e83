"""Video frames."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from remotemedia._arrays import as_array
from remotemedia._audio import whole_number
from remotemedia._formats import PIXEL_FORMATS, PixelFormat
from remotemedia._json import quoted
from remotemedia._words import counted
from remotemedia.errors import FormatError, InputTypeError

__all__ = ["VideoFrame"]

MAX_SIDE = 32_768
_CHANNELS: dict[int, PixelFormat] = {3: "rgb24", 4: "rgba"}
_PACKED: dict[str, int] = {"gray8": 1, "rgb24": 3, "rgba": 4}


class VideoFrame:
    """One picture of 8 bits a sample. The pixels are not copied.

    Parameters
    ----------
    data : array_like of uint8
        ``(height, width)`` is grey, ``(height, width, 3)`` RGB, ``(height, width, 4)`` RGBA.
        For ``"nv12"`` and ``"i420"`` the packed planes as ``(bytes,)``: luma, then colour at half size (rounded up).
    pixel_format : str, optional
        Seen from the shape when left out; needed for packed planes.
    width, height : int, optional
        Pixels, 1 to 32,768; needed for packed planes.

    Raises
    ------
    FormatError
        When dtype, shape, size and pixel format do not fit together.

    Examples
    --------
    >>> import numpy as np, remotemedia as rm
    >>> frame = rm.VideoFrame(np.zeros((216, 384, 3), np.uint8))
    >>> frame
    VideoFrame(384x216 rgb24)
    >>> rm.Pipeline([rm.nodes.VideoScale(width=192, height=108)]).run(frame)
    VideoFrame(192x108 rgb24)
    """

    __slots__ = ("__weakref__", "_data", "_height", "_pixel_format", "_width")

    _data: np.ndarray[Any, np.dtype[np.uint8]]
    _width: int
    _height: int
    _pixel_format: PixelFormat

    def __init__(
        self,
        data: object,
        pixel_format: PixelFormat | None = None,
        *,
        width: int | None = None,
        height: int | None = None,
    ) -> None:
        try:
            array = as_array(
                np.frombuffer(data, np.uint8) if isinstance(data, (bytes, bytearray, memoryview)) else data
            )
        except ValueError as error:  # Of a memoryview that was released.
            raise InputTypeError(f"{type(data).__name__}: {error}") from None
        if array.dtype != np.uint8:
            raise FormatError(f"video samples have dtype {array.dtype}, expected uint8")
        found = pixel_format if pixel_format is not None else _seen(array.shape)
        if not isinstance(cast("object", found), str) or found not in PIXEL_FORMATS:
            raise FormatError(f"pixel_format is {quoted(found)}, expected one of {', '.join(PIXEL_FORMATS)}")
        if array.ndim == 1:
            if width is None or height is None:
                raise FormatError(f"{found} from packed bytes needs width= and height=")
            self._width = whole_number("width", width, MAX_SIDE)
            self._height = whole_number("height", height, MAX_SIDE)
            array = self._planes(array, found)
        else:
            self._check_packed(array.shape, found, width, height)
            self._height, self._width = array.shape[:2]
            whole_number("height", self._height, MAX_SIDE)
            whole_number("width", self._width, MAX_SIDE)
        self._data = array
        self._pixel_format = found

    def _planes(self, array: np.ndarray[Any, Any], pixel_format: str) -> np.ndarray[Any, Any]:
        w, h = self._width, self._height
        samples = _PACKED.get(pixel_format)
        expected = w * h * samples if samples else w * h + 2 * ((w + 1) // 2) * ((h + 1) // 2)
        if array.size != expected:
            raise FormatError(f"{counted(array.size, 'byte')} of video, expected {expected} for {w}x{h} {pixel_format}")
        if samples is None:
            return array
        return array.reshape((h, w) if samples == 1 else (h, w, samples))

    @staticmethod
    def _check_packed(shape: tuple[int, ...], pixel_format: str, width: int | None, height: int | None) -> None:
        samples = _PACKED.get(pixel_format)
        if samples is None:
            raise FormatError(f"video of shape {shape}, expected (bytes,) for {pixel_format}")
        if (len(shape) == 2) != (samples == 1) or (len(shape) == 3 and shape[2] != samples):
            expected = "(height, width)" if samples == 1 else f"(height, width, {samples})"
            raise FormatError(f"video of shape {shape}, expected {expected} for {pixel_format}")
        if width not in (None, shape[1]) or height not in (None, shape[0]):
            raise FormatError(f"video of shape {shape} is {shape[1]}x{shape[0]}, not the {width}x{height} given")

    @property
    def data(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The pixels: ``(height, width)``, ``(height, width, samples)``, or ``(bytes,)`` for planes."""
        return self._data

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self._width

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self._height

    @property
    def pixel_format(self) -> PixelFormat:
        """How the pixels lie in memory."""
        return self._pixel_format

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, np.dtype[Any]]:
        if dtype is not None and np.dtype(dtype) != self._data.dtype:
            if copy is False:
                raise ValueError(f"pixels of uint8 become {np.dtype(dtype)} by a copy only")
            return self._data.astype(dtype)
        return self._data.copy() if copy else self._data

    def __eq__(self, other: object) -> bool:
        """Whether size, pixel format and every pixel are the same."""
        if not isinstance(other, VideoFrame):
            return NotImplemented
        mine = (self._width, self._height, self._pixel_format)
        theirs = (other._width, other._height, other._pixel_format)
        return mine == theirs and np.array_equal(self._data, other._data)

    def __repr__(self) -> str:
        return f"VideoFrame({self._width}x{self._height} {self._pixel_format})"

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return _rebuild, (self._data, self._pixel_format, self._width, self._height)


def _seen(shape: tuple[int, ...]) -> PixelFormat:
    if len(shape) == 2:
        return "gray8"
    if len(shape) == 3 and shape[2] in _CHANNELS:
        return _CHANNELS[shape[2]]
    if len(shape) == 1:
        raise FormatError("packed bytes of video need pixel_format=, width= and height=")
    raise FormatError(f"video of shape {shape}, expected (height, width), (height, width, 3) or (height, width, 4)")


def _rebuild(data: object, pixel_format: str, width: int, height: int) -> VideoFrame:
    return VideoFrame(data, cast("PixelFormat", pixel_format), width=width, height=height)
