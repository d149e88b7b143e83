"""Manifests that are wrong: the code, the place, the node and the fix; all problems at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import manifest, node

import remotemedia as rm

ONE = manifest(node())


def resample(**params: Any) -> dict[str, Any]:
    return manifest(node("a", "AudioResample", **params))


def linked(*connections: tuple[str, str], nodes: str = "ab", **more: str) -> dict[str, Any]:
    made = [{"from": first, "to": second, **more} for first, second in connections]
    return {**manifest(*(node(name) for name in nodes)), "connections": made}


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in ONE.items() if name != key}


# What is wrong: code, JSON pointer, node, and a word of the answer that tells what to do.
WRONG: dict[str, tuple[Any, str, str, str | None, str]] = {
    "no JSON": ("{nope}", "RM0101", "", None, "JSON"),
    "cut off": ('{"version": "v1", ', "RM0101", "", None, "JSON"),
    "no version": (without("version"), "RM0104", "", None, '"version": "v1"'),
    "version v99": ({**ONE, "version": "v99"}, "RM0106", "/version", None, "v1"),
    "no nodes": (without("nodes"), "RM0104", "", None, "nodes"),
    "empty nodes": (manifest(), "RM0107", "/nodes", None, "at least one"),
    "nodes is a number": ({**ONE, "nodes": 3}, "RM0105", "/nodes", None, "list"),
    "id twice": (linked(("a", "b"), nodes="aba"), "RM0108", "/nodes/2/id", "a", "another name"),
    "unknown type": (manifest(node("a", "AudioResampel")), "RM0103", "/nodes/0/node_type", "a", "`AudioResample`"),
    "another system's name": (
        manifest(node("a", "audioresample")),
        "RM0103",
        "/nodes/0/node_type",
        "a",
        "`AudioResample`",
    ),
    "unknown param": (resample(target_rate=16000, targt=1), "RM0110", "/nodes/0/params/targt", "a", "target_rate"),
    "mistyped param": (resample(target_rate="16000"), "RM0111", "/nodes/0/params/target_rate", "a", "whole number"),
    "param out of range": (resample(target_rate=0), "RM0112", "/nodes/0/params/target_rate", "a", "1536000"),
    "param missing": (resample(), "RM0113", "/nodes/0/params", "a", "target_rate"),
    "dangling end": (linked(("a", "b"), ("b", "nowhere")), "RM0114", "/connections/1/to", None, "nowhere"),
    "dangling start": (linked(("a", "b"), ("nowhere", "b")), "RM0114", "/connections/1/from", None, "nowhere"),
    "self-loop": (linked(("a", "a"), nodes="a"), "RM0116", "/connections/0", "a", "itself"),
    "cycle": (linked(("a", "b"), ("b", "a")), "RM0117", "/connections", None, "remove one"),
    "wrong output port": (linked(("a", "b"), from_port="side"), "RM0115", "/connections/0/from_port", "a", "out"),
    "wrong input port": (linked(("a", "b"), to_port="side"), "RM0115", "/connections/0/to_port", "b", "in"),
    "two into one": (linked(("a", "c"), ("b", "c"), nodes="abc"), "RM0118", "/connections/1", "c", "keep this one"),
    "no connections": (linked(), "RM0120", "/connections", None, '"from": "a"'),
    "unknown result": ({**ONE, "outputs": ["z"]}, "RM0123", "/outputs/0", None, "node.port"),
    "nested brackets": ("[" * 2**19 + "]" * 2**19, "RM0102", "", None, "deep"),
    "key twice": ('{"version": "v1", "version": "v1", "nodes": []}', "RM0122", "/version", None, "twice"),
    "not a number": (resample(target_rate=float("nan")), "RM0100", "/nodes/0/params/target_rate", None, "nan"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_answered_with_code_place_and_fix(name: str) -> None:
    wrong, code, path, at_node, word = WRONG[name]
    with pytest.raises(rm.ManifestError) as caught:
        rm.Pipeline(wrong)
    error = caught.value
    found = [problem for problem in error.problems if problem.code == code and problem.path == path]
    assert found, f"{error}\n{error.problems}"
    problem = found[0]
    assert word in str(problem)
    assert str(problem) in str(error)
    if at_node is not None:
        assert problem.node == at_node
    assert problem.severity == "error"
    assert isinstance(error, ValueError)
    assert error.__suppress_context__
    json.dumps(error.to_dict())


def test_text_has_the_line() -> None:
    text = json.dumps(manifest(node("a"), node("b", "PassTrough")), indent=1)
    line = 1 + text[: text.index("PassTrough")].count("\n")
    with pytest.raises(rm.ManifestError, match=rf"line {line}\b.*`PassThrough`"):
        rm.Pipeline(text)


def test_text_and_files_get_an_excerpt_and_dicts_do_not(tmp_path: Path) -> None:
    wrong = manifest(node("a", "AudioResampel"))
    text = json.dumps(wrong, indent=1)
    path = tmp_path / "talk.json"
    path.write_text(text, encoding="utf-8")
    for form, place in ((text, "line 9, column 17"), (path, f"{path}:9:17"), (str(path), f"{path}:9:17")):
        with pytest.raises(rm.ManifestError) as caught:
            rm.Pipeline(form)
        (problem,) = caught.value.problems
        assert (problem.line, problem.column, problem.end_column) == (9, 17, 32)
        assert problem.excerpt is not None
        assert problem.excerpt.splitlines() == [
            f" --> {place}",
            "  |",
            '9 |    "node_type": "AudioResampel"',
            "  |                 ^^^^^^^^^^^^^^^",
        ]
        assert str(caught.value) == f"{problem}\n{problem.excerpt}"
        assert caught.value.to_dict()["problems"] == [problem.to_dict()]
    with pytest.raises(rm.ManifestError) as caught:
        rm.Pipeline(wrong)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.end_column, problem.excerpt) == (None, None, None, None)
    assert "\n" not in str(caught.value)


def test_all_problems_come_at_once_one_per_line() -> None:
    wrong = {**manifest(node("a", "AudioResampel"), node("b", "Gain", gain_db="loud")), "version": "v2"}
    with pytest.raises(rm.ManifestError) as caught:
        rm.Pipeline(wrong)
    error = caught.value
    assert {problem.code for problem in error.problems} == {"RM0103", "RM0106", "RM0111"}
    lines = str(error).splitlines()
    assert len(lines) == 1 + 3
    assert [line.strip() for line in lines[1:]] == [str(problem) for problem in error.problems]


def test_formats_that_do_not_fit_name_the_node() -> None:
    declared = {"type": "audio", "sample_rate_hz": 44100, "channels": 2}
    wrong = manifest(node("a", "AudioResample", target_rate=16000, source_rate=48000), input=declared)
    with pytest.raises((rm.FormatError, rm.ManifestError), match="44100") as caught:
        rm.Pipeline(wrong)
    assert caught.value.node == "a"
    assert isinstance(caught.value, ValueError)


def test_unknown_keys_warn_and_run() -> None:
    with pytest.warns(rm.ManifestWarning, match="comment") as caught:
        pipe = rm.Pipeline({**ONE, "comment": "kept by hand"})
    assert len(caught) == 1
    assert [problem.severity for problem in pipe.warnings] == ["warning"]
    assert pipe.run("x") == "x"


def test_ten_thousand_nodes() -> None:
    pipe = rm.Pipeline(manifest(*(node(f"n{index}") for index in range(10_000))))
    assert pipe.run("through") == "through"


def test_paths_and_text_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps(ONE), encoding="utf-8")
    for form in (path, str(path), json.dumps(ONE), "\n  " + json.dumps(ONE), ONE, [node("x")], json.dumps([node("x")])):
        assert rm.Pipeline(form).run(1) == 1
    with pytest.raises(rm.IoError, match=r"begins with \{ or \[") as caught:
        rm.Pipeline("nowhere.json")
    assert caught.value.path == "nowhere.json"
    with pytest.raises(rm.InputTypeError):
        rm.Pipeline(3)  # type: ignore[arg-type]
    with pytest.raises(rm.InputTypeError, match="node 1"):
        rm.Pipeline([node("x"), 3])  # type: ignore[list-item]
    with pytest.raises(rm.ManifestError, match="/nodes"):
        rm.Pipeline([])
