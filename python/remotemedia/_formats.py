"""What a stream is declared to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["PIXEL_FORMATS", "AudioFormat", "Format", "PixelFormat", "VideoFormat"]

PixelFormat = Literal["gray8", "rgb24", "rgba", "nv12", "i420"]
"""How the pixels of a video frame lie in memory; 8 bits a sample."""

PIXEL_FORMATS: tuple[PixelFormat, ...] = get_args(PixelFormat)


@dataclass(frozen=True)
class AudioFormat:
    """Declares audio: what is None is taken from the first item.

    Parameters
    ----------
    sample_rate : int, optional
        Frames per second in Hz, 1 to 1,536,000.
    channels : int, optional
        1 to 64.

    Examples
    --------
    >>> import numpy as np, remotemedia as rm
    >>> pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=16000)], input=rm.AudioFormat(48000, 1))
    >>> pipe.run(np.zeros(960, np.float32)).shape
    (320,)
    """

    sample_rate: int | None = None
    channels: int | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the format as it stands in a manifest."""
        return _known(type="audio", sample_rate_hz=self.sample_rate, channels=self.channels)


@dataclass(frozen=True)
class VideoFormat:
    """Declares video: what is None is taken from the first item.

    Parameters
    ----------
    width, height : int, optional
        Pixels, 1 to 32,768.
    pixel_format : str, optional
        ``"gray8"``, ``"rgb24"``, ``"rgba"``, ``"nv12"`` or ``"i420"``.
    """

    width: int | None = None
    height: int | None = None
    pixel_format: PixelFormat | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the format as it stands in a manifest."""
        return _known(type="video", width=self.width, height=self.height, pixel_format=self.pixel_format)


Format = AudioFormat | VideoFormat
"""Any declaration."""


def _known(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
