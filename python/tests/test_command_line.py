"""The command of the wheel: the core's commands, and what Python adds to them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import run_python

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


EVENTS = ["run", "m.json", "-i", "-", "--raw", "s16le,16000,1"]
TO_STDOUT = {
    "events": [*EVENTS, "-o", "level.events=-"],
    "audio": [*EVENTS, "-o", "level=-"],
    "--json": [*EVENTS, "--json"],
    "report": EVENTS,
    "nodes": ["nodes"],
    "nodes --json": ["nodes", "--json"],
    "validate": ["validate", "m.json"],
    "validate --json": ["validate", "m.json", "--json"],
    "explain": ["explain"],
    "latency": ["latency", "m.json", "--sample-rate", "16000"],
    "verify": ["verify", "Gain", "--rounds", "1"],
    "doctor": ["doctor"],
    "--help": ["--help"],
    "run --help": ["run", "--help"],
    "--version": ["--version"],
    "bench --list": ["bench", "--list"],
    "bench --help": ["bench", "--help"],
    "bench": ["bench", "--quick", "--only", "node: TextCase"],
    "demo": ["demo", "--report", "r.html"],
    "demo --help": ["demo", "--help"],
}


def to_stdout(arguments: list[str], stdout: int | None, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a command with another standard output; closed for None."""
    manifest = rm.Pipeline([rm.nodes.AudioLevel(id="level")]).manifest
    (cwd / "m.json").write_text(json.dumps(manifest), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "remotemedia", *arguments],
        input=bytes(64_000),
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=cwd,
        timeout=120,
        check=False,
        preexec_fn=(lambda: os.close(1)) if stdout is None else None,
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a full disk, as Linux has it")
@pytest.mark.parametrize("arguments", TO_STDOUT.values(), ids=list(TO_STDOUT))
def test_what_cannot_be_printed_is_a_failure(arguments: list[str], tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = to_stdout(arguments, full.fileno(), tmp_path)
    said = done.stderr.decode()
    assert done.returncode == 1 and "standard output cannot be written: No space left" in said, said
    assert "Traceback" not in said and "Exception" not in said
    done = to_stdout(arguments, None, tmp_path)
    said = done.stderr.decode()
    assert done.returncode == 1 and "error: standard output cannot be written" in said, said
    assert "Traceback" not in said and "Exception" not in said


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.parametrize("arguments", TO_STDOUT.values(), ids=list(TO_STDOUT))
def test_a_reader_that_has_gone_ends_it_quietly(arguments: list[str], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = to_stdout(arguments, writing, tmp_path)
    finally:
        os.close(writing)
    said = done.stderr.decode()
    assert done.returncode == 0 and "error" not in said and "Traceback" not in said and "Exception" not in said, said


@pytest.mark.skipif(os.name != "posix", reason="descriptors of POSIX")
def test_files_do_not_take_the_place_of_closed_streams(tmp_path: Path) -> None:
    rm.write(tmp_path / "in.wav", rm.Audio(np.full(1600, 0.25, np.float32), 16000))
    manifest = rm.Pipeline([rm.nodes.PassThrough()]).manifest
    (tmp_path / "m.json").write_text(json.dumps(manifest), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "remotemedia", "run", "m.json", "-i", "in.wav", "-o", "out.wav"],
        cwd=tmp_path,
        timeout=120,
        check=False,
        preexec_fn=lambda: os.closerange(0, 3),
    )
    # The report could not be printed; what was to be written is whole.
    assert done.returncode == 1
    assert rm.read(tmp_path / "out.wav") == rm.read(tmp_path / "in.wav")


def test_outputs_are_checked_before_the_work(tmp_path: Path) -> None:
    manifest = rm.Pipeline([rm.nodes.EnergyVAD(id="vad")]).manifest
    (tmp_path / "m.json").write_text(json.dumps(manifest), encoding="utf-8")
    (tmp_path / "file").touch()
    wrong = {
        "out.mp3": "name the file .wav or .flac",
        "out": "name the file .wav or .flac",
        "vad.events=out.wav": "name the file .txt or .jsonl",
        "no/such/out.wav": "no/such/out.wav: No such file or directory",
        "file/out.wav": "file/out.wav: Not a directory",
        f"{'n' * 252}.wav": "File name too long",
        "vda=out.wav": "did you mean `vad`?",
        "./": "expected a file",
    }
    for output, said in wrong.items():
        # Standard input is never closed: whoever read it first would wait for ever.
        child = subprocess.Popen(
            [sys.executable, "-m", "remotemedia", "run", "m.json", "-i", "-", "-o", output],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
        )
        assert child.stderr is not None and child.stdin is not None
        text = child.stderr.read().decode()
        assert child.wait(60) == 1 and said in text and ".part" not in text, text
        child.stdin.close()
        child.stderr.close()
    for report in ("file/r.html", "."):
        done = command("demo", "--report", report, cwd=tmp_path)
        assert done.returncode == 1 and report.split("/")[0] in done.stderr and done.stdout == "", done
    for path in ("no/such.json", "."):
        done = command("bench", "--only", "node: Gain", "--json", path, cwd=tmp_path)
        assert done.returncode == 2 and "cannot be written" in done.stderr, done
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "m.json"]


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps(rm.Pipeline([rm.nodes.PassThrough()]).manifest), encoding="utf-8")
    name = f"{'n' * 251}.wav"
    done = command("run", "m.json", "-i", str(clip), "-o", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert rm.read(tmp_path / name).frames == rm.read(clip).frames
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.json", name]


def test_samples_without_a_header_go_into_no_file_with_one(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps(rm.Pipeline([rm.nodes.PassThrough()]).manifest), encoding="utf-8")
    samples = np.arange(1600, dtype="<i2")
    (tmp_path / "in.raw").write_bytes(samples.tobytes())
    for name in ("out.wav", "out.raw"):
        done = command("run", "m.json", "-i", "in.raw", "-o", name, "--raw", "s16le,16000,1", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert np.array_equal(rm.read(tmp_path / "out.wav", dtype="int16").samples, samples)
    assert (tmp_path / "out.raw").read_bytes() == samples.tobytes()


def test_validate_and_run_agree_about_code(tmp_path: Path) -> None:
    manifest = {"version": "v1", "nodes": [{"id": "a", "node_type": "Python", "params": {"class": "m:C"}}]}
    (tmp_path / "m.json").write_text(json.dumps(manifest), encoding="utf-8")
    for arguments in (["validate", "m.json"], ["run", "m.json"], ["latency", "m.json"]):
        done = command(*arguments, cwd=tmp_path)
        assert done.returncode == 1 and "RM0144" in done.stdout + done.stderr, done
    assert command("validate", "m.json", "--allow-python", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("filter", ["garbage", "deubg", "remotemedia=loud"])
def test_a_filter_of_the_log_that_is_none_is_reported(filter: str) -> None:
    done = command("nodes", RUST_LOG=filter)
    assert done.returncode == 0 and "RUST_LOG" in done.stderr, done.stderr
    done = command("doctor", "--json", RUST_LOG=filter)
    found = {one["name"]: one for one in json.loads(done.stdout)["findings"]}
    assert found["RUST_LOG"]["state"] == "warning"
    code = "import remotemedia as rm; rm.Pipeline([rm.nodes.Gain()])"
    assert "RUST_LOG" in run_python(code, RUST_LOG=filter).stderr
    for fine in ("", "warn", "remotemedia=debug,off", "hyper=info"):
        assert "RUST_LOG is not used" not in run_python(code, RUST_LOG=fine).stderr
        assert command("nodes", RUST_LOG=fine).stderr == ""


def test_names_of_manifests_are_not_obeyed_by_a_terminal(tmp_path: Path) -> None:
    evil = "\x1b[2J\x9b31m\x7f"
    manifest = {"version": "v1", "nodes": [{"id": evil, "node_type": "AudioLevel", evil: 1}]}
    (tmp_path / "m.json").write_text(json.dumps(manifest), encoding="utf-8")
    (tmp_path / "in.raw").write_bytes(bytes(32_000))
    for arguments in (
        ["validate", "m.json"],
        ["validate", "m.json", "--json"],
        ["run", "m.json", "-i", "in.raw", "--raw", "s16le,16000,1", "--metrics"],
        ["run", "m.json", "-i", "in.raw", "--raw", "s16le,16000,1", "--json"],
        ["run", "m.json", "-i", "in.raw", "-o", f"{evil}=x.wav"],
        ["latency", "m.json", "--sample-rate", "16000"],
        ["verify", "m.json", "--rounds", "1"],
        ["nodes", evil],
    ):
        done = command(*arguments, cwd=tmp_path)
        shown = done.stdout + done.stderr
        assert shown and not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown), (arguments, shown)
        if "--json" in arguments:
            json.loads(done.stdout)
    with pytest.warns(rm.ManifestWarning, match=r"\\u001b\[2J"):
        summary = str(rm.Pipeline(manifest))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", summary)
