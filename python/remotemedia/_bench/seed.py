"""The sentences of the README published for v0.4, run: reached or not, plainly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

import numpy as np

import remotemedia as rm
from remotemedia._bench import pure, quality
from remotemedia._bench.measure import Contender, compare, percentile, pinned
from remotemedia._bench.sound import speech
from remotemedia.runtime import execute_pipeline_with_input

__all__ = ["Claim", "claims"]

_AUDIO = "Audio processing: 2-16x faster (depending on operation)"
_VAD = "VAD (Voice Activity Detection): 8-12x faster"
_RESAMPLING = "Resampling: 4-6x faster"
_ZERO_COPY = "Zero-copy: No data copying between Python and Rust"
_OVERHEAD = "~1ms total overhead (a second of 20 ms frames)"


@dataclass(frozen=True)
class Claim:
    """A sentence, what was measured, and whether it is reached."""

    sentence: str
    measured: str
    reached: bool


def claims(effort: float) -> list[Claim]:
    """Measure every sentence."""
    rounds = max(2, int(7 * effort))
    return [
        _processing(rounds * 3),
        _vad(rounds * 3),
        _resampling(rounds),
        _zero_copy(),
        _overhead(rounds * 20),
        _overhead_async(rounds * 20),
        _serializing(rounds * 100),
    ]


def _serializing(frames: int) -> Claim:
    """Return what writing a frame of 20 ms into shared memory and reading its answer cost."""
    node = rm.nodes.Python(class_="remotemedia._bench.workers:Identity").with_execution(placement="process")
    with rm.Pipeline([node], allow_python=True).session(sample_rate=48_000, metrics=True) as session:
        frame = np.zeros(960, np.float32)
        for _ in range(frames):
            session.process(frame)
        worker = session.metrics()["node_metrics"][0]["worker"]
    each = worker["copy_us"] / worker["frames"]
    text = f"{each:.1f} us a frame of 20 ms, into shared memory and out of it"
    return Claim("serializes once to iceoryx2 shared memory format", text, each <= 20)


def _factor(ours: Callable[[], object], python: Callable[[], object], rounds: int) -> float:
    with pinned():
        mine, theirs = compare([Contender("remotemedia", ours), Contender("pure Python", python)], rounds)
    return theirs.median / mine.median


def _not_compared(sentence: str, what: str) -> Claim:
    # A factor over a program that computes something else would say nothing.
    return Claim(sentence, f"not compared: {what} of plain Python differs from ours", False)


def _events(found: Any) -> Any:
    return next(value for name, value in found.items() if name.endswith(".events"))


def _processing(rounds: int) -> Claim:
    x = speech(10)
    audio, samples = rm.Audio(x, 16_000), x.tolist()
    level, gain = rm.Pipeline([rm.nodes.AudioLevel(window_ms=50)]), rm.Pipeline([rm.nodes.Gain(gain_db=-6.0)])
    louder: Any = gain.run(audio)
    if not np.allclose(louder.samples, pure.gain(samples), rtol=0, atol=1e-6):
        return _not_compared(_AUDIO, "the gain")
    measured = [(event["rms_db"], event["peak_db"]) for event in _events(level.run(audio))]
    if not np.allclose(measured, pure.levels(samples), rtol=0, atol=0.01):
        return _not_compared(_AUDIO, "the level")
    factors = {
        "gain": _factor(lambda: gain.run(audio), lambda: pure.gain(samples), rounds),
        "level": _factor(lambda: level.run(audio), lambda: pure.levels(samples), rounds),
    }
    each = ", ".join(f"{name} {factor:,.1f}x" for name, factor in factors.items())
    return Claim(_AUDIO, f"{each}, 10 s at 16 kHz", min(factors.values()) >= 2)


def _vad(rounds: int) -> Claim:
    x = speech(10)
    audio, samples = rm.Audio(x, 16_000), x.tolist()
    pipe = rm.Pipeline([rm.nodes.EnergyVAD()])
    ends = [event for event in _events(pipe.run(audio)) if event["event"] == "speech_end"]
    if [(event["start_sample"], event["end_sample"]) for event in ends] != pure.energy_segments(samples):
        return _not_compared(_VAD, "the segments")
    factor = _factor(lambda: pipe.run(audio), lambda: pure.energy_segments(samples), rounds)
    return Claim(_VAD, f"EnergyVAD {factor:,.1f}x, 10 s at 16 kHz", factor >= 8)


def _resampling(rounds: int) -> Claim:
    def python(signal: quality.Signal) -> quality.Signal:
        return np.array(pure.resample_48_to_16(signal.tolist()), np.float32)

    def ours(signal: quality.Signal) -> quality.Signal:
        return rm.resample(signal, 48_000, 16_000)

    same, _ = quality.agree(ours, python, 48_000, 16_000)
    if not same:
        return _not_compared(_RESAMPLING, "the signal")
    x = np.random.default_rng(1).standard_normal(12_000).astype(np.float32)
    samples = x.tolist()
    factor = _factor(lambda: ours(x), lambda: pure.resample_48_to_16(samples), rounds)
    how = quality.measure(python, 48_000, 16_000)
    return Claim(_RESAMPLING, f"{factor:,.0f}x, 0.25 s of 48 -> 16 kHz; plain Python: {how}", factor >= 4)


def _zero_copy() -> Claim:
    whole = np.ones(2_880_000, np.float32)
    through = rm.Pipeline([rm.nodes.PassThrough()]).run(whole)
    if not np.shares_memory(through, whole):
        return Claim(_ZERO_COPY, "an array that passes through is copied", False)
    # docs/adr/0001: no node ever computes on memory of others.
    return Claim(
        _ZERO_COPY,
        "an array that passes through is the caller's own memory; one that a node computes with is copied once on its "
        "way in, slice by slice",
        False,
    )


def _overhead(rounds: int) -> Claim:
    pipe = rm.Pipeline([rm.nodes.PassThrough()])
    frames = _frames()
    with pinned():
        (second,) = compare([Contender("50 frames", lambda: [pipe.run(frame) for frame in frames])], rounds)
    return _overhead_claim(second.median, "Pipeline.run")


def _overhead_async(rounds: int) -> Claim:
    """Measure the call that the published README names."""
    nodes = [{"id": "same", "node_type": "PassThrough"}]
    manifest = json.dumps({"version": "v1", "metadata": {"name": "a"}, "nodes": nodes, "connections": []})
    frames = _frames()

    async def measure() -> list[float]:
        times: list[float] = []
        for _ in range(rounds + 1):
            start = perf_counter_ns()
            for frame in frames:
                await execute_pipeline_with_input(manifest, [frame])
            times.append(float(perf_counter_ns() - start))
        return times[1:]

    with pinned():
        times = asyncio.run(measure())
    return _overhead_claim(percentile(sorted(times), 0.5), "await execute_pipeline_with_input")


def _frames() -> list[quality.Signal]:
    return [np.zeros(960, np.float32) for _ in range(50)]


def _overhead_claim(took_ns: float, call: str) -> Claim:
    return Claim(_OVERHEAD, f"{took_ns / 1e6:.2f} ms for 50 calls of {call}", took_ns <= 1.1e6)
