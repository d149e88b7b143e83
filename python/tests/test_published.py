"""The API published for v0.4: every call as printed, what it accepts and what it answers."""

from __future__ import annotations

import asyncio
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import PASS, RESAMPLE, manifest, node, run_python

import remotemedia as rm
from remotemedia.runtime import (
    audio_dict_to_numpy,
    execute_pipeline,
    execute_pipeline_with_input,
    numpy_to_audio_dict,
)


def run(manifest_json: Any, *items: Any, metrics: bool = False) -> Any:
    return asyncio.run(execute_pipeline_with_input(manifest_json, list(items), metrics))


def test_without_input_the_readme_manifest_gives_none() -> None:
    assert asyncio.run(execute_pipeline(RESAMPLE)) is None
    assert asyncio.run(execute_pipeline(RESAMPLE, True))["outputs"] is None


def test_results_follow_the_number_of_items() -> None:
    assert run(PASS) is None
    assert run(PASS, "one") == "one"
    assert run(PASS, "one", 2, None, [3]) == ["one", 2, None, [3]]


def test_the_manifest_may_be_text_a_dict_or_a_path(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text("\ufeff" + PASS, encoding="utf-8")
    for form in (PASS, json.loads(PASS), path):
        assert run(form, "x") == "x"
    with pytest.raises(rm.InputTypeError, match="bytes"):
        run(PASS.encode(), "x")
    with pytest.raises(rm.IoError, match="nowhere") as caught:
        run(tmp_path / "nowhere.json", "x")
    assert isinstance(caught.value, OSError)
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(rm.ManifestError, match="UTF-8"):
        run(path, "x")


def test_input_data_is_a_list() -> None:
    for wrong in ("text", b"bytes", {"a": 1}, 3, None, iter([1])):
        with pytest.raises(rm.InputTypeError, match="input_data"):
            asyncio.run(execute_pipeline_with_input(PASS, wrong))  # type: ignore[arg-type]
    assert asyncio.run(execute_pipeline_with_input(PASS, ("a", "b"))) == ["a", "b"]


def test_metrics_have_the_published_keys() -> None:
    chain = manifest(node("one"), node("resample", "AudioResample", target_rate=16000))
    result = run(chain, rm.Audio(np.zeros(48000, np.float32), 48000), metrics=True)
    assert set(result) == {"outputs", "metrics"}
    assert result["outputs"].frames == 16000
    metrics = result["metrics"]
    run_keys = {"pipeline_id", "total_executions", "total_duration_us", "total_duration_ms", "peak_memory_bytes"}
    assert {*run_keys, "node_metrics", "metrics_overhead_us"} <= set(metrics)
    assert metrics["total_executions"] == 1
    assert metrics["total_duration_us"] > 0
    assert metrics["total_duration_ms"] == pytest.approx(metrics["total_duration_us"] / 1000)
    assert metrics["peak_memory_bytes"] >= 48000 * 4
    assert [one["node_id"] for one in metrics["node_metrics"]] == ["one", "resample"]
    for one in metrics["node_metrics"]:
        assert one["execution_count"] == one["success_count"] >= 1
        assert (one["error_count"], one["success_rate"]) == (0, 1.0)
        assert one["min_duration_us"] <= one["avg_duration_us"] <= one["max_duration_us"] <= one["total_duration_us"]
        assert one["min_duration_us"] <= one["p50_duration_us"] <= one["p99_duration_us"] <= one["max_duration_us"]


def test_a_bare_array_is_taken_as_48_khz_with_one_warning() -> None:
    with pytest.warns(rm.AssumedFormatWarning, match="48000") as caught:
        result = run(RESAMPLE, *[np.zeros(960, np.float32)] * 3)
    assert len(caught) == 1
    assert caught[0].filename == __file__ or "asyncio" in caught[0].filename
    assert [one.shape for one in result] == [(320,)] * 3
    with pytest.warns(rm.AssumedFormatWarning):
        assert run(RESAMPLE, np.zeros((960, 2), np.int16)).shape == (320, 2)


def test_a_declared_rate_needs_no_warning() -> None:
    declared = {"type": "audio", "sample_rate_hz": 8000, "channels": 1}
    text = json.dumps({**json.loads(RESAMPLE), "input": declared})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run(text, np.zeros(800, np.float64)).shape == (1600,)


def test_another_kind_passes_with_one_warning() -> None:
    with pytest.warns(rm.UnhandledKindWarning, match="resample") as caught:
        assert run(RESAMPLE, "Hello, world!", "again") == ["Hello, world!", "again"]
    assert len(caught) == 1


def test_the_strict_pipeline_refuses_both() -> None:
    pipe = rm.Pipeline(RESAMPLE)
    with pytest.raises(rm.FormatError) as caught:
        pipe.run(np.zeros(960, np.float32))
    assert caught.value.node == "resample"
    with pytest.raises(rm.InputTypeError) as other:
        pipe.run("Hello, world!")
    assert other.value.node == "resample"


AUDIO = [
    {"type": "audio", "samples": [0.0, 0.25, -0.5, 1.0, -1.0], "sample_rate": 16000, "channels": 1},
    {"type": "audio", "samples": [0.0, 0.5, 0.25, -0.25, 1.0, -1.0], "sample_rate": 44100, "channels": 2},
]


@pytest.mark.parametrize("audio", AUDIO, ids=["mono", "stereo"])
def test_audio_dicts_round_trip(audio: dict[str, Any]) -> None:
    assert run(PASS, audio) == audio
    result = run(json.dumps(manifest(node("gain", "Gain", gain_db=0.0))), audio)
    assert result == {**audio, "samples": pytest.approx(audio["samples"])}
    assert type(result["samples"]) is list
    assert type(result["samples"][0]) is float


@pytest.mark.parametrize("key", ["samples", "sample_rate", "channels"])
def test_a_missing_key_is_named(key: str) -> None:
    audio = {name: value for name, value in AUDIO[0].items() if name != key}
    with pytest.raises(rm.InputValueError, match=f"`{key}`") as caught:
        run(PASS, "fine", audio)
    assert caught.value.item_index == 1
    assert isinstance(caught.value, ValueError)
    with pytest.raises(rm.InputValueError, match=f"`{key}`"):
        audio_dict_to_numpy(audio)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"samples": ["a"]}, rm.InputValueError),
        ({"samples": [0.0] * 5, "channels": 2}, rm.FormatError),
        ({"sample_rate": 16000.5}, rm.InputTypeError),
        ({"sample_rate": True}, rm.InputTypeError),
        ({"sample_rate": 0}, rm.InputValueError),
        ({"channels": 0}, rm.InputValueError),
        ({"channels": -1}, rm.InputValueError),
        ({"channels": 65}, rm.InputValueError),
        ({"samples": np.zeros((2, 100), np.float32), "channels": 100}, rm.InputValueError),
    ],
)
def test_wrong_values_in_an_audio_dict(change: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        run(PASS, {**AUDIO[0], **change})
    assert caught.value.item_index == 0  # type: ignore[attr-defined]


def test_the_other_dicts() -> None:
    assert run(PASS, {"type": "text", "data": "x"}, {"type": "binary", "data": b"\0\1"}) == ["x", b"\0\1"]
    assert run(PASS, {"type": "json", "data": {"type": "audio"}}) == {"type": "audio"}
    assert run(PASS, {"type": "else", "a": 1}) == {"type": "else", "a": 1}
    frame = {"type": "video", "data": np.arange(6, dtype=np.uint8).reshape(2, 3), "pixel_format": "gray8"}
    result = run(PASS, {**frame, "width": 3, "height": 2})
    assert (result["type"], result["width"], result["height"], result["pixel_format"]) == ("video", 3, 2, "gray8")
    np.testing.assert_array_equal(result["data"], frame["data"])
    for wrong in ({"type": "text"}, {"type": "text", "data": 3}, {"type": "binary", "data": "x"}, {"type": "json"}):
        with pytest.raises((rm.InputValueError, rm.InputTypeError), match="data"):
            run(PASS, wrong)


def test_bytes_of_every_type_come_back_as_bytes() -> None:
    for given in (b"abc", bytearray(b"abc"), memoryview(b"abc"), memoryview(b"a-b-c")[::2]):
        assert run(PASS, given) == b"abc"
    assert run(PASS, b"") == b""


def test_several_results_are_a_dict() -> None:
    level = manifest(node("level", "AudioLevel", window_ms=100))
    result = run(level, rm.Audio(np.full(16000, 0.5, np.float32), 16000))
    assert set(result) == {"level", "level.events"}
    assert result["level"].frames == 16000
    assert [event["event"] for event in result["level.events"]] == ["level"] * 10
    assert result["level.events"][0]["peak_db"] == pytest.approx(-6.02, abs=0.01)


def test_older_node_names_are_aliases() -> None:
    for name in ("FastResampleNode", "RustResampleNode", "AudioResampleNode"):
        text = json.dumps(manifest(node("resample", name, target_rate=16000)))
        assert run(text, rm.Audio(np.zeros(960, np.float32), 48000)).frames == 320


def test_numpy_to_audio_dict() -> None:
    arr = np.array([[0.0, 0.5], [0.25, -1.0]], np.float32)
    expected = {"type": "audio", "samples": [0.0, 0.5, 0.25, -1.0], "sample_rate": 44100, "channels": 2}
    assert numpy_to_audio_dict(arr, sample_rate=44100, channels=2) == expected
    assert numpy_to_audio_dict(arr.ravel(), 44100, 2) == expected
    assert numpy_to_audio_dict(np.asfortranarray(arr), 44100, 2) == expected
    assert numpy_to_audio_dict(np.array([16384, -32768], np.int16), 8000, 1)["samples"] == [0.5, -1.0]
    with pytest.raises(rm.FormatError, match=r"x\.T"):
        numpy_to_audio_dict(np.zeros((2, 960), np.float32), 48000, 2)
    with pytest.raises(rm.FormatError):
        numpy_to_audio_dict(np.zeros(3, np.float32), 48000, 2)
    with pytest.raises(rm.FormatError, match="complex64"):
        numpy_to_audio_dict(np.zeros(3, np.complex64), 48000, 1)


def test_audio_dict_to_numpy() -> None:
    mono = audio_dict_to_numpy(AUDIO[0])
    assert (mono.shape, mono.dtype) == ((5,), np.float32)
    stereo = audio_dict_to_numpy(AUDIO[1])
    assert stereo.tolist() == [[0.0, 0.5], [0.25, -0.25], [1.0, -1.0]]
    for arr in (mono, stereo):
        assert arr.flags.writeable
        back = numpy_to_audio_dict(arr, 44100, 1 if arr.ndim == 1 else 2)
        np.testing.assert_array_equal(audio_dict_to_numpy(back), arr)
    with pytest.raises(rm.InputTypeError):
        audio_dict_to_numpy([1.0])  # type: ignore[arg-type]


def test_a_fresh_process_warns_once_for_many_calls() -> None:
    done = run_python(f"""
        import asyncio, numpy as np
        from remotemedia.runtime import execute_pipeline_with_input as run

        async def main():
            for _ in range(20):
                await run({RESAMPLE!r}, [np.zeros(960, np.float32)])

        asyncio.run(main())
    """)
    assert done.returncode == 0
    assert done.stderr.count("AssumedFormatWarning") == 1
    assert done.stdout == ""
