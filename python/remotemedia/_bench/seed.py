"""The sentences of the README published for v0.4, run: reached or not, plainly."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

import remotemedia as rm
from remotemedia._bench.measure import Contender, compare, pinned
from remotemedia._bench.sound import speech

__all__ = ["Claim", "claims"]


@dataclass(frozen=True)
class Claim:
    """A sentence, what was measured, and whether it is reached."""

    sentence: str
    measured: str
    reached: bool


def _resampled(x: Sequence[float]) -> list[float]:
    """48 to 16 kHz in plain Python: a windowed sinc of 48 zero crossings, about 80 dB down."""
    half = 72
    taps = []
    for at in range(-half, half + 1):
        t = at / 3
        sinc = 1.0 if at == 0 else math.sin(math.pi * t) / (math.pi * t)
        window = 0.42 + 0.5 * math.cos(math.pi * at / half) + 0.08 * math.cos(2 * math.pi * at / half)
        taps.append(sinc * window / 3)
    padded = [0.0] * half + list(x) + [0.0] * half
    return [
        sum(tap * sample for tap, sample in zip(taps, padded[start : start + 2 * half + 1], strict=True))
        for start in range(0, len(x), 3)
    ]


def _levels(x: Sequence[float]) -> list[tuple[float, float]]:
    found = []
    for start in range(0, len(x), 800):
        window = x[start : start + 800]
        rms = math.sqrt(sum(sample * sample for sample in window) / len(window))
        found.append((20 * math.log10(max(rms, 1e-9)), max(map(abs, window))))
    return found


def _gain(x: Sequence[float]) -> list[float]:
    factor = 10 ** (-6 / 20)
    return [sample * factor for sample in x]


def _energy_vad(x: Sequence[float]) -> list[bool]:
    active = False
    found = []
    for start in range(0, len(x), 320):
        window = x[start : start + 320]
        db = 10 * math.log10(max(sum(sample * sample for sample in window) / len(window), 1e-12))
        active = db > (-45 if active else -40)
        found.append(active)
    return found


def _factor(ours: Callable[[], object], python: Callable[[], object], rounds: int) -> float:
    with pinned():
        mine, theirs = compare([Contender("remotemedia", ours), Contender("pure Python", python)], rounds)
    return theirs.median / mine.median


def claims(effort: float) -> list[Claim]:
    """Measure every sentence."""
    rounds = max(2, int(7 * effort))
    short = speech(10)
    audio = rm.Audio(short, 16_000)
    samples = short.tolist()
    level, gain = rm.Pipeline([rm.nodes.AudioLevel(window_ms=50)]), rm.Pipeline([rm.nodes.Gain(gain_db=-6.0)])
    energy = rm.Pipeline([rm.nodes.EnergyVAD()])
    wide = np.random.default_rng(1).standard_normal(12_000).astype(np.float32)
    wide_list = wide.tolist()
    factors = {
        "gain": _factor(lambda: gain.run(audio), lambda: _gain(samples), rounds * 3),
        "level": _factor(lambda: level.run(audio), lambda: _levels(samples), rounds * 3),
    }
    vad = _factor(lambda: energy.run(audio), lambda: _energy_vad(samples), rounds * 3)
    resample = _factor(lambda: rm.resample(wide, 48_000, 16_000), lambda: _resampled(wide_list), rounds)
    least = min(factors.values())
    pipe = rm.Pipeline([rm.nodes.PassThrough()])
    frames = [np.zeros(960, np.float32) for _ in range(50)]
    with pinned():
        (second,) = compare([Contender("50 frames", lambda: [pipe.run(frame) for frame in frames])], rounds * 20)
    overhead = second.median / 1e6
    # A view of the caller's own memory is what "no copying" means for an array that no node changes.
    whole = np.ones(2_880_000, np.float32)
    shared = bool(np.shares_memory(pipe.run(whole), whole))
    each = ", ".join(f"{name} {factor:,.0f}x" for name, factor in factors.items())
    return [
        Claim("Audio processing: 2-16x faster (depending on operation)", f"{each}, 10 s at 16 kHz", least >= 2),
        Claim("VAD (Voice Activity Detection): 8-12x faster", f"EnergyVAD {vad:,.0f}x, 10 s at 16 kHz", vad >= 8),
        Claim("Resampling: 4-6x faster", f"{resample:,.0f}x, 0.25 s of 48 -> 16 kHz", resample >= 4),
        Claim("Zero-copy: No data copying between Python and Rust", _copies(shared), shared),
        Claim(
            "~1ms total overhead (a second of 20 ms frames)",
            f"{overhead:.2f} ms for 50 calls of Pipeline.run",
            overhead <= 1.1,
        ),
        Claim(
            "serializes once to iceoryx2 shared memory format",
            "not measured: worker processes are not in this version",
            False,
        ),
    ]


def _copies(shared: bool) -> str:
    if not shared:
        return "an array that passes through is copied"
    return "an array that passes through is the caller's own memory; a node that computes reads it once, slice by slice"
