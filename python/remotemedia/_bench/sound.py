"""Audio: level, gain, files, many clips."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import remotemedia as rm
from remotemedia._bench import machine, peers
from remotemedia._bench.measure import Contender, Row, compare, cpu_ratio, pinned

__all__ = ["Signal", "rows", "speech"]

Signal = np.ndarray[Any, np.dtype[np.float32]]


def rows(effort: float) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Yield the id of each row and what measures it; ``effort`` of 1 is a full run."""

    def n(full: int, least: int = 2) -> int:
        return max(least, int(full * effort))

    yield "level: 60 s at 48 kHz in windows of 50 ms", lambda: _level(n(15))
    yield "gain: 60 s at 48 kHz", lambda: _gain(n(15))
    for suffix in ("wav", "flac"):
        yield f"file: 60 s written and read, {suffix}", partial(_file, suffix, n(7))
    yield "map: 64 clips of 10 s, 48 -> 16 kHz", lambda: _map(n(7))


def _noise(frames: int, seed: int = 7) -> Signal:
    return (0.3 * np.random.default_rng(seed).standard_normal(frames)).astype(np.float32)


def speech(seconds: int) -> Signal:
    """Return this much speech at 16 kHz: the bundled recording, over and over."""
    path = Path(rm.__file__).parent / "_demo_data" / "librivox_ss_a.flac"
    clip = rm.read(path, sample_rate=16_000, mono=True).samples
    return np.ascontiguousarray(np.resize(clip, seconds * 16_000), np.float32)


def _level(rounds: int) -> Row:
    x = _noise(60 * 48_000)
    audio = rm.Audio(x, 48_000)
    # The events alone: the audio that passes through would be copied out, which numpy has no need to do.
    nodes = [{"id": "level", "node_type": "AudioLevel", "params": {"window_ms": 50}}]
    pipe = rm.Pipeline({"version": "v1", "nodes": nodes, "outputs": ["level.events"]})

    def in_numpy() -> list[tuple[float, float]]:
        windows = x.reshape(-1, 2400)
        rms, peak = np.sqrt(np.mean(np.square(windows), axis=1)), np.max(np.abs(windows), axis=1)
        return list(zip(20 * np.log10(rms), 20 * np.log10(peak), strict=True))

    ours: Any = pipe.run(audio)
    same = bool(np.allclose([(one["rms_db"], one["peak_db"]) for one in ours], in_numpy(), rtol=0, atol=0.01))
    with pinned():
        figures = compare([Contender("AudioLevel", lambda: pipe.run(audio)), Contender("numpy", in_numpy)], rounds)
    row = Row("level: 60 s at 48 kHz in windows of 50 ms", "ms", figures, compares="cpu", comparable=same)
    row.ratio = cpu_ratio(row) if same else None
    return row


def _gain(rounds: int) -> Row:
    x = _noise(60 * 48_000)
    audio = rm.Audio(x, 48_000)
    pipe = rm.Pipeline([rm.nodes.Gain(gain_db=-6.0)])
    factor = np.float32(10 ** (-6 / 20))
    same = bool(np.allclose(pipe.run(audio).samples, x * factor, rtol=1e-5))
    with pinned():
        figures = compare([Contender("Gain", lambda: pipe.run(audio)), Contender("numpy", lambda: x * factor)], rounds)
    row = Row("gain: 60 s at 48 kHz", "ms", figures, compares="cpu", comparable=same)
    row.ratio = cpu_ratio(row) if same else None
    return row


def _file(suffix: str, rounds: int) -> Row:
    audio = rm.Audio(np.clip(_noise(60 * 48_000), -1, 1), 48_000)
    row = Row(f"file: 60 s written and read, {suffix}", "ms", compares="cpu")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"ours.{suffix}"

        def ours() -> rm.Audio:
            rm.write(path, audio, subtype="PCM_16")
            return rm.read(path)

        contenders = [Contender("rm.write, rm.read", ours)]
        soundfile = peers.find("soundfile")
        if soundfile is not None:
            other = str(Path(folder) / f"theirs.{suffix}")

            def theirs() -> Any:
                soundfile.write(other, audio.samples, 48_000, subtype="PCM_16")
                return soundfile.read(other, dtype="float32")[0]

            row.comparable = bool(np.abs(ours().samples - theirs()).max() <= 1 / 32768)
            contenders.append(Contender("soundfile", theirs))
        else:
            row.comparable, row.note = False, "soundfile is not installed"
        row.figures = compare(contenders, rounds)
    if row.comparable:
        row.ratio = cpu_ratio(row)
    return row


def _one_clip(x: Signal) -> Signal:
    soxr = peers.find("soxr")
    return soxr.resample(x, 48_000, 16_000, "HQ") if soxr is not None else rm.resample(x, 48_000, 16_000)


def _map(rounds: int) -> Row:
    clips = [_noise(480_000, seed) for seed in range(64)]
    audio = [rm.Audio(clip, 48_000) for clip in clips]
    pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=16_000)])
    name = "soxr" if peers.find("soxr") is not None else "rm.resample"
    # A map that mixes up its clips, or loses one, is not compared: every clip is a signal of its own.
    ours = pipe.map(audio)
    same = len(ours) == len(clips) and all(
        np.std(one.samples - theirs) < 0.02 * np.std(theirs)
        for one, theirs in zip(ours, map(_one_clip, clips), strict=True)
    )
    cores = machine.cores()
    with multiprocessing.get_context("spawn").Pool(cores) as processes, ThreadPoolExecutor(cores) as threads:
        figures = compare(
            [
                Contender("pipe.map", lambda: pipe.map(audio)),
                Contender(f"multiprocessing.Pool().map of {name}", lambda: processes.map(_one_clip, clips)),
                Contender(f"ThreadPoolExecutor().map of {name}", lambda: list(threads.map(_one_clip, clips))),
                Contender("one after the other", lambda: [pipe.run(one) for one in audio]),
            ],
            rounds,
        )
    row = Row("map: 64 clips of 10 s, 48 -> 16 kHz", "ms", figures, comparable=bool(same))
    row.ratio = figures[0].median / figures[1].median if same else None
    row.note = (
        "the processes are started before; arrays go to them and back by pickle, those of the others do not; "
        f"against the threads the ratio is {figures[0].median / figures[2].median:.2f}"
    )
    return row
