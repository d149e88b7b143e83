"""The other packages that are compared with, as far as they are installed."""

from __future__ import annotations

import importlib
import importlib.util
from importlib.metadata import PackageNotFoundError, version
from typing import Any

__all__ = ["PEERS", "find", "gstreamer", "is_installed", "versions"]

PEERS = {
    "soxr": "soxr",
    "scipy": "scipy",
    "samplerate": "samplerate",
    "soundfile": "soundfile",
    "onnxruntime": "onnxruntime",
    "silero_vad": "silero-vad",
    "webrtcvad": "webrtcvad-wheels",
    "torchaudio": "torchaudio",
}
"""Modules, and the distributions that bring them."""


def find(module: str) -> Any:
    """Return the module of a peer, or None when it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def gstreamer() -> Any:
    """Return GStreamer, ready for use, or None where its Python bindings are not there."""
    try:
        gi: Any = importlib.import_module("gi")
        gi.require_version("Gst", "1.0")
        gst: Any = importlib.import_module("gi.repository.Gst")
    except (ImportError, ValueError):
        return None
    gst.init(None)
    return gst


def is_installed(module: str) -> bool:
    """Whether a peer is there. It is not imported: silero-vad would want torch, and only its model is needed."""
    return importlib.util.find_spec(module) is not None


def versions() -> dict[str, str | None]:
    """Return the version of every peer; None for what is not installed."""
    found: dict[str, str | None] = {}
    for distribution in PEERS.values():
        try:
            found[distribution] = version(distribution)
        except PackageNotFoundError:
            found[distribution] = None
    return found
