"""Audio: voice activity, level, gain, files, many clips."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import remotemedia as rm
from remotemedia._bench import peers
from remotemedia._bench.measure import Contender, Row, compare, cpu_ratio, pinned

__all__ = ["rows", "speech"]

Signal = np.ndarray[Any, np.dtype[np.float32]]


def rows(effort: float) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Yield the id of each row and what measures it; ``effort`` of 1 is a full run."""

    def n(full: int, least: int = 2) -> int:
        return max(least, int(full * effort))

    yield "vad: 60 s of speech at 16 kHz", lambda: _vad(n(7))
    yield "level: 60 s at 48 kHz in windows of 50 ms", lambda: _level(n(15))
    yield "gain: 60 s at 48 kHz", lambda: _gain(n(15))
    for suffix in ("wav", "flac"):
        yield f"file: 60 s written and read, {suffix}", partial(_file, suffix, n(7))
    yield "map: 64 clips of 10 s, 48 -> 16 kHz", lambda: _map(n(7))


def _noise(frames: int, channels: int) -> Signal:
    shape = (frames,) if channels == 1 else (frames, channels)
    return (0.3 * np.random.default_rng(7).standard_normal(shape)).astype(np.float32)


def speech(seconds: int) -> Signal:
    """Return this much speech at 16 kHz: the bundled recording, over and over."""
    path = Path(rm.__file__).parent / "_demo_data" / "librivox_ss_a.flac"
    clip = rm.read(path, sample_rate=16_000, mono=True).samples
    return np.ascontiguousarray(np.resize(clip, seconds * 16_000), np.float32)


def _vad(rounds: int) -> Row:
    x = speech(60)
    audio = rm.Audio(x, 16_000)
    pipe = rm.Pipeline([rm.nodes.SpeechVAD()])
    energy = rm.Pipeline([rm.nodes.EnergyVAD()])
    contenders = [
        Contender("SpeechVAD (earshot)", lambda: pipe.run(audio)),
        Contender("EnergyVAD", lambda: energy.run(audio)),
    ]
    notes = []
    runtime, silero = peers.find("onnxruntime"), _silero_model()
    if runtime is not None and silero is not None:
        contenders.append(Contender("silero-vad, onnxruntime, one thread", _silero(runtime, silero, x)))
        notes.append("different detectors: what they find is not compared here, so there is no ratio")
    else:
        notes.append("onnxruntime or silero-vad is not installed")
    webrtc = peers.find("webrtcvad")
    if webrtc is not None:
        pcm = (x * 32767).astype("<i2").tobytes()

        def webrtcvad() -> int:
            vad = webrtc.Vad(2)
            return sum(vad.is_speech(pcm[at : at + 640], 16_000) for at in range(0, len(pcm) - 639, 640))

        contenders.append(Contender("webrtcvad, 20 ms frames", webrtcvad))
    with pinned():
        figures = compare(contenders, rounds)
    row = Row("vad: 60 s of speech at 16 kHz", "ms", figures, compares="cpu", note="; ".join(notes))
    row.comparable = False
    return row


def _silero_model() -> Path | None:
    from importlib.util import find_spec

    spec = find_spec("silero_vad")
    for folder in (spec.submodule_search_locations if spec is not None else None) or []:
        path = Path(folder) / "data" / "silero_vad.onnx"
        if path.exists():
            return path
    return None


def _silero(runtime: Any, model: Path, x: Signal) -> Callable[[], object]:
    """Return a run of the network over the signal, as its package does it: 512 samples behind 64 of context."""
    options = runtime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    session = runtime.InferenceSession(str(model), sess_options=options, providers=["CPUExecutionProvider"])
    rate = np.array(16_000, np.int64)

    def run() -> float:
        state = np.zeros((2, 1, 128), np.float32)
        context = np.zeros((1, 64), np.float32)
        total = 0.0
        for start in range(0, len(x) - 511, 512):
            window = np.concatenate([context, x[None, start : start + 512]], axis=1)
            probability, state = session.run(None, {"input": window, "state": state, "sr": rate})
            context = window[:, -64:]
            total += float(probability[0, 0])
        return total

    return run


def _level(rounds: int) -> Row:
    x = _noise(60 * 48_000, 1)
    audio = rm.Audio(x, 48_000)
    # The events alone: the audio that passes through would be copied out, which numpy has no need to do.
    nodes = [{"id": "level", "node_type": "AudioLevel", "params": {"window_ms": 50}}]
    pipe = rm.Pipeline({"version": "v1", "nodes": nodes, "outputs": ["level.events"]})

    def in_numpy() -> list[tuple[float, float]]:
        windows = x.reshape(-1, 2400)
        rms, peak = np.sqrt(np.mean(np.square(windows), axis=1)), np.max(np.abs(windows), axis=1)
        return list(zip(20 * np.log10(rms), 20 * np.log10(peak), strict=True))

    with pinned():
        figures = compare([Contender("AudioLevel", lambda: pipe.run(audio)), Contender("numpy", in_numpy)], rounds)
    row = Row("level: 60 s at 48 kHz in windows of 50 ms", "ms", figures, compares="cpu")
    row.ratio = cpu_ratio(row)
    return row


def _gain(rounds: int) -> Row:
    x = _noise(60 * 48_000, 1)
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
    audio = rm.Audio(np.clip(_noise(60 * 48_000, 1), -1, 1), 48_000)
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
    signal = peers.find("soxr")
    return signal.resample(x, 48_000, 16_000) if signal is not None else rm.resample(x, 48_000, 16_000)


def _map(rounds: int) -> Row:
    clips = [_noise(480_000, 1) for _ in range(64)]
    audio = [rm.Audio(clip, 48_000) for clip in clips]
    pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=16_000)])
    name = "soxr" if peers.find("soxr") is not None else "rm.resample"
    with multiprocessing.get_context("spawn").Pool() as pool:
        figures = compare(
            [
                Contender("pipe.map", lambda: pipe.map(audio)),
                Contender("one after the other", lambda: [pipe.run(one) for one in audio]),
                Contender(f"multiprocessing.Pool().map of {name}", lambda: pool.map(_one_clip, clips)),
            ],
            rounds,
        )
    row = Row("map: 64 clips of 10 s, 48 -> 16 kHz", "ms", figures, figures[0].median / figures[2].median)
    row.note = "the pool's processes are started before; arrays go to them and back by pickle, results by ours do not"
    return row
