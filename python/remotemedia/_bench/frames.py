"""Speech work frame by frame, beside the libraries that Python programs use for it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import remotemedia as rm
from remotemedia._bench import peers
from remotemedia._bench.measure import Contender, Figure, Row, compare, cpu_ratio, pinned
from remotemedia._bench.sound import Signal, speech
from remotemedia._bench.vad import silero_model, silero_session

__all__ = ["rows"]

RATES = [(48_000, 16_000), (44_100, 16_000), (44_100, 48_000), (16_000, 48_000), (8_000, 16_000)]

Window = np.ndarray[Any, np.dtype[np.float32]]


def rows(effort: float) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Yield the id of each row and what measures it; ``effort`` of 1 is a full run."""
    rounds = max(2, int(7 * effort))
    for rate_in, rate_out in RATES:
        for channels, word in ((1, "mono"), (2, "stereo")):
            id = f"resample: frames of 20 ms, {rate_in / 1000:g} -> {rate_out / 1000:g} kHz, {word}"
            yield id, partial(_resample, id, rate_in, rate_out, channels, rounds)
    yield "vad: a window of 32 ms", lambda: _window(rounds)
    yield "chain: resample, gain, VAD, level over 60 s", lambda: _chain(rounds)


def _rust(name: str) -> list[Figure]:
    """Return what the same costs in a loop in Rust, where `cargo xtask bench` has measured it before."""
    given = os.environ.get("REMOTEMEDIA_RUST_LOOP")
    figures = json.loads(Path(given).read_text(encoding="utf-8")) if given else {}
    return [Figure(f"{name} in a loop in Rust", figures[name], figures[name])] if name in figures else []


def _resample(id: str, rate_in: int, rate_out: int, channels: int, rounds: int) -> Row:
    shape = (20 * rate_in,) if channels == 1 else (20 * rate_in, channels)
    x = (0.1 * np.random.default_rng(7).standard_normal(shape)).astype(np.float32)
    frames = [x[at : at + rate_in // 50].copy() for at in range(0, len(x), rate_in // 50)]
    contenders = []
    for quality in ("high", "low_latency"):
        pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=rate_out, quality=quality)])
        contenders.append(
            Contender(f"Session.process {quality}", _one_by_one(frames, pipe.session(rate_in, channels).process))
        )
    soxr = peers.find("soxr")
    if soxr is not None:
        stream = soxr.ResampleStream(rate_in, rate_out, channels, quality="HQ")
        contenders.insert(1, Contender("soxr ResampleStream HQ", _one_by_one(frames, stream.resample_chunk)))
    for grade in (4, 10):
        gstreamer = _gstreamer(rate_in, rate_out, channels, grade)
        if gstreamer is not None:
            contenders.append(Contender(f"GStreamer audioresample quality={grade}", _one_by_one(frames, gstreamer)))
    with pinned():
        figures = compare(contenders, rounds)
    row = Row(id, "us", [_each(one, len(frames)) for one in figures], compares="cpu")
    row.goal = "at least 1.3 times soxr's speed in the geometric mean, none under 0.85"
    if soxr is not None:
        row.ratio = cpu_ratio(row)
    row.figures += [
        figure
        for quality in ("high", "low_latency")
        for figure in _rust(f"{quality}, {rate_in} to {rate_out}, {channels}")
    ]
    return row


def _one_by_one(frames: list[Window], call: Callable[[Window], object]) -> Callable[[], None]:
    def run() -> None:
        for frame in frames:
            call(frame)

    return run


def _each(figure: Figure, frames: int) -> Figure:
    cpu = None if figure.cpu_median is None else figure.cpu_median / frames
    return Figure(figure.name, figure.median / frames, figure.p99 / frames, cpu, figure.calls * frames)


def _gstreamer(rate_in: int, rate_out: int, channels: int, quality: int) -> Callable[[Window], object] | None:
    """Return a frame's way through audioresample, where GStreamer's Python bindings are there."""
    gst = peers.gstreamer()
    if gst is None:
        return None
    caps = "audio/x-raw,format=F32LE,layout=interleaved,channels={},rate={}"
    pipe = gst.parse_launch(
        f"appsrc name=source format=time caps={caps.format(channels, rate_in)} ! audioresample quality={quality} ! "
        f"{caps.format(channels, rate_out)} ! appsink name=sink sync=false"
    )
    source, sink = pipe.get_by_name("source"), pipe.get_by_name("sink")
    pipe.set_state(gst.State.PLAYING)

    def push(frame: Window) -> object:
        source.emit("push-buffer", gst.Buffer.new_wrapped(frame.tobytes()))
        return sink.emit("try-pull-sample", gst.SECOND)

    return push


def _window(rounds: int) -> Row:
    x = speech(60)
    windows = [x[at : at + 512] for at in range(0, len(x) - 511, 512)]
    pipe = rm.Pipeline(
        {
            "version": "v1",
            "metadata": {"name": "vad"},
            "nodes": [{"id": "vad", "node_type": "SpeechVAD", "params": {}}],
            "outputs": ["vad"],
        }
    )
    ours = pipe.session(16_000, 1).process
    contenders = [Contender("Session.process, SpeechVAD", _one_by_one(windows, ours))]
    runtime, model = peers.find("onnxruntime"), silero_model()
    if runtime is not None and model is not None:
        contenders.append(Contender("onnxruntime, one thread", _one_by_one(windows, silero_session(runtime, model))))
    with pinned():
        figures = compare(contenders, rounds)
    row = Row("vad: a window of 32 ms", "us", [_each(one, len(windows)) for one in figures], compares="cpu")
    row.goal = "at least 6.5 times onnxruntime's speed from Python, 8 times in a loop in Rust"
    if len(contenders) > 1:
        row.ratio = cpu_ratio(row)
    row.figures += _rust("SpeechVAD, 32 ms")
    row.note = "the same probabilities to 1e-5: tests/silero.rs"
    return row


def _chain(rounds: int) -> Row:
    x = rm.resample(speech(60), 16_000, 48_000)
    frames = [x[at : at + 960].copy() for at in range(0, len(x), 960)]
    pipe = rm.Pipeline(
        {
            "version": "v1",
            "metadata": {"name": "chain"},
            "nodes": [
                {"id": "resample", "node_type": "AudioResample", "params": {"target_rate": 16_000}},
                {"id": "gain", "node_type": "Gain", "params": {"gain_db": 3}},
                {"id": "vad", "node_type": "SpeechVAD", "params": {}},
                {"id": "level", "node_type": "AudioLevel", "params": {"window_ms": 20}},
            ],
            "connections": [
                {"from": "resample", "to": "gain"},
                {"from": "gain", "to": "vad"},
                {"from": "vad", "to": "level"},
            ],
            "outputs": ["level"],
        }
    )
    contenders = [Contender("one session", _one_by_one(frames, pipe.session(48_000, 1).process))]
    theirs = _by_hand(frames)
    if theirs is not None:
        contenders.append(Contender("soxr, numpy and onnxruntime", theirs))
    with pinned():
        figures = compare(contenders, rounds)
    row = Row("chain: resample, gain, VAD, level over 60 s", "ms", figures, compares="cpu")
    row.goal = "a fifth of the CPU time, better an eighth"
    if theirs is not None:
        row.ratio = cpu_ratio(row)
    return row


def _by_hand(frames: list[Window]) -> Callable[[], object] | None:
    soxr, runtime, model = peers.find("soxr"), peers.find("onnxruntime"), silero_model()
    if soxr is None or runtime is None or model is None:
        return None
    predict = silero_session(runtime, model)

    def run() -> list[tuple[float, float]]:
        stream = soxr.ResampleStream(48_000, 16_000, 1, quality="HQ")
        waiting: Signal = np.zeros(0, np.float32)
        levels, gain = [], np.float32(10 ** (3 / 20))
        for frame in frames:
            y = stream.resample_chunk(frame) * gain
            waiting = np.concatenate([waiting, y])
            while len(waiting) >= 512:
                predict(waiting[:512])
                waiting = waiting[512:]
            if len(y):
                levels.append((float(np.sqrt(np.dot(y, y) / len(y))), float(np.abs(y).max())))
        return levels

    return run
