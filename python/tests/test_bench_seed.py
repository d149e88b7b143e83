"""The sentences of the README of v0.4: measured against plain Python that computes the same."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from remotemedia._bench import pure, seed


@pytest.mark.parametrize("name", ["gain", "levels", "energy_segments", "resample_48_to_16"])
def test_plain_python_that_computes_something_else_reaches_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal results give a factor; others give none, however fast."""
    measure = {"energy_segments": seed._vad, "resample_48_to_16": seed._resampling}.get(name, seed._processing)
    assert re.search(r"\dx,", measure(2).measured)
    real = getattr(pure, name)

    def other(x: list[float]) -> Any:
        found = real(x)
        return [found[1], *found[1:]] if name == "levels" else [one * 2 for one in found]

    monkeypatch.setattr(pure, name, other)
    assert not measure(2).reached and measure(2).measured.startswith("not compared")


def test_plain_python_finds_the_segments_of_ours() -> None:
    generator = np.random.default_rng(5)
    pipe = rm.Pipeline([rm.nodes.EnergyVAD()])
    for _ in range(30):
        # Bursts and gaps around the least lengths, and an end in the middle of a window.
        lengths = generator.integers(1, 30, 20) * 320
        x = np.concatenate([np.full(n, 0.1 if i % 2 else 0.0, np.float32) for i, n in enumerate(lengths)])
        x = x[: len(x) - int(generator.integers(0, 320))]
        found: Any = pipe.run(rm.Audio(x, 16_000))
        ends = [event for event in found["energy_vad.events"] if event["event"] == "speech_end"]
        assert [(one["start_sample"], one["end_sample"]) for one in ends] == pure.energy_segments(x.tolist())


def test_the_overhead_is_measured_on_the_published_call_too() -> None:
    found = [one for one in seed.claims(0.01) if one.sentence.startswith("~1ms")]
    assert [one.measured.split(" of ", 1)[1] for one in found] == [
        "Pipeline.run",
        "await execute_pipeline_with_input",
    ]
    assert seed._overhead_claim(1.0e6, "x").reached and not seed._overhead_claim(1.2e6, "x").reached
