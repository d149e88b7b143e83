"""What every build must get right: the cases all languages share, and what users of other tools complain of.

`tests/conformance/README.md` in the repository says which test holds which line.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
import time
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import RESAMPLE, must, run_python

import remotemedia as rm
from remotemedia import _pins


def cases(root: Path, name: str) -> list[dict[str, Any]]:
    file = json.loads((root / "tests" / "conformance" / name).read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = file["cases"]
    return found


def test_shared_bad_manifests(root: Path) -> None:
    for case in cases(root, "manifest_errors.json"):
        # `Pipeline` takes text that begins with a bracket as JSON, and other text as a path.
        text = case["manifest"]
        if text.lstrip()[:1] != "{":
            continue
        with pytest.raises((rm.ManifestError, rm.FormatError)) as caught:
            rm.Pipeline(text)
        (problem,) = [one for one in caught.value.problems if one.severity == "error"]
        assert (problem.code, problem.path, problem.line) == (case["code"], case["path"], case["line"]), text
        assert case["says"] in str(problem)
        assert caught.value.kind == ("Format" if case["code"] >= "RM02" else "Manifest")


def item(value: dict[str, Any]) -> Any:
    if "audio" in value:
        audio = value["audio"]
        samples = np.array(audio["samples"], np.float32)
        return rm.Audio(samples.reshape(-1, audio["channels"]), audio["sample_rate_hz"])
    return value["text"] if "text" in value else value["json"]


def test_shared_runs(root: Path) -> None:
    for case in cases(root, "runs.json"):
        pipe, given = rm.Pipeline(case["manifest"]), [item(one) for one in case["input"]]
        for run in (pipe.run, lambda *items, pipe=pipe: asyncio.run(pipe.run_async(*items))):
            if "error" in case:
                with pytest.raises(rm.RemoteMediaError) as caught:
                    run(*given)
                found = {"kind": caught.value.kind, "node": caught.value.node, "item_index": caught.value.item_index}
                assert case["error"].items() <= found.items(), case["name"]
                continue
            result = run(*given)
            if len(case["output"]) == 1:
                result = dict.fromkeys(case["output"], result)
            for name, expected in case["output"].items():
                wanted = [item(one) for one in expected]
                found_items = result[name] if len(given) > 1 else [result[name]]
                found_items = [] if not given else found_items
                assert len(found_items) == len(wanted), case["name"]
                for left, right in zip(found_items, wanted, strict=True):
                    if isinstance(right, rm.Audio):
                        assert left.sample_rate == right.sample_rate
                        np.testing.assert_allclose(left.samples, right.samples, atol=1e-6)
                    else:
                        assert left == right and type(left) is type(right), case["name"]


def test_a_thousand_cancelled_runs_over_borrowed_minutes() -> None:
    """Each array's last reference dies at the cancel; the pin table keeps it while a thread may read it."""
    pipe = rm.Pipeline(RESAMPLE)
    resident = Path("/proc/self/statm")

    def megabytes() -> float:
        return int(resident.read_text().split()[1]) * 4096 / 1e6 if resident.exists() else 0.0

    async def one() -> None:
        task = asyncio.ensure_future(pipe.run_async(rm.Audio(np.zeros(2_880_000, np.float32), 48_000)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def main(rounds: int) -> None:
        for _ in range(rounds):
            await one()

    asyncio.run(main(100))
    before, threads = megabytes(), len(os.listdir("/proc/self/task")) if resident.exists() else 0
    asyncio.run(main(1000))
    gc.collect()
    for _ in range(1000):
        _pins.drain()
        if _pins.held() == 0:
            break
        pipe.run(rm.Audio(np.zeros(4800, np.float32), 48_000), timeout=60)
    assert _pins.held() <= 1
    assert megabytes() - before < 64
    if resident.exists():
        assert len(os.listdir("/proc/self/task")) <= threads + 1


def test_timeouts_of_wait_for_a_thousand_times() -> None:
    pipe = rm.Pipeline(RESAMPLE)
    audio = rm.Audio(np.zeros(2_880_000, np.float32), 48_000)

    async def main() -> int:
        ended = 0
        for _ in range(1000):
            try:
                await asyncio.wait_for(pipe.run_async(audio), 1e-6)
            except asyncio.TimeoutError:
                ended += 1
        return ended

    assert asyncio.run(main()) > 900
    assert pipe.run(audio).frames == 960_000


def test_after_a_failure_nobody_waits_for_ever() -> None:
    pipe = rm.Pipeline(RESAMPLE)
    good, bad = rm.Audio(np.zeros(480_000, np.float32), 48_000), "text " * 20_000

    async def main() -> list[object]:
        return await asyncio.gather(*(pipe.run_async(one) for one in (good, bad) * 20), return_exceptions=True)

    results = asyncio.run(asyncio.wait_for(main(), 60))
    assert [isinstance(one, rm.InputTypeError) for one in results] == [False, True] * 20


def test_deleting_in_any_order() -> None:
    import itertools

    for order in itertools.permutations("pxyv"):
        names: dict[str, Any] = {"p": rm.Pipeline(RESAMPLE), "x": rm.Audio(np.ones(96_000, np.float32), 48_000)}
        names["y"] = names["p"].run(names["x"])
        names["v"] = names["y"].samples[100:200]
        for name in order:
            if name == "v":
                assert np.isfinite(names["v"]).all()
            del names[name]


def test_threads_that_wait_take_no_time() -> None:
    """Pinned to one core or not, nothing spins: this process's CPU time stands still while it waits."""
    pipe = rm.Pipeline(RESAMPLE)
    pipe.run(rm.Audio(np.zeros(2_880_000, np.float32), 48_000), timeout=60)
    before = time.process_time()
    threading.Event().wait(0.5)
    assert time.process_time() - before < 0.1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_childs_exit_leaves_the_parents_run_alone() -> None:
    code = f"""
        import os, sys, warnings
        import numpy as np, remotemedia as rm
        warnings.simplefilter("ignore", DeprecationWarning)
        from remotemedia._inputs import Inputs
        from remotemedia._run import Job
        pipe = rm.Pipeline({RESAMPLE!r})
        audio = rm.Audio(np.ones(2_880_000, np.float32), 48_000)
        expected = pipe.run(audio)
        jobs = []
        for _ in range(4):
            inputs = Inputs([audio])
            jobs.append((Job(pipe._compiled, inputs, 0, 0), inputs))
        children = []
        for number in range(4):
            child = os.fork()
            if child == 0:
                if number % 2:
                    os._exit(0)
                sys.exit(0 if pipe.run(audio) == expected else 3)
            children.append(child)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
        for job, inputs in jobs:
            assert job.wait(60_000)
            job.take()
        assert pipe.run(audio) == expected
    """
    must(run_python(code))


def test_the_package_needs_numpy_alone() -> None:
    needed = [one for one in requires("remotemedia") or [] if "extra ==" not in one]
    assert len(needed) == 1 and needed[0].startswith("numpy")


def test_a_wrong_rate_is_seen_before_it_is_heard() -> None:
    declared = rm.Pipeline([rm.nodes.AudioResample(target_rate=16_000)], input=rm.AudioFormat(48_000, 1))
    with pytest.raises(rm.FormatError, match=r"44100.*48000"):
        declared.run(rm.Audio(np.zeros(441, np.float32), 44_100))
    with pytest.raises(rm.FormatError, match="rate"):
        rm.Pipeline(RESAMPLE).run(np.zeros(960, np.float32))


@pytest.mark.parametrize("frame", [1, 7, 160, 511, 512, 513, 4096])
def test_speech_detection_takes_frames_of_any_length_and_forgets(clip: Path, frame: int) -> None:
    x = rm.read(clip).samples[: 16_000 * 4]
    pipe = rm.Pipeline([rm.nodes.SpeechVAD()])

    def events(pieces: list[rm.Audio]) -> Any:
        return next(value for name, value in pipe.run(*pieces).items() if name.endswith(".events"))

    whole = events([rm.Audio(x, 16_000)])
    assert whole
    size = max(frame, 20)  # Frames of one sample would be 64,000 items; 20 cut just as badly.
    pieces = [rm.Audio(x[start : start + size], 16_000) for start in range(0, len(x), size)]
    assert events(pieces) == whole
    assert events([rm.Audio(x, 16_000)]) == whole


def test_nothing_is_clipped_in_the_middle() -> None:
    loud = rm.Pipeline([rm.nodes.Gain(gain_db=20.0), rm.nodes.Gain(gain_db=-20.0)])
    x = np.linspace(-1, 1, 1000, dtype=np.float32)
    np.testing.assert_allclose(loud.run(rm.Audio(x, 8000)).samples, x, rtol=1e-5)
