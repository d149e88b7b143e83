"""The command of the wheel: the core's commands, and what Python adds to them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import remotemedia as rm


def command(*arguments: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "remotemedia", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=120,
        env={**os.environ, **more},
        check=False,
    )


def test_a_run_writes_what_python_computes(tmp_path: Path, clip: Path) -> None:
    pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=8000), rm.nodes.Gain(gain_db=-3.0)])
    (tmp_path / "m.json").write_text(json.dumps(pipe.manifest), encoding="utf-8")
    done = command("run", "m.json", "-i", str(clip), "-o", "out.wav", "--subtype", "FLOAT", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert rm.read(tmp_path / "out.wav") == pipe.run(rm.read(clip))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.json", "out.wav"]


def test_the_doctor_knows_python() -> None:
    done = command("doctor", "--json")
    found = {one["name"]: one for one in json.loads(done.stdout)["findings"]}
    assert found["Python"]["text"].startswith(f"cpython {sys.version.split()[0]}")
    assert {"numpy", "package", "compute threads", "resampling"} <= set(found)
    assert all(one["state"] in ("ok", "warning") for one in found.values()), done.stdout
    assert done.returncode == 0


def test_validate_and_explain(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"version": "v1", "nodes": [{"id": "a", "node_type": "queue"}]}')
    done = command("validate", "bad.json", cwd=tmp_path)
    assert done.returncode == 1 and "bad.json:1:54" in done.stdout and "leave it out" in done.stdout
    done = command("validate", "bad.json", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["problems"][0]["code"] == "RM0103"
    assert "Unknown node_type" in command("explain", "RM0103").stdout


def test_every_code_of_the_classes_is_explained() -> None:
    known = {one["code"] for one in json.loads(command("explain", "--json").stdout)}
    classes = [
        one for one in vars(rm.errors).values() if isinstance(one, type) and issubclass(one, rm.RemoteMediaError)
    ]
    assert {one._default_code for one in classes} <= known
    assert all(re.fullmatch(r"RM0\d{3}", code) for code in known)


def test_exit_codes_and_help() -> None:
    assert command().returncode == 2
    assert command("frobnicate").returncode == 2
    assert command("nodes", "Gian").returncode == 1
    done = command("--help")
    assert done.returncode == 0
    for name in ("run", "validate", "nodes", "explain", "doctor", "demo", "bench"):
        assert re.search(rf"^  {name} ", done.stdout, re.MULTILINE), name


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_ends_a_command_at_once(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps(rm.Pipeline([rm.nodes.PassThrough()]).manifest), encoding="utf-8")
    child = subprocess.Popen(
        [sys.executable, "-m", "remotemedia", "run", "m.json", "-i", "-", "-o", "out.wav"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert child.stdin is not None
    # More than a pipe holds: when it is written, the command reads.
    child.stdin.write(b"RIFF" + bytes(1_000_000))
    child.stdin.flush()
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == -signal.SIGINT
    child.communicate()
    assert not (tmp_path / "out.wav").exists()
