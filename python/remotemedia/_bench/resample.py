"""Resampling of a minute as one buffer, against whatever resamplers are installed: quality first, then time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import remotemedia as rm
from remotemedia._bench import peers, quality
from remotemedia._bench.measure import Contender, Row, compare, cpu_ratio, pinned

__all__ = ["rows"]

Signal = np.ndarray[Any, np.dtype[np.float32]]
Resampler = Callable[[Signal], Signal]

_RATES = [(48_000, 16_000), (44_100, 16_000), (44_100, 48_000), (48_000, 44_100), (16_000, 48_000), (8_000, 16_000)]


def rows(effort: float) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Yield the id of each row and what measures it; ``effort`` of 1 is a full run.

    Whoever runs behind a slow peer finds nothing of the input in the cache; so those have rows of their own.
    """
    rounds = max(2, int(7 * effort))
    for rate_in, rate_out in _RATES:
        for channels, word in ((1, "mono"), (2, "stereo")):
            rates = f"{rate_in / 1000:g} -> {rate_out / 1000:g} kHz, {word}"
            for kind, id in (
                ("high", f"resample: 60 s, {rates}"),
                ("very_high", f"resample: 60 s, {rates}, very_high"),
                ("others", f"resample: 60 s, {rates}, other peers"),
            ):
                yield id, partial(_resample, id, kind, rate_in, rate_out, channels, rounds)


def _resamplers(kind: str, rate_in: int, rate_out: int) -> dict[str, Resampler]:
    """Return ours and the peers of a row, ours first: of frames, or of frames by channels."""
    quality = "very_high" if kind == "very_high" else "high"
    found: dict[str, Resampler] = {f"remotemedia {quality}": lambda x: rm.resample(x, rate_in, rate_out, quality)}
    if kind != "others":
        soxr, grade = peers.find("soxr"), "VHQ" if kind == "very_high" else "HQ"
        if soxr is not None:
            found[f"soxr {grade}"] = lambda x: soxr.resample(x, rate_in, rate_out, grade)
        return found
    signal, samplerate = peers.find("scipy.signal"), peers.find("samplerate")
    if signal is not None:
        divisor = int(np.gcd(rate_in, rate_out))
        up, down = rate_out // divisor, rate_in // divisor
        found["scipy resample_poly"] = lambda x: signal.resample_poly(x, up, down, axis=0)
    if samplerate is not None:
        found["samplerate sinc_medium"] = lambda x: samplerate.resample(x, rate_out / rate_in, "sinc_medium")
    if peers.find("torchaudio") is not None:
        found["torchaudio sinc_interp_hann"] = _torchaudio(rate_in, rate_out)
    return found


def _torchaudio(rate_in: int, rate_out: int) -> Resampler:
    torch, functional = peers.find("torch"), peers.find("torchaudio.functional")
    torch.set_num_threads(1)

    def resample(x: Signal) -> Signal:
        # Time is its last axis.
        found = functional.resample(torch.from_numpy(np.ascontiguousarray(x.T)), rate_in, rate_out)
        return np.asarray(found.numpy().T)

    return resample


def _resample(id: str, kind: str, rate_in: int, rate_out: int, channels: int, rounds: int) -> Row:
    shape = (60 * rate_in,) if channels == 1 else (60 * rate_in, channels)
    x = (0.3 * np.random.default_rng(7).standard_normal(shape)).astype(np.float32)
    resamplers = _resamplers(kind, rate_in, rate_out)
    names = list(resamplers)
    row = Row(id, "ms", compares="cpu", comparable=False)
    found = {name: quality.measure(call, rate_in, rate_out) for name, call in resamplers.items()}
    notes = [f"{name}: {one}" for name, one in found.items()]
    if kind == "others":
        notes.insert(0, "not as good, so no ratio")
    elif len(names) > 1:
        same, how = quality.agree(resamplers[names[0]], resamplers[names[1]], rate_in, rate_out, channels)
        row.comparable = same and all(one.is_good for one in found.values())
        notes.insert(0, f"ours and soxr: {how}")
    else:
        notes.insert(0, "soxr is not installed")
    row.note = "; ".join(notes)
    with pinned():
        row.figures = compare([Contender(name, partial(call, x)) for name, call in resamplers.items()], rounds)
    if row.comparable:
        row.ratio = cpu_ratio(row)
    return row
