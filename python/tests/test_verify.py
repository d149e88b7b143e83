"""The certificate, and what is known before a run."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import remotemedia as rm


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "remotemedia", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_pipelines_nodes_and_manifests_get_the_certificate():
    nodes = [rm.nodes.AudioResample(target_rate=16000), rm.nodes.SpeechVAD()]
    for subject in (rm.Pipeline(nodes), nodes, rm.nodes.Gate(), rm.Pipeline(nodes).manifest):
        found = rm.verify(subject, rounds=2)
        assert found.passed
        assert found.largest_difference == 0
        assert len(found.cases) > 10
        assert "passed" in str(found)


def test_audio_of_the_user_is_what_is_fed():
    audio = rm.Audio(np.random.default_rng(1).standard_normal(20_000).astype(np.float32) * 0.1, 22050)
    found = rm.verify([rm.nodes.AudioResample(target_rate=16000)], audio=audio, rounds=3)
    assert found.passed
    assert all(case.what.startswith("22050 Hz, 1 channel") for case in found.cases)


def test_wrong_arguments_are_refused():
    with pytest.raises(rm.InputValueError, match="rounds"):
        rm.verify(rm.nodes.Gain(), rounds=0)
    with pytest.raises(rm.InputTypeError, match="audio"):
        rm.verify(rm.nodes.Gain(), audio=np.zeros(3))  # type: ignore[arg-type]
    with pytest.raises(rm.ManifestError, match="target_rate"):
        rm.verify(
            rm.nodes.make_node("AudioResample")
            if hasattr(rm.nodes, "make_node")
            else {"nodes": [{"id": "a", "node_type": "AudioResample"}], "version": "v1"}
        )


def test_the_command_line_verifies(tmp_path):
    done = run("verify", "AudioResample", "--params", '{"target_rate": 16000}', "--rounds", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "passed" in done.stdout
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"version": "v1", "nodes": [{"id": "g", "node_type": "Gain"}]}))
    done = run("verify", str(path), "--json", "--rounds", "1")
    assert json.loads(done.stdout)["passed"] is True
    done = run("verify", "Nonsense")
    assert done.returncode == 1
    assert "Nonsense" in done.stderr
    assert run("verify", "Gain", "--params", "{").returncode == 1


def test_the_command_line_says_the_latency(tmp_path):
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"version": "v1", "nodes": [{"id": "cut", "node_type": "Chunk", "params": {"ms": 20}}]}))
    done = run("latency", str(path))
    assert done.returncode == 1
    assert "declare" in done.stderr
    done = run("latency", str(path), "--sample-rate", "16000")
    assert done.returncode == 0
    assert "cut -> cut: held back 0.00 to 19.94 ms" in done.stdout
    assert "cut: Chunk writes the same samples" in done.stdout
    found = json.loads(run("latency", str(path), "--sample-rate", "16000", "--json").stdout)
    assert found["latency"][0]["max_ms"] == pytest.approx(19.9375)
    assert [copy["place"] for copy in found["copies"]] == ["input", "cut", "result cut"]


def test_latency_is_none_until_formats_are_declared():
    nodes = [rm.nodes.AudioResample(target_rate=16000)]
    assert rm.Pipeline(nodes).latency is None
    known = rm.Pipeline(nodes, input=rm.AudioFormat(48000, 1)).latency
    assert known is not None
    assert 0 < known[0].max_ms < 100
    # What is predicted is what a session holds back.
    with rm.Pipeline(nodes).session(48000, 1) as session:
        frames = sum(len(session.process(np.zeros(48, np.float32))) for _ in range(1000))
        session.reset()
    held_ms = 1000 - frames / 16
    assert known[0].min_ms <= held_ms <= known[0].max_ms + 1


def test_a_budget_is_an_error_with_its_line():
    manifest = {
        "version": "v1",
        "input": {"type": "audio", "sample_rate_hz": 48000, "channels": 1},
        "budget": {"latency_ms": 5},
        "nodes": [{"id": "rate", "node_type": "AudioResample", "params": {"target_rate": 16000}}],
    }
    with pytest.raises(rm.ManifestError, match="`rate`") as caught:
        rm.Pipeline(json.dumps(manifest, indent=1))
    assert caught.value.code == "RM0142"
    assert caught.value.problems[0].line is not None
