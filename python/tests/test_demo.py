"""The command line: the demo in an empty folder, its report, and the exit codes."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support import must

import remotemedia


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The installed command's module, in a folder of its own."""
    return subprocess.run(
        [sys.executable, "-m", "remotemedia", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Links(HTMLParser):
    """Collects what a page would load, and checks that every element is closed."""

    VOID = frozenset({"meta", "br", "link", "img", "input", "hr", "path"})

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def check_report(path: Path, clips: int) -> str:
    text = path.read_text(encoding="utf-8")
    page = Links()
    page.feed(text)
    page.close()
    assert page.open == []
    assert len(page.links) == clips
    assert all(link.startswith("data:audio/flac;base64,") for link in page.links)
    shown = re.sub(r"data:[^\"]*", "", text)
    assert "http" not in shown
    assert "url(" not in shown
    assert text.count("<svg") == clips
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    assert "did you mean `AudioResample`?" in shown
    return shown


def test_the_demo_in_an_empty_folder(tmp_path: Path) -> None:
    out = must(run(tmp_path, "demo"))
    assert [one.name for one in tmp_path.iterdir()] == ["remotemedia-demo.html"]
    assert "librivox_ss_a.flac: 9.34 s, 16000 Hz mono" in out
    assert re.search(r"[\d,]+ times real time", out)
    assert "RM0103: unknown node_type `AudioResampel`" in out
    for name in ("AudioChannels", "AudioResample", "AudioLevel", "SpeechVAD"):
        assert name in out
    assert len(re.findall(r"^ +\d+ +\d+\.\d\d s +\d+\.\d\d s +[01]\.\d\d  #+$", out, re.MULTILINE)) == 2
    shown = check_report(tmp_path / "remotemedia-demo.html", 1)
    assert shown.count("Play segment") == 2


def test_the_demo_on_the_recordings(tmp_path: Path, data: Path) -> None:
    report = tmp_path / "deep" / "report.html"
    out = must(run(tmp_path, "demo", "--data", str(data), "--report", str(report)))
    for name in (
        "jfk.wav: 11.00 s, 16000 Hz mono",
        "librivox_ss_a.flac",
        "film_bbb_stereo.wav: 3.40 s, 48000 Hz stereo",
    ):
        assert name in out
    shown = check_report(report, 3)
    assert "(c) 2008 Blender Foundation, Big Buck Bunny" in shown


def test_any_folder_of_recordings_will_do(tmp_path: Path) -> None:
    import numpy as np

    remotemedia.write(tmp_path / "<b>&.wav", np.zeros(4410, np.float32), sample_rate=44100)
    out = must(run(tmp_path, "demo", "--data", "."))
    assert "none" in out
    shown = check_report(tmp_path / "remotemedia-demo.html", 1)
    assert "&lt;b&gt;&amp;.wav" in shown


@pytest.mark.parametrize("arguments", [("--data", "nowhere"), ("--data", "."), ("--report", ".")])
def test_what_cannot_work_is_said_in_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(tmp_path, "demo", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("remotemedia demo: ")
    assert len(done.stderr.splitlines()) == 1


def test_wrong_usage_is_2(tmp_path: Path) -> None:
    for arguments in (("demo", "--nope"), ("nope",)):
        done = run(tmp_path, *arguments)
        assert done.returncode == 2, done.stderr
        assert done.stdout == ""
        assert done.stderr


def test_nodes_and_validate(tmp_path: Path) -> None:
    out = must(run(tmp_path, "nodes"))
    for name in remotemedia.nodes.__all__:
        assert name == "Node" or name in out
    assert "target_rate" in must(run(tmp_path, "nodes", "AudioResample"))
    good = tmp_path / "good.json"
    good.write_text('{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}]}', encoding="utf-8")
    must(run(tmp_path, "validate", "good.json"))
    bad = tmp_path / "bad.json"
    bad.write_text('{"version": "v1", "nodes": [{"id": "a", "node_type": "PassTrough"}]}', encoding="utf-8")
    done = run(tmp_path, "validate", "bad.json")
    assert done.returncode == 1
    assert "PassThrough" in done.stdout + done.stderr


def test_help_names_every_command(tmp_path: Path) -> None:
    out = must(run(tmp_path, "--help"))
    for name in ("demo", "nodes", "validate"):
        assert name in out
    assert "--report" in must(run(tmp_path, "demo", "--help"))


def test_the_console_script_is_the_module(tmp_path: Path) -> None:
    from importlib.metadata import entry_points

    (script,) = [one for one in entry_points(group="console_scripts") if one.name == "remotemedia"]
    assert script.value == "remotemedia.__main__:main"
    assert script.load()(["demo", "--data", str(tmp_path / "nowhere")]) == 1
