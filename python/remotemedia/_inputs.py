"""Python values into the records of a native run."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from remotemedia import _json, _pins, _wire
from remotemedia._arrays import address, as_array, check_audio, dense, dtype_code, is_array_like
from remotemedia._audio import MAX_CHANNELS, Audio, audio_of, hertz, whole_number
from remotemedia._video import VideoFrame
from remotemedia._words import counted
from remotemedia.errors import FormatError, InputTypeError, InputValueError, RemoteMediaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from remotemedia._arrays import Array

__all__ = ["SMALL_BYTES", "Inputs", "audio_dict_samples", "exact_bytes", "exact_utf8", "is_slow"]

SMALL_BYTES = 64 * 1024
"""The most data that a call on an event loop's own thread may carry."""
_SLOW_BYTES = 1024 * 1024
"""Longer texts are encoded, and longer bytes copied, off the event loop's thread."""
_SLOW_VALUES = 2000
"""Lists of more values than this are converted off the event loop's thread."""

_SHAPES = [Struct(f"<{axes}Q").pack for axes in range(65)]
"""Pack a shape, by its number of axes: numpy has at most 64."""
_AUDIO = Struct("<QII").pack
_VIDEO = Struct("<II").pack


class Inputs:
    """The items of one run as Rust reads them, and what is needed to answer in kind.

    Attributes
    ----------
    count : int
        Number of items.
    byte_len : int
        How much data they hold.
    copied_len : int
        How much of it native code copies: all but arrays, which it reads in place.
    dicts : set of int
        The items that came as audio or video dicts: so do their results.
    shown : list
        What the caller gave, by the position of its memory.
    """

    __slots__ = ("_memory", "_parts", "_places", "byte_len", "copied_len", "count", "dicts", "shown")

    def __init__(self, items: Sequence[object]) -> None:
        _pins.drain()
        self._parts: list[bytes] = []
        # Arrays whose memory the records name by position, and address and length of each.
        self._memory: list[Array] = []
        self._places: list[int] = []
        self.count = 0
        self.byte_len = self.copied_len = 0
        self.dicts: set[int] = set()
        self.shown: list[object] = []
        for item in items:
            try:
                self._push(item)
            except RemoteMediaError as error:
                raise _at_item(error, self.count) from None
            self.count += 1

    def for_call(self) -> bytes:
        """Return the batch for a call that reads memory only until it returns. Keep this object until then."""
        return _wire.table(self._places, 0) + b"".join(self._parts)

    def lend(self, run: int) -> bytes:
        """Return the batch of a run, with all memory in the pin table, which keeps it until Rust has released it."""
        if self._memory:
            _pins.pin(run, self._memory)
        return _wire.table(self._places, run) + b"".join(self._parts)

    def _push(self, value: object) -> None:
        # What it is, and not what it says that it is.
        kind = type(value)
        if kind is np.ndarray:
            self._array(cast("Array", value), value)
        elif issubclass(kind, str):
            self._text(cast("str", value))
        elif issubclass(kind, Audio):
            # A subclass may say anything of itself: what it says is looked at as if it was new.
            audio = cast("Audio", value)
            audio = audio if kind is Audio else Audio(audio.samples, audio.sample_rate)
            self._audio(audio.samples, audio.sample_rate, audio.channels, audio)
        elif issubclass(kind, VideoFrame):
            frame = cast("VideoFrame", value)
            if kind is not VideoFrame:
                size: dict[str, Any] = {"width": frame.width, "height": frame.height}
                frame = VideoFrame(frame.data, frame.pixel_format, **size)
            self._video(frame, frame)
        elif issubclass(kind, (bytes, bytearray, memoryview)):
            self._binary(exact_bytes(cast("bytes", value)))
        elif issubclass(kind, dict) and (name := _typed(cast("dict[object, object]", value))) is not None:
            _TYPED[name](self, cast("dict[str, object]", value))
        elif is_array_like(value):
            self._array(as_array(value), None)
        else:
            self._json(value)

    def _text(self, value: str) -> None:
        try:
            text = exact_utf8(value)
        except UnicodeEncodeError as error:
            raise InputValueError(f"the text has a lone surrogate at character {error.start}") from None
        self._behind(_wire.TEXT, text)

    def _json(self, value: object) -> None:
        try:
            text = _json.dumps(value)
        except _json.NotJsonError as error:
            kind = InputTypeError if error.wrong_type else InputValueError
            place = f" (at {error.path})" if error.path else ""
            raise kind(f"{error.reason}{place}", path=error.path or None) from None
        self._behind(_wire.JSON, str.encode(text))

    def _behind(self, kind: int, text: bytes) -> None:
        """Add an item whose bytes follow its record."""
        self.byte_len += len(text)
        self.copied_len += len(text)
        self._parts.append(_wire.pack(kind, 0, 0, 0, len(text)) + text)

    def _binary(self, value: bytes) -> None:
        # Rust copies it at once, from the buffer of the bytes object.
        self.copied_len += len(value)
        self._add(_wire.BINARY, 0, 0, b"", np.frombuffer(value, np.uint8), value)

    def _array(self, array: Array, shown: object) -> None:
        code = dtype_code(array.dtype)
        if code is None:
            raise InputTypeError(
                f"an array of dtype {array.dtype} cannot be used, expected bool, ints, floats or complex of numpy"
            )
        memory = dense(array)
        shape = memory.shape
        self._add(_wire.ARRAY, 0, code, _SHAPES[len(shape)](*shape), memory, array if shown is None else shown)

    def _audio(self, samples: Array, sample_rate: int, channels: int, shown: object) -> None:
        check_audio(samples, channels if samples.ndim == 2 else None)
        memory = dense(samples)
        flags = _wire.ONE_AXIS if memory.ndim == 1 else 0
        extra = _AUDIO(memory.size // channels, sample_rate, channels)
        self._add(_wire.AUDIO, flags, cast("int", dtype_code(samples.dtype)), extra, memory, shown)

    def _video(self, frame: VideoFrame, shown: object) -> None:
        extra = _VIDEO(frame.width, frame.height) + str.encode(frame.pixel_format)
        self._add(_wire.VIDEO, 0, 0, extra, dense(frame.data), shown)
        self.copied_len += frame.data.nbytes
        # However small it is: what a node makes of it may be large.
        self.byte_len += SMALL_BYTES

    def _add(self, kind: int, flags: int, dtype: int, extra: bytes, memory: Array, shown: object) -> None:
        """Add an item over memory."""
        self.byte_len += memory.nbytes
        self._parts.append(_wire.pack(kind, flags, dtype, len(extra), len(self._memory)) + extra)
        self.shown.append(shown)
        self._memory.append(memory)
        self._places += (address(memory), memory.nbytes)

    def _audio_dict(self, value: dict[str, object]) -> None:
        samples, sample_rate, channels = audio_dict_samples(value)
        self.dicts.add(self.count)
        self._audio(samples, sample_rate, channels, audio_of(_frames(samples, channels), sample_rate))

    def _video_dict(self, value: dict[str, object]) -> None:
        _must_have("video", value, "data", "width", "height", "pixel_format")
        width = whole_number("width", value["width"], 32_768)
        height = whole_number("height", value["height"], 32_768)
        frame = VideoFrame(value["data"], cast("Any", value["pixel_format"]), width=width, height=height)
        self.dicts.add(self.count)
        self._video(frame, frame)

    def _text_dict(self, value: dict[str, object]) -> None:
        _must_have("text", value, "data")
        text = value["data"]
        if not isinstance(text, str):
            raise InputTypeError(f"`data` of a text dict is of type {type(text).__name__}, expected str")
        self._text(text)

    def _binary_dict(self, value: dict[str, object]) -> None:
        _must_have("binary", value, "data")
        data = value["data"]
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise InputTypeError(f"`data` of a binary dict is of type {type(data).__name__}, expected bytes")
        self._binary(exact_bytes(data))

    def _json_dict(self, value: dict[str, object]) -> None:
        _must_have("json", value, "data")
        self._json(value["data"])


_TYPED: dict[str, Callable[[Inputs, dict[str, object]], None]] = {
    "audio": Inputs._audio_dict,
    "binary": Inputs._binary_dict,
    "json": Inputs._json_dict,
    "text": Inputs._text_dict,
    "video": Inputs._video_dict,
}


def audio_dict_samples(value: dict[str, Any]) -> tuple[Array, int, int]:
    """Return samples (1-D interleaved or ``(frames, channels)``), rate and channels of an audio dict.

    Raises
    ------
    InputTypeError, InputValueError, FormatError
        Naming the key that is missing or wrong.
    """
    _must_have("audio", value, "samples", "sample_rate", "channels")
    given = value["samples"]
    sample_rate = hertz("sample_rate", value["sample_rate"])
    channels = whole_number("channels", value["channels"], MAX_CHANNELS)
    if isinstance(given, (list, tuple)):
        try:
            samples = np.asarray(given, np.float32)
        except (TypeError, ValueError, OverflowError):
            raise InputValueError("`samples` of an audio dict holds more than numbers, expected floats") from None
    else:
        samples = as_array(given)
    if samples.ndim == 1:
        check_audio(samples)
        if samples.size % channels:
            raise FormatError(
                f"{counted(samples.size, 'interleaved sample')}, expected a multiple of {channels} (the channels)"
            )
    else:
        check_audio(samples, channels)
    return samples, sample_rate, channels


def _typed(value: dict[object, object]) -> str | None:
    """Return the type of one of the published dicts; None for any other dict."""
    name = dict.get(value, "type")
    return name if type(name) is str and name in _TYPED else None


def exact_bytes(value: bytes | bytearray | memoryview) -> bytes:
    """Return the bytes themselves, by calls that a subclass cannot change; one that counts its length anew is refused.

    Raises
    ------
    InputTypeError
    """
    if type(value) is bytes:
        return value
    if isinstance(value, (bytes, bytearray)) and type(value).__len__ not in (bytes.__len__, bytearray.__len__):
        raise InputTypeError(f"{type(value).__name__} is bytes with a __len__ of its own; pass bytes")
    try:
        return memoryview(value).tobytes()
    except ValueError as error:  # One that was released.
        raise InputTypeError(f"{type(value).__name__}: {error}") from None


def exact_utf8(value: str) -> bytes:
    """Return the text in UTF-8, by calls that a subclass cannot change; one that encodes it anew is refused.

    Raises
    ------
    InputTypeError
    UnicodeEncodeError
    """
    if type(value) is not str and type(value).encode is not str.encode:
        raise InputTypeError(f"{type(value).__name__} is str with an encode() of its own; pass str")
    return str.encode(value)


def _frames(samples: Array, channels: int) -> Array:
    return samples if channels == 1 or samples.ndim == 2 else samples.reshape(-1, channels)


def _must_have(kind: str, value: dict[str, Any], *keys: str) -> None:
    for key in keys:
        if key not in value:
            raise InputValueError(f"the {kind} dict has no `{key}`, expected {', '.join(keys)}")


def _at_item(error: RemoteMediaError, index: int) -> RemoteMediaError:
    return error if error.item_index is not None else error._of_item(f"item {index}: {error}", index)


def is_slow(items: Sequence[object]) -> bool:
    """Whether converting these items would hold up an event loop: big lists, long texts, big strided arrays."""
    for item in items:
        value: object = item
        if isinstance(value, (Audio, VideoFrame)):
            value = value.samples if isinstance(value, Audio) else value.data
        if isinstance(value, np.ndarray):
            if value.nbytes > SMALL_BYTES and not (value.flags.c_contiguous and value.flags.aligned):
                return True
        elif isinstance(value, (str, bytes, bytearray, memoryview)):
            if len(value) > _SLOW_BYTES:
                return True
        elif isinstance(value, (dict, list, tuple)) and _json.size(cast("object", value), _SLOW_VALUES) > _SLOW_VALUES:
            return True
    return False
