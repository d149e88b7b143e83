"""16-bit samples as bytes, which pipecat passes around."""

from __future__ import annotations

from typing import Any

import numpy as np

from remotemedia._words import counted
from remotemedia.errors import InputValueError

__all__ = ["pcm", "samples"]


def pcm(values: np.ndarray[Any, np.dtype[Any]]) -> bytes:
    """Return float samples as 16-bit ones: rounded to nearest, clipped, full scale 32768."""
    if values.dtype == np.int16:
        return values.tobytes()
    rounded: np.ndarray[Any, Any] = np.clip(np.rint(values * np.float32(32768)), -32768, 32767).astype(np.int16)
    return rounded.tobytes()


def samples(audio: bytes, channels: int = 1) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Return the samples without a copy: ``(frames,)``, or ``(frames, channels)``."""
    if len(audio) % (2 * channels):
        raise InputValueError(
            f"{counted(len(audio), 'byte')} of audio, expected a multiple of {2 * channels}",
            hint="hand over whole frames: keep what is left for the next call",
        )
    found = np.frombuffer(audio, np.int16)
    return found if channels == 1 else found.reshape(-1, channels)
