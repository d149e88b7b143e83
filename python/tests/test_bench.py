"""The benchmark command: its arithmetic, its refusals, what it writes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from remotemedia._bench import calls, main, peers, report, seed
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
ours = 0
for thread in os.listdir("/proc/self/task"):
    try:
        cores = os.sched_getaffinity(int(thread))
        name = open(f"/proc/self/task/{thread}/comm").read()
    except (ProcessLookupError, FileNotFoundError):  # It has ended since.
        continue
    assert cores == os.sched_getaffinity(0), (name, cores)
    ours += name.startswith("remotemedia-")
assert ours >= 1  # How many there are depends on how fast the first was.
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


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


def test_wrong_usage_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nothing"]) == 2
    assert main(["--only", "no such row"]) == 2
    assert "--list names them" in capsys.readouterr().err
    assert main(["--list"]) == 0
    assert "import: remotemedia, more than numpy and asyncio" in capsys.readouterr().out


def test_a_row_that_fails_is_1_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
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


def test_a_busy_thread_is_measured_pinned_and_not() -> None:
    before = threading.active_count()
    row = dict(calls.rows(0.01))["call: Pipeline.run beside a busy Python thread"]()
    assert [figure.name for figure in row.figures] == [
        "beside a busy thread, not pinned",
        "beside a busy thread, pinned to one core",
        "alone, not pinned",
        "alone, pinned to one core",
    ]
    assert len({figure.calls for figure in row.figures}) == 1
    assert threading.active_count() == before


def test_sizes_are_bytes_without_percentiles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "b.md"
    assert main(["--only", "size: ", "--markdown", str(page)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^    remotemedia: [\d.]+ MB$", shown, re.M) and "p99" not in shown
    row = next(line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| size: "))
    assert re.fullmatch(r"\| size: what is installed \| remotemedia \| [\d.]+ MB \| - \| - \|  \|", row), row
