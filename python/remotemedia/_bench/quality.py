"""How good a resampler is, measured: what it keeps, what it lets through, and whether two agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Quality", "agree", "measure"]

Signal = np.ndarray[Any, np.dtype[np.float32]]
Resampler = Callable[[Signal], Signal]

_LEVEL = 0.5
_MOST_GAIN_DB, _MOST_UNWANTED_DB, _MOST_DIFFERENCE_DB = 0.5, -80.0, -60.0


@dataclass(frozen=True)
class Quality:
    """A resampler at the edge of its band."""

    gain_db: float
    """Of a tone at 0.9 of the lower Nyquist frequency; 0 is untouched."""
    unwanted_db: float
    """Aliases (downwards) or images (upwards) below that tone's level: the worst of what was tried."""

    @property
    def is_good(self) -> bool:
        """Whether it is in the class of ours: flat to half a dB, and 80 dB between the signal and what must not be."""
        return abs(self.gain_db) <= _MOST_GAIN_DB and self.unwanted_db <= _MOST_UNWANTED_DB

    def __str__(self) -> str:
        return f"{round(self.gain_db, 1) + 0.0:.1f} dB at 0.9 of the band, unwanted {self.unwanted_db:.0f} dB"


def measure(resampler: Resampler, rate_in: int, rate_out: int) -> Quality:
    """Measure a resampler of mono float32 with tones of a second."""
    nyquist = min(rate_in, rate_out) / 2
    frequency = 0.9 * nyquist
    wanted, rest = _tone_and_rest(_middle(resampler(_tone(frequency, rate_in)), rate_out), frequency, rate_out)
    if rate_out > rate_in:
        unwanted = rest
    else:
        # Tones that the new rate cannot hold: whatever comes out of them is an alias.
        above = [nyquist + (rate_in / 2 - nyquist) * share for share in (0.1, 0.5, 0.9)]
        unwanted = max(_level(_middle(resampler(_tone(one, rate_in)), rate_out)) for one in above)
    return Quality(_db(wanted / _LEVEL), _db(unwanted / _LEVEL))


def agree(ours: Resampler, theirs: Resampler, rate_in: int, rate_out: int, channels: int = 1) -> tuple[bool, str]:
    """Compare two resamplers on seventeen tones below 0.85 of the band, where both must give the same signal."""
    time = np.arange(rate_in) / rate_in
    tones = [np.sin(np.pi * share * min(rate_in, rate_out) * time + share) for share in np.linspace(0.05, 0.85, 17)]
    x = (0.05 * np.sum(tones, axis=0)).astype(np.float32)
    if channels > 1:
        # Each channel has a level of its own, so that channels that change places are seen.
        x = np.stack([x / (channel + 1) for channel in range(channels)], axis=1)
    a, b = ours(x), theirs(x)
    if a.shape[1:] != b.shape[1:] or abs(len(a) - len(b)) > 1:
        return False, f"{len(a)} frames here, {len(b)} there"
    frames = min(len(a), len(b))
    difference = _db(float(np.std(_middle(a[:frames] - b[:frames], rate_out)) / np.std(a)))
    return difference <= _MOST_DIFFERENCE_DB, f"they differ by {difference:.0f} dB below 0.85 of the band"


def _tone(frequency: float, rate: int) -> Signal:
    return (_LEVEL * np.sin(2 * np.pi * frequency * np.arange(rate) / rate)).astype(np.float32)


def _middle(y: Signal, rate: int) -> Signal:
    # A signal that starts at full level has edges of its own.
    return y[rate // 10 : -(rate // 10)]


def _level(y: Signal) -> float:
    return float(np.std(y.astype(np.float64)) * np.sqrt(2))


def _tone_and_rest(y: Signal, frequency: float, rate: int) -> tuple[float, float]:
    """Return the amplitude of a tone in the signal, by least squares, and that of everything else."""
    angle = 2 * np.pi * frequency * np.arange(len(y)) / rate
    waves = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = np.linalg.lstsq(waves, y.astype(np.float64), rcond=None)[0]
    return float(np.hypot(*found)), float(np.std(y - waves @ found) * np.sqrt(2))


def _db(ratio: float) -> float:
    return float(20 * np.log10(max(ratio, 1e-9)))
