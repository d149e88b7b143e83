"""The other packages that are compared with, as far as they are installed."""

from __future__ import annotations

import importlib
import importlib.util
from importlib.metadata import PackageNotFoundError, version
from typing import Any

__all__ = ["PEERS", "find", "is_installed", "versions"]

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
