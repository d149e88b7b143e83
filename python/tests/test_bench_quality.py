"""The benchmark compares results before it compares times."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from remotemedia._bench import peers, quality, resample, sound, vad


class _Peer:
    """Stands for soxr: gives what the function makes of ours."""

    def __init__(self, change: Callable[[Any], Any]) -> None:
        self._change = change

    def resample(self, x: Any, rate_in: int, rate_out: int, quality: str) -> Any:
        return self._change(rm.resample(x, rate_in, rate_out))


def _aliased(y: Any) -> Any:
    return y + np.float32(1e-3) * y[::-1]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda y: y[:5] * 0 + 1, "frames here"),
        (lambda y: np.roll(y, 3, axis=0), "differ by"),
        (lambda y: y * np.float32(0.9), "differ by"),
        (_aliased, "differ by"),
    ],
)
def test_a_peer_with_another_result_is_not_compared(
    change: Callable[[Any], Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "find", lambda module: _Peer(change) if module == "soxr" else None)
    if why == "frames here":
        monkeypatch.setattr(quality, "measure", lambda *_: quality.Quality(0.0, -100.0))
    row = dict(resample.rows(0.01))["resample: 60 s, 8 -> 16 kHz, mono"]()
    assert not row.comparable and row.ratio is None and why in row.note
    assert [figure.name for figure in row.figures] == ["remotemedia high", "soxr HQ"]


@pytest.mark.parametrize("word", ["mono", "stereo"])
def test_a_peer_with_the_same_result_is_compared(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find", lambda module: _Peer(lambda y: y) if module == "soxr" else None)
    row = dict(resample.rows(0.01))[f"resample: 60 s, 8 -> 16 kHz, {word}"]()
    assert row.comparable and row.ratio is not None and "unwanted" in row.note


def test_channels_that_change_places_are_seen() -> None:
    same, _ = quality.agree(lambda x: x, lambda x: x, 8_000, 8_000, 2)
    swapped, how = quality.agree(lambda x: x, lambda x: x[:, ::-1], 8_000, 8_000, 2)
    assert same and not swapped and "differ by" in how


@pytest.mark.parametrize(("rate_in", "rate_out"), [(48_000, 16_000), (8_000, 16_000)])
def test_a_poor_resampler_measures_as_one(rate_in: int, rate_out: int) -> None:
    """Dropping samples aliases, repeating them leaves images; ours does neither."""

    def nearest(x: Any) -> Any:
        return x[:: rate_in // rate_out] if rate_in > rate_out else np.repeat(x, rate_out // rate_in)

    poor = quality.measure(nearest, rate_in, rate_out)
    assert poor.unwanted_db > -20 and not poor.is_good
    ours = quality.measure(lambda x: rm.resample(x, rate_in, rate_out), rate_in, rate_out)
    assert ours.is_good and ours.unwanted_db < -100


def test_torchaudio_gets_time_as_its_last_axis(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tensor:
        def __init__(self, x: Any) -> None:
            self.x = x

        def numpy(self) -> Any:
            return self.x

    class Torch:
        from_numpy = Tensor

        @staticmethod
        def set_num_threads(count: int) -> None:
            assert count == 1

    class Functional:
        @staticmethod
        def resample(x: Tensor, rate_in: int, rate_out: int) -> Tensor:
            assert x.x.flags.c_contiguous and x.x.shape[-1] >= rate_in
            return Tensor(np.ascontiguousarray(rm.resample(np.ascontiguousarray(x.x.T), rate_in, rate_out).T))

    modules = {"torch": Torch, "torchaudio": object(), "torchaudio.functional": Functional}
    monkeypatch.setattr(peers, "find", modules.get)
    for word in ("mono", "stereo"):
        row = dict(resample.rows(0.01))[f"resample: 60 s, 8 -> 16 kHz, {word}, other peers"]()
        assert [figure.name for figure in row.figures] == ["remotemedia high", "torchaudio sinc_interp_hann"]
        assert row.ratio is None and "not as good" in row.note


def test_levels_that_differ_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    real = rm.Pipeline.run
    level = dict(sound.rows(0.01))["level: 60 s at 48 kHz in windows of 50 ms"]
    assert level().ratio is not None

    def louder(self: rm.Pipeline, item: Any) -> Any:
        found: Any = real(self, item)
        return [{**event, "peak_db": event["peak_db"] + 1} for event in found]

    monkeypatch.setattr(rm.Pipeline, "run", louder)
    row = level()
    assert not row.comparable and row.ratio is None


def test_clips_that_change_places_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    measure = dict(sound.rows(0.01))["map: 64 clips of 10 s, 48 -> 16 kHz"]
    row = measure()
    assert row.comparable and row.ratio is not None and len(row.figures) == 4
    real = rm.Pipeline.map

    def mixed(self: rm.Pipeline, clips: Any) -> Any:
        found = real(self, clips)
        return [found[1], found[0], *found[2:]]

    monkeypatch.setattr(rm.Pipeline, "map", mixed)
    row = measure()
    assert not row.comparable and row.ratio is None


def test_decisions_are_compared_every_10_ms() -> None:
    events = [
        {"event": "speech_start", "sample": 320},
        {"event": "speech_end", "start_sample": 320, "end_sample": 800},
    ]
    assert vad._from_events({"a": None, "a.events": events}, 1600).tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 0, 0]
    # Windows of 512 samples: the middle of the fourth 10 ms (560) is in the second, the rest has the last one's.
    assert vad._from_windows([False, True], 512, 1600).tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1, 1]


def test_detectors_have_no_ratio_and_say_what_they_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find", lambda module: None)
    row = dict(vad.rows(0.01))["vad: 60 s of speech at 16 kHz"]()
    assert not row.comparable and row.ratio is None
    assert "onnxruntime or silero-vad is not installed" in row.note
    share = re.search(r"taken for speech: SpeechVAD (\d+)%", row.note)
    # The recording is speech for 91 % of its time (examples/data/labels.json).
    assert share is not None and 85 <= int(share[1]) <= 97
