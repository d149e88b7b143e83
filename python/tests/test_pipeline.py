"""`Pipeline`: building, running, describing, pickling."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from support import PASS, RESAMPLE, manifest, node, same_signal

import remotemedia as rm

CHAIN = [rm.nodes.AudioChannels(channels=1), rm.nodes.AudioResample(target_rate=16000), rm.nodes.Gain(gain_db=-6.0)]


def test_a_list_of_nodes_is_a_chain_with_readable_ids() -> None:
    pipe = rm.Pipeline([*CHAIN, rm.nodes.Gain(gain_db=6.0)])
    assert [one["id"] for one in pipe.manifest["nodes"]] == ["audio_channels", "audio_resample", "gain", "gain_2"]
    assert pipe.manifest["connections"][-1] == {"from": "gain", "to": "gain_2"}
    assert repr(pipe) == "Pipeline(AudioChannels AudioResample Gain Gain)"
    named = rm.Pipeline([node("mine"), *CHAIN])
    assert named.manifest["nodes"][0]["id"] == "mine"


def test_one_item_several_items_no_item() -> None:
    pipe = rm.Pipeline([rm.nodes.TextCase(mode="upper")])
    assert pipe.run("a") == "A"
    assert pipe.run("a", "b", "c") == ["A", "B", "C"]
    assert pipe.run() is None
    assert asyncio.run(pipe.run_async("a", "b")) == ["A", "B"]


def test_a_list_is_one_item() -> None:
    pipe = rm.Pipeline(PASS)
    assert pipe.run([1, 2]) == [1, 2]
    assert pipe.run([1], [2]) == [[1], [2]]
    with pytest.raises(rm.InputTypeError, match="item of its own"):
        pipe.run([np.zeros(3)])


def test_three_frames_in_three_frames_out() -> None:
    pipe = rm.Pipeline(RESAMPLE, input=rm.AudioFormat(48000, 1))
    signal = np.sin(np.arange(2880) / 20).astype(np.float32)
    parts = pipe.run(signal[:960], signal[960:1920], signal[1920:])
    assert [part.shape for part in parts] == [(320,)] * 3
    np.testing.assert_allclose(np.concatenate(parts), pipe.run(signal), atol=1e-6)


def test_audio_items_of_awkward_lengths() -> None:
    pipe = rm.Pipeline(RESAMPLE)
    lengths = [1, 7, 0, 1000, 333]
    signal = np.sin(np.arange(sum(lengths)) / 20).astype(np.float32)
    cuts = np.cumsum([0, *lengths])
    parts = pipe.run(*(rm.Audio(signal[a:b], 48000) for a, b in pairwise(cuts)))
    expected = np.diff([-(-int(cut) // 3) for cut in cuts])
    assert [0 if part is None else part.frames for part in parts] == expected.tolist()


def test_formats_and_summary_are_known_before_a_run() -> None:
    pipe = rm.Pipeline(CHAIN, input=rm.AudioFormat(48000, 2))
    formats = pipe.formats
    found = formats["audio_resample.out"]
    assert found is not None
    assert (found["kind"], found["sample_rate_hz"], found["channels"]) == ("audio", 16000, 1)
    assert rm.Pipeline(PASS).formats == {"a.out": None}
    text = str(pipe)
    assert len(text.splitlines()) < 24
    for word in ("audio_channels", "AudioResample", "16000"):
        assert word in text


def test_declared_input_may_stand_in_one_place_only() -> None:
    with pytest.raises(rm.ManifestError, match="/input"):
        rm.Pipeline({**json.loads(RESAMPLE), "input": {"type": "audio"}}, input=rm.AudioFormat(48000))
    with pytest.raises(rm.ManifestError, match="sample_rate_hz"):
        rm.Pipeline(RESAMPLE, input=rm.AudioFormat(sample_rate=0))
    video = rm.Pipeline([rm.nodes.VideoScale(width=2, height=2)], input=rm.VideoFormat(4, 4, "gray8"))
    assert video.run(rm.VideoFrame(np.zeros((4, 4), np.uint8))).width == 2


def test_it_pickles_as_its_manifest_and_copies_as_itself() -> None:
    pipe = rm.Pipeline(CHAIN)
    data = pickle.dumps(pipe)
    assert b"AudioResample" in data
    twin = pickle.loads(data)
    assert twin.manifest == pipe.manifest
    audio = rm.Audio(np.linspace(-1, 1, 4800, dtype=np.float32), 48000)
    assert twin.run(audio) == pipe.run(audio)
    assert copy.copy(pipe) is pipe
    assert copy.deepcopy([pipe])[0] is pipe


def test_metrics_are_optional() -> None:
    result = rm.Pipeline(PASS).run("x", metrics=True)
    assert result["outputs"] == "x"
    assert result["metrics"]["node_metrics"][0]["execution_count"] >= 1


def test_one_pipeline_in_many_threads() -> None:
    pipe = rm.Pipeline(CHAIN)
    audio = [rm.Audio(np.full(4800, level / 10, np.float32), 48000) for level in range(8)]
    expected = [pipe.run(one) for one in audio]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert list(pool.map(pipe.run, audio)) == expected


def test_a_stream_that_changes_its_format_is_refused() -> None:
    pipe = rm.Pipeline(RESAMPLE)
    with pytest.raises(rm.FormatError) as caught:
        pipe.run(rm.Audio(np.zeros(960, np.float32), 48000), rm.Audio(np.zeros(960, np.float32), 44100))
    assert caught.value.item_index == 1
    assert pipe.run(rm.Audio(np.zeros(960, np.float32), 44100)).sample_rate == 16000


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), True, "1"])
def test_a_wrong_timeout(timeout: float) -> None:
    with pytest.raises((rm.InputValueError, rm.InputTypeError), match="timeout"):
        rm.Pipeline(PASS).run("x", timeout=timeout)


def test_a_timeout_ends_the_run() -> None:
    pipe = rm.Pipeline(
        manifest(*(node(f"n{i}", "AudioResample", target_rate=rate) for i, rate in enumerate([8000, 48000] * 8)))
    )
    long = rm.Audio(np.zeros(48000 * 120, np.float32), 44100)
    with pytest.raises(rm.TimeoutError):
        pipe.run(long, timeout=0.001)
    with pytest.raises(TimeoutError):
        asyncio.run(pipe.run_async(long, timeout=0.001))
    assert pipe.run(rm.Audio(np.zeros(100, np.float32), 44100), timeout=60).sample_rate == 48000


def test_nan_does_not_outlive_its_run() -> None:
    pipe = rm.Pipeline(RESAMPLE)
    clean = rm.Audio(np.sin(np.arange(9600) / 30).astype(np.float32), 48000)
    before = pipe.run(clean)
    pipe.run(rm.Audio(np.full(9600, np.nan, np.float32), 48000))
    assert pipe.run(clean) == before


def test_each_run_is_a_stream_of_its_own() -> None:
    """Frames given to runs of their own are resampled each alone; frames of a session are one signal."""
    x = np.random.default_rng(3).standard_normal(4800).astype(np.float32)
    pipe = rm.Pipeline(RESAMPLE, input=rm.AudioFormat(48000, 1))
    frames = [x[at : at + 960] for at in range(0, len(x), 960)]
    alone = [rm.resample(frame, 48000, 16000) for frame in frames]
    for frame, expected in zip(frames, alone, strict=True):
        assert same_signal(pipe.run(frame), expected)
    whole = pipe.run(x)
    with pipe.session(48000, 1) as session:
        got = np.concatenate([*(session.process(frame) for frame in frames), session.flush()])
    assert same_signal(got, whole)
    assert not same_signal(np.concatenate(alone), whole)
