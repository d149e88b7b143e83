"""What SECURITY.md promises of the package's own code and of manifests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support import manifest, node

import remotemedia as rm

FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "breakpoint"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "socket", "urllib", "http", "ftplib", "smtplib", "ssl"}


def test_the_package_runs_no_text_and_opens_no_connection() -> None:
    sources = sorted(Path(rm.__file__).parent.rglob("*.py"))
    assert len(sources) > 30
    for path in sources:
        generated = "_native" in path.parts
        for place in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            where = f"{path}:{getattr(place, 'lineno', 0)}"
            if isinstance(place, ast.Call) and isinstance(place.func, ast.Name):
                assert place.func.id not in FORBIDDEN_CALLS, where
            names: list[str] = []
            if isinstance(place, ast.Import):
                names = [one.name for one in place.names]
            elif isinstance(place, ast.ImportFrom):
                names = [place.module or ""]
            assert generated or not {name.partition(".")[0] for name in names} & FORBIDDEN_MODULES, where


@pytest.mark.parametrize(
    "wrong",
    [
        manifest(node("a", "PythonNode", module="os", function="system")),
        manifest(node("a", "os.system")),
        manifest(node("a", "python:os:system")),
        manifest({"id": "a", "node_type": "PassThrough", "execution": {"placement": "process"}}),
        manifest({"id": "a", "node_type": "PassThrough", "params": {"python": "/usr/bin/python3"}}),
    ],
)
def test_a_manifest_that_would_run_code_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(rm.ManifestError) as caught:
        rm.Pipeline(wrong)
    assert caught.value.problems[0].code in ("RM0103", "RM0110", "RM0121")


def test_a_key_that_names_code_has_no_effect_and_says_so() -> None:
    wrong = manifest({"id": "a", "node_type": "PassThrough", "execution": {"interpreter": "/bin/sh"}})
    with pytest.warns(rm.ManifestWarning, match="interpreter"):
        assert rm.Pipeline(wrong).run("x") == "x"


def test_every_linked_package_has_its_licence_text() -> None:
    from importlib.metadata import files

    found = [one for one in files("remotemedia") or [] if one.name == "THIRD-PARTY-LICENSES"]
    if not found:
        pytest.skip("an editable package has no licence files")
    text = found[0].read_text()
    head, _, sections = text.partition("=" * 100)
    packages = [line[2:].partition(": ")[0] for line in head.splitlines() if line.startswith("- ")]
    assert len(packages) > 80
    titles = [line for section in sections.split("=" * 100) for line in section.strip().splitlines()[:1]]
    named = {name for title in titles for name in title.split(", ")}
    assert set(packages) <= named, set(packages) - named


@pytest.mark.parametrize(
    "permit",
    [
        {"allow_python": True},
        {"metadata": {"name": "a", "allow_python": True}},
        {"nodes": [{"id": "a", "node_type": "Python", "params": {"class": "os:Class"}, "allow_python": True}]},
        {
            "nodes": [
                {
                    "id": "a",
                    "node_type": "Python",
                    "params": {"class": "os:Class"},
                    "execution": {"allow_python": True},
                }
            ]
        },
    ],
    ids=["manifest", "metadata", "node", "execution"],
)
def test_a_manifest_cannot_permit_itself(permit: dict[str, object]) -> None:
    code = manifest({"id": "a", "node_type": "Python", "params": {"class": "os:Class"}})
    with pytest.raises(rm.ManifestError, match="allow_python=True") as caught:
        rm.Pipeline({**code, **permit})
    assert "RM0144" in [problem.code for problem in caught.value.problems]


def test_no_public_object_takes_an_address() -> None:
    pipe = rm.Pipeline([rm.nodes.PassThrough()])
    with pipe.session(48000, 1) as session:
        for one in (rm, *(getattr(rm, name) for name in rm.__all__), pipe, session, rm.nodes, rm.errors):
            assert [name for name in dir(one) if name.startswith("raw_")] == [], one
