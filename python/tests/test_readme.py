"""The README: its Python blocks run, and so do the rows of its table for users of the published v0.4.

What a comment behind a `print` says is what is printed. Blocks share one namespace, in order, in a folder with
`speech.flac`, `speech.wav`, `stereo.wav` and `talk.json`;
`await` may stand at the top. A block after `<!-- not run: REASON -->` is left out, and the reason is shown.
A row of the table "published v0.4" is run when its last cell begins with `run`: its second-to-last cell is a command
(`python ...`, `remotemedia ...`) or Python code, in backticks.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import remotemedia as rm

BLOCK = re.compile(
    r"(?P<mark><!-- not run: (?P<reason>[^>]*?) -->\s*)?^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    path = root / "README.md"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    return path.read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, clip: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(clip, tmp_path / "speech.flac")
    audio = rm.read(clip)
    rm.write(tmp_path / "speech.wav", audio)
    rm.write(tmp_path / "stereo.wav", np.stack([audio.samples] * 2, axis=1), sample_rate=audio.sample_rate)
    shutil.copy(root / "examples" / "manifests" / "speech.json", tmp_path / "talk.json")
    monkeypatch.chdir(tmp_path)
    return tmp_path


PRINTED = re.compile(r"^\s*print\(.*\)\s+# (?P<said>[\[{(/\d].*|[A-Z]\w+\(.*)$")
"""A line that prints, with what it prints as its comment. A comment that begins with a word explains instead."""


class Printed:
    """What each line of the README has printed first."""

    def __init__(self) -> None:
        self.by_line: dict[int, str] = {}

    def __call__(self, *values: object, **settings: Any) -> None:
        caller = inspect.currentframe()
        assert caller is not None and caller.f_back is not None
        if caller.f_back.f_code.co_filename == "README.md":
            self.by_line.setdefault(caller.f_back.f_lineno, " ".join(map(str, values)))
        print(*values, **settings)

    def check(self, readme: str) -> int:
        """Compare it with the comments; how many there were."""
        count = 0
        for number, line in enumerate(readme.splitlines(), 1):
            found = PRINTED.match(line)
            if found is None or number not in self.by_line:
                continue
            said, printed = found["said"], self.by_line[number]
            start, cut, _ = said.partition("...")
            # Behind what is printed may stand why; `...` stands for the rest.
            assert printed.startswith(start.rstrip()) if cut else said.startswith(printed), (number, said, printed)
            count += 1
        return count


def execute(code: str, name: str, namespace: dict[str, object]) -> None:
    """Run code that may `await` at the top."""
    compiled = compile(code, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(compiled, namespace)
    if inspect.iscoroutine(result):
        asyncio.run(result)


def test_every_python_block_runs(readme: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = Printed()
    namespace: dict[str, object] = {"__name__": "readme", "print": printed}
    count = 0
    for found in BLOCK.finditer(readme):
        line = readme[: found.start("code")].count("\n") + 1
        if found["mark"]:
            print(f"README line {line} is not run: {found['reason']}")
            continue
        with warnings.catch_warnings():
            # The published examples pass bare arrays and text: that warns, as the README says.
            warnings.simplefilter("ignore", rm.RemoteMediaWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            execute("\n" * (line - 1) + found["code"], "README.md", namespace)
        count += 1
    assert count >= 2
    assert printed.check(readme) >= 6
    assert "Traceback" not in capsys.readouterr().out


def rows(readme: str) -> list[list[str]]:
    """The cells of every table row in sections that speak of v0.4."""
    sections = re.split(r"^(?=#+ )", readme, flags=re.MULTILINE)
    lines = [line for section in sections if "v0.4" in section for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_rows_for_users_of_v04_run(readme: str, folder: Path) -> None:
    runnable = [cells for cells in rows(readme) if len(cells) >= 3 and cells[-1].lower().startswith("run")]
    assert runnable, "no row of the table is marked `run`"
    for cells in runnable:
        (command,) = re.findall(r"`([^`]+)`", cells[-2])[:1] or [""]
        assert command, cells
        command = command.replace("\\|", "|")
        if command.split()[0] in ("python", "remotemedia"):
            bin = Path(sys.executable).parent
            environment = {**os.environ, "PATH": f"{bin}{os.pathsep}{os.environ.get('PATH', '')}"}
            done = subprocess.run(
                command,
                shell=True,
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, (command, done.stderr)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                execute(command, "README.md table", {"__name__": "readme"})
