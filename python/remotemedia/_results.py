"""A native run's results into Python values, in the kind that went in."""

from __future__ import annotations

import ctypes
import json
import sys
import warnings
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from remotemedia import errors
from remotemedia._arrays import to_float32, view
from remotemedia._audio import Audio, audio_of
from remotemedia._video import VideoFrame

if TYPE_CHECKING:
    from remotemedia._inputs import Inputs
    from remotemedia._lib import RawResults

__all__ = ["audio_dict", "to_python", "warn"]

_FLOAT32 = 10
_UINT8 = 5
_WARNINGS: dict[str, type[errors.RemoteMediaWarning]] = {
    "AssumedFormat": errors.AssumedFormatWarning,
    "UnhandledKind": errors.UnhandledKindWarning,
}


def to_python(raw: RawResults, inputs: Inputs, metrics: bool) -> Any:
    """Return what a run gave.

    One result port: its value, or a list with one entry per item. Several: a dict by ``node`` or ``node.port``.
    With ``metrics``: ``{"outputs": ..., "metrics": {...}}``.
    """
    header: dict[str, Any] = json.loads(raw.header())
    for warning in header["warnings"]:
        warn(warning["text"], _WARNINGS.get(warning["code"], errors.RemoteMediaWarning))
    ports: list[dict[str, Any]] = header["outputs"]
    if len(ports) == 1:
        outputs = _port(raw, inputs, ports[0])
    elif inputs.count == 0 and not any(port["items"] for port in ports):
        outputs = None
    else:
        outputs = {port["name"]: _port(raw, inputs, port) for port in ports}
    return {"outputs": outputs, "metrics": header["metrics"]} if metrics else outputs


def _port(raw: RawResults, inputs: Inputs, port: dict[str, Any]) -> Any:
    items: list[tuple[int, dict[str, Any] | None]] = port["items"]
    values = [(index, _value(raw, inputs, index, value)) for index, value in items]
    if port["stream"]:
        return [value for _, value in values]
    if not values:
        return None
    if inputs.count == 0:
        return _bare([value for _, value in values])
    by_item: list[list[object]] = [[] for _ in range(inputs.count)]
    for index, value in values:
        by_item[index].append(value)
    results = [_bare(one) for one in by_item]
    return results[0] if len(results) == 1 else results


def _bare(values: list[object]) -> object:
    if not values:
        return None
    return values[0] if len(values) == 1 else values


def _value(raw: RawResults, inputs: Inputs, item: int, value: dict[str, Any] | None) -> object:
    if value is None:
        return None
    ((kind, content),) = value.items()
    if kind in ("text", "json"):
        return content
    if kind == "same":
        return _same(inputs.shown[content], item in inputs.dicts)
    owner = raw.raw_buffer(content["buffer"])
    if kind == "array":
        return view(owner, content["dtype"], tuple(content["shape"]))
    if kind == "audio":
        frames, channels = content["frames"], content["channels"]
        samples = view(owner, _FLOAT32, (frames,) if channels == 1 else (frames, channels))
        audio = audio_of(samples, content["sample_rate_hz"])
        return audio_dict(audio) if item in inputs.dicts else audio
    if kind == "video":
        data = view(owner, _UINT8, (owner.byte_len(),))
        frame = VideoFrame(data, content["pixel_format"], width=content["width"], height=content["height"])
        return _video_dict(frame) if item in inputs.dicts else frame
    if kind == "binary":
        return ctypes.string_at(owner.raw_address(), owner.byte_len()) if owner.byte_len() else b""
    raise errors.InternalError(f"the native library gave a value of kind {kind!r}; please report this")


def _same(shown: object, as_dict: bool) -> object:
    """Return what came through untouched: a view of the caller's own memory."""
    if isinstance(shown, Audio):
        return audio_dict(shown) if as_dict else audio_of(shown.samples.view(), shown.sample_rate)
    if isinstance(shown, VideoFrame):
        if as_dict:
            return _video_dict(shown)
        return VideoFrame(shown.data.view(), shown.pixel_format, width=shown.width, height=shown.height)
    return cast("np.ndarray[Any, Any]", shown).view()


def audio_dict(audio: Audio) -> dict[str, object]:
    """Return the published form of audio: a dict with a list of interleaved floats."""
    samples = to_float32(audio.samples).ravel().tolist()
    return {"type": "audio", "samples": samples, "sample_rate": audio.sample_rate, "channels": audio.channels}


def _video_dict(frame: VideoFrame) -> dict[str, object]:
    return {
        "type": "video",
        "data": frame.data,
        "width": frame.width,
        "height": frame.height,
        "pixel_format": frame.pixel_format,
    }


def warn(text: str, category: type[errors.RemoteMediaWarning]) -> None:
    """Warn at the first line outside of this package."""
    level = 1
    frame = sys._getframe(0)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "remotemedia":
        frame = frame.f_back  # type: ignore[assignment]
        level += 1
    warnings.warn(text, category, stacklevel=level)
