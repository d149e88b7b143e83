"""The benchmark command: its arithmetic, its refusals, what it writes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from remotemedia._bench import main, peers, pure, quality, report, resample, seed, sound, vad
from remotemedia._bench.measure import Contender, Figure, Row, compare, percentile, pinned


def test_percentiles_are_nearest_ranks() -> None:
    values = list(range(100))
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([7], 0.99)) == (50, 99, 7)
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_contenders_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []
    now = 0

    def tick(name: str, takes: int) -> Contender:
        def call() -> None:
            nonlocal now
            order.append(name)
            now += takes * (10 if order.count(name) <= 2 else 1)

        return Contender(name, call)

    found = compare([tick("a", 3), tick("b", 5)], rounds=4, calls=2, clock=lambda: now, cpu_clock=lambda: now)
    assert order == ["a", "a", "b", "b"] * 5
    assert [(one.name, one.median, one.p99, one.cpu_median, one.calls) for one in found] == [
        ("a", 3, 3, 3, 8),
        ("b", 5, 5, 5, 8),
    ]


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs Linux")
def test_all_threads_are_pinned_and_let_go() -> None:
    end = threading.Event()
    early = threading.Thread(target=end.wait)
    late = threading.Thread(target=end.wait)
    early.start()
    before = os.sched_getaffinity(0)
    try:
        with pinned() as alone:
            assert alone
            late.start()
            cores = {frozenset(os.sched_getaffinity(int(thread))) for thread in os.listdir("/proc/self/task")}
            assert cores == {frozenset({max(before)})}
        for thread in (early, late):
            assert thread.native_id is not None
            assert os.sched_getaffinity(thread.native_id) == before
        assert os.sched_getaffinity(0) == before
    finally:
        end.set()
        early.join()
        late.join()


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs Linux")
def test_a_pinned_row_leaves_the_library_all_cores() -> None:
    """In a process of its own: the library's threads start once."""
    code = """
import os, sys
from remotemedia._bench import main
assert main(["--quick", "--only", "gain: "]) == 0
allowed = [os.sched_getaffinity(int(thread)) for thread in os.listdir("/proc/self/task")]
assert all(cores == os.sched_getaffinity(0) for cores in allowed), allowed
names = [open(f"/proc/self/task/{thread}/comm").read() for thread in os.listdir("/proc/self/task")]
threads = sum(name.startswith("remotemedia-") for name in names)
assert threads >= min(2, len(os.sched_getaffinity(0))), names
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class _Peer:
    """Stands for soxr: gives what the function makes of ours."""

    def __init__(self, change: Callable[[Any], Any]) -> None:
        self._change = change

    def resample(self, x: Any, rate_in: int, rate_out: int, quality: str) -> Any:
        return self._change(rm.resample(x, rate_in, rate_out))


def _aliased(y: Any) -> Any:
    return y + np.float32(1e-3) * y[::-1]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda y: y[:5] * 0 + 1, "frames here"),
        (lambda y: np.roll(y, 3, axis=0), "differ by"),
        (lambda y: y * np.float32(0.9), "differ by"),
        (_aliased, "differ by"),
    ],
)
def test_a_peer_with_another_result_is_not_compared(
    change: Callable[[Any], Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "find", lambda module: _Peer(change) if module == "soxr" else None)
    if why == "frames here":
        monkeypatch.setattr(quality, "measure", lambda *_: quality.Quality(0.0, -100.0))
    row = dict(resample.rows(0.01))["resample: 60 s, 8 -> 16 kHz, mono"]()
    assert not row.comparable and row.ratio is None and why in row.note
    assert [figure.name for figure in row.figures] == ["remotemedia high", "soxr HQ"]


@pytest.mark.parametrize("word", ["mono", "stereo"])
def test_a_peer_with_the_same_result_is_compared(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find", lambda module: _Peer(lambda y: y) if module == "soxr" else None)
    row = dict(resample.rows(0.01))[f"resample: 60 s, 8 -> 16 kHz, {word}"]()
    assert row.comparable and row.ratio is not None and "unwanted" in row.note


def test_channels_that_change_places_are_seen() -> None:
    same, _ = quality.agree(lambda x: x, lambda x: x, 8_000, 8_000, 2)
    swapped, how = quality.agree(lambda x: x, lambda x: x[:, ::-1], 8_000, 8_000, 2)
    assert same and not swapped and "differ by" in how


@pytest.mark.parametrize(("rate_in", "rate_out"), [(48_000, 16_000), (8_000, 16_000)])
def test_a_poor_resampler_measures_as_one(rate_in: int, rate_out: int) -> None:
    """Dropping samples aliases, repeating them leaves images; ours does neither."""

    def nearest(x: Any) -> Any:
        return x[:: rate_in // rate_out] if rate_in > rate_out else np.repeat(x, rate_out // rate_in)

    poor = quality.measure(nearest, rate_in, rate_out)
    assert poor.unwanted_db > -20 and not poor.is_good
    ours = quality.measure(lambda x: rm.resample(x, rate_in, rate_out), rate_in, rate_out)
    assert ours.is_good and ours.unwanted_db < -100


def test_torchaudio_gets_time_as_its_last_axis(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tensor:
        def __init__(self, x: Any) -> None:
            self.x = x

        def numpy(self) -> Any:
            return self.x

    class Torch:
        from_numpy = Tensor

        @staticmethod
        def set_num_threads(count: int) -> None:
            assert count == 1

    class Functional:
        @staticmethod
        def resample(x: Tensor, rate_in: int, rate_out: int) -> Tensor:
            assert x.x.flags.c_contiguous and x.x.shape[-1] >= rate_in
            return Tensor(np.ascontiguousarray(rm.resample(np.ascontiguousarray(x.x.T), rate_in, rate_out).T))

    modules = {"torch": Torch, "torchaudio": object(), "torchaudio.functional": Functional}
    monkeypatch.setattr(peers, "find", modules.get)
    for word in ("mono", "stereo"):
        row = dict(resample.rows(0.01))[f"resample: 60 s, 8 -> 16 kHz, {word}"]()
        assert [figure.name for figure in row.figures] == ["remotemedia high", "torchaudio sinc_interp_hann"]
        assert row.ratio is None and "soxr is not installed" in row.note


def test_levels_that_differ_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    real = rm.Pipeline.run
    level = dict(sound.rows(0.01))["level: 60 s at 48 kHz in windows of 50 ms"]
    assert level().ratio is not None

    def louder(self: rm.Pipeline, item: Any) -> Any:
        found: Any = real(self, item)
        return [{**event, "peak_db": event["peak_db"] + 1} for event in found]

    monkeypatch.setattr(rm.Pipeline, "run", louder)
    row = level()
    assert not row.comparable and row.ratio is None


def test_clips_that_change_places_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    measure = dict(sound.rows(0.01))["map: 64 clips of 10 s, 48 -> 16 kHz"]
    row = measure()
    assert row.comparable and row.ratio is not None and len(row.figures) == 4
    real = rm.Pipeline.map

    def mixed(self: rm.Pipeline, clips: Any) -> Any:
        found = real(self, clips)
        return [found[1], found[0], *found[2:]]

    monkeypatch.setattr(rm.Pipeline, "map", mixed)
    row = measure()
    assert not row.comparable and row.ratio is None


def test_decisions_are_compared_every_10_ms() -> None:
    events = [
        {"event": "speech_start", "sample": 320},
        {"event": "speech_end", "start_sample": 320, "end_sample": 800},
    ]
    assert vad._from_events({"a": None, "a.events": events}, 1600).tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 0, 0]
    # Windows of 512 samples: the middle of the fourth 10 ms (560) is in the second, the rest has the last one's.
    assert vad._from_windows([False, True], 512, 1600).tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1, 1]


def test_detectors_have_no_ratio_and_say_what_they_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find", lambda module: None)
    row = dict(vad.rows(0.01))["vad: 60 s of speech at 16 kHz"]()
    assert not row.comparable and row.ratio is None
    assert "onnxruntime or silero-vad is not installed" in row.note
    share = re.search(r"taken for speech: SpeechVAD (\d+)%", row.note)
    # The recording is speech for 91 % of its time (examples/data/labels.json).
    assert share is not None and 85 <= int(share[1]) <= 97


def test_what_is_absent_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(peers, "is_installed", lambda module: module != "soxr")
    assert main(["--quick", "--only", "call: five"]) == 0
    assert "soxr is not installed, its rows are shorter: pip install soxr" in capsys.readouterr().out


def test_a_quick_run_writes_json_and_markdown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = ["--quick", "--only", "call: Pipeline.run of", "--seed-claims"]
    assert main([*wanted, "--json", str(tmp_path / "b.json"), "--markdown", str(tmp_path / "b.md")]) == 0
    found = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    assert found["format"] == 1
    assert {"date", "processor", "cores", "python", "remotemedia", "numpy", "peers"} <= set(found["machine"])
    (row,) = found["rows"]
    assert row["id"] == "call: Pipeline.run of 960 float32"
    assert all(figure["median"] > 0 and figure["p99"] >= figure["median"] for figure in row["figures"])
    sentences = [claim["sentence"] for claim in found["seed_claims"]]
    for published in ("Audio processing: 2-16x", "VAD", "Resampling: 4-6x", "Zero-copy", "~1ms"):
        assert any(published in sentence for sentence in sentences)
    page = (tmp_path / "b.md").read_text(encoding="utf-8")
    assert page.startswith("# Benchmarks\n") and "| call: Pipeline.run of 960 float32 | Pipeline.run |" in page
    assert "reached" in page and "reached" in capsys.readouterr().out


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


def test_wrong_usage_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nothing"]) == 2
    assert main(["--only", "no such row"]) == 2
    assert "--list names them" in capsys.readouterr().err
    assert main(["--list"]) == 0
    assert "import: remotemedia, more than numpy and asyncio" in capsys.readouterr().out


def test_a_row_that_fails_is_1_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from remotemedia._bench import calls

    def broken(rounds: int) -> Row:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(calls, "_five", broken)
    assert main(["--quick", "--only", "call: "]) == 1
    seen = capsys.readouterr()
    assert "FAILED: RuntimeError: on purpose" in seen.err and "call: an error with its excerpt" in seen.out


def test_a_path_that_cannot_be_written_is_2_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("--json", "--markdown"):
        for path in (tmp_path, tmp_path / "missing" / "b"):
            assert main(["--quick", "--only", "call: five", option, str(path)]) == 2
            seen = capsys.readouterr()
            assert str(path) in seen.err and "call: five" not in seen.out


def test_claims_that_fail_are_1_and_the_rows_are_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(effort: float) -> list[seed.Claim]:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(seed, "claims", broken)
    path = tmp_path / "b.json"
    assert main(["--quick", "--only", "call: five", "--seed-claims", "--json", str(path)]) == 1
    assert "FAILED: RuntimeError: on purpose" in capsys.readouterr().err
    assert len(json.loads(path.read_text(encoding="utf-8"))["rows"]) == 1


def test_a_row_in_words() -> None:
    row = Row("x: y", "us", [Figure("ours", 1500.0, 2_500_000.0, 900.0, 3)], 0.5, goal="small", note="a note")
    assert report.line(row).splitlines() == [
        "x: y",
        "    ours: 1.5 us (p99 2,500, CPU 0.9)",
        "    ratio 0.50 (wall), goal: small",
        "    a note",
    ]
