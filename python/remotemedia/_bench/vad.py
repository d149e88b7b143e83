"""Voice activity: detectors differ in what they find, so the row says how far they agree and has no ratio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import remotemedia as rm
from remotemedia._bench import peers
from remotemedia._bench.measure import Contender, Row, compare, pinned
from remotemedia._bench.sound import Signal, speech

__all__ = ["rows", "silero_model", "silero_session"]

_RATE = 16_000
_HOP = 160
"""Decisions are compared every 10 ms."""

Decisions = np.ndarray[Any, np.dtype[np.bool_]]


def rows(effort: float) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Yield the id of the row and what measures it; ``effort`` of 1 is a full run."""
    yield "vad: 60 s of speech at 16 kHz", lambda: _vad(max(2, int(7 * effort)))


def _vad(rounds: int) -> Row:
    x = speech(60)
    audio = rm.Audio(x, _RATE)
    pipes = {
        "SpeechVAD": rm.Pipeline([rm.nodes.SpeechVAD(preset="file")]),
        "SpeechVAD, earshot": rm.Pipeline([rm.nodes.SpeechVAD(preset="file", model="earshot")]),
        "EnergyVAD": rm.Pipeline([rm.nodes.EnergyVAD()]),
    }
    contenders = [Contender(name, partial(pipe.run, audio)) for name, pipe in pipes.items()]
    found = {name: _from_events(pipe.run(audio), len(x)) for name, pipe in pipes.items()}
    notes = ["different detectors, so no ratio"]
    runtime, model = peers.find("onnxruntime"), silero_model()
    if runtime is not None and model is not None:
        silero = _silero(runtime, model, x)
        contenders.append(Contender("silero-vad, onnxruntime, one thread", silero))
        found["silero-vad"] = _from_windows([one >= 0.5 for one in silero()], 512, len(x))
    else:
        notes.append("onnxruntime or silero-vad is not installed")
    webrtc = peers.find("webrtcvad")
    if webrtc is not None:
        decide = _webrtc(webrtc, x)
        contenders.append(Contender("webrtcvad, 20 ms frames", decide))
        found["webrtcvad"] = _from_windows(decide(), 320, len(x))
    shares = ", ".join(f"{name} {np.mean(one):.0%}" for name, one in found.items())
    notes.append(f"taken for speech: {shares}")
    if "silero-vad" in found:
        same = ", ".join(
            f"{name} {np.mean(one == found['silero-vad']):.0%}" for name, one in found.items() if name != "silero-vad"
        )
        notes.append(f"the same as silero-vad: {same}")
    with pinned():
        figures = compare(contenders, rounds)
    row = Row("vad: 60 s of speech at 16 kHz", "ms", figures, compares="cpu", note="; ".join(notes))
    row.comparable = False
    return row


def _from_events(results: Any, samples: int) -> Decisions:
    """Return the decision every 10 ms of a detector whose events say where segments start and end."""
    active = np.zeros(samples // _HOP, np.bool_)
    events = next(value for name, value in results.items() if name.endswith(".events"))
    for event in events:
        if event["event"] == "speech_end":
            active[event["start_sample"] // _HOP : event["end_sample"] // _HOP] = True
    return active


def _from_windows(decisions: list[bool], window: int, samples: int) -> Decisions:
    """Return the decision every 10 ms of a detector that decides once a window."""
    centres = np.arange(samples // _HOP) * _HOP + _HOP // 2
    return np.array(decisions, np.bool_)[np.minimum(centres // window, len(decisions) - 1)]


def _webrtc(module: Any, x: Signal) -> Callable[[], list[bool]]:
    pcm = (x * 32767).astype("<i2").tobytes()

    def run() -> list[bool]:
        vad = module.Vad(2)
        return [vad.is_speech(pcm[at : at + 640], _RATE) for at in range(0, len(pcm) - 639, 640)]

    return run


def silero_model() -> Path | None:
    """Return the network for 16 kHz of the installed package silero-vad, if there is one."""
    spec = find_spec("silero_vad")
    for folder in (spec.submodule_search_locations if spec is not None else None) or []:
        path = Path(folder) / "data" / "silero_vad_16k_op15.onnx"
        if path.exists():
            return path
    return None


def silero_session(runtime: Any, model: Path) -> Callable[[Signal], float]:
    """Return the network as its package runs it: 512 samples behind 64 of context, the state carried on."""
    options = runtime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    session = runtime.InferenceSession(str(model), sess_options=options, providers=["CPUExecutionProvider"])
    rate = np.array(_RATE, np.int64)
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32)

    def predict(samples: Signal) -> float:
        nonlocal state, context
        window = np.concatenate([context, samples[None]], axis=1)
        probability, state = session.run(None, {"input": window, "state": state, "sr": rate})
        context = window[:, -64:]
        return float(probability[0, 0])

    return predict


def _silero(runtime: Any, model: Path, x: Signal) -> Callable[[], list[float]]:
    def run() -> list[float]:
        predict = silero_session(runtime, model)
        return [predict(x[start : start + 512]) for start in range(0, len(x) - 511, 512)]

    return run
