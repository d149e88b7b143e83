"""Speech segments of recordings, compared with labels made from their level (`labels.json`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import remotemedia as rm

EDGE_S = 0.15
"""How far an edge may be from its label.

Labels mark where the level passes a threshold, to within 0.05 s. The detector works on 16 ms frames, answers 32 to
64 ms late, and pads each end so that soft beginnings are not cut off.
"""
GAP_S = 0.4
"""Labelled gaps shorter than this may be bridged: silero-vad itself bridges one of 0.33 s."""


def wide_gaps(spans: list[list[float]]) -> list[list[float]]:
    """The labels with short gaps closed."""
    joined: list[list[float]] = []
    for start, end in spans:
        if joined and start - joined[-1][1] < GAP_S:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return joined


def marked(spans: list[Any], frames: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which frames of 10 ms are inside a span."""
    centres = (np.arange(frames) + 0.5) / 100
    inside = [(centres >= start) & (centres < end) for start, end in spans]
    return np.any(inside, axis=0) if inside else np.zeros(frames, bool)


@pytest.mark.parametrize(("name", "label"), [("jfk.wav", "jfk.wav"), ("librivox_ss_a.flac", "librivox_ss_a.wav")])
def test_segments_agree_with_the_labels(data: Path, name: str, label: str) -> None:
    truth: dict[str, Any] = json.loads((data / "labels.json").read_text(encoding="utf-8"))["files"][label]
    audio = rm.read(data / name)
    found = [(one.start, one.end) for one in rm.speech_segments(audio)]
    frames = int(audio.duration * 100)
    speech, labelled = marked(found, frames), marked(truth["segments_s"], frames)
    scored = ~marked(truth.get("ignore_s", []), frames)
    for start, end in truth["segments_s"]:
        scored &= ~marked([(start - 0.05, start + 0.05), (end - 0.05, end + 0.05)], frames)
    recall = (speech & labelled & scored).sum() / (labelled & scored).sum()
    agreement = (speech == labelled)[scored].mean()
    assert recall >= 0.97, recall
    # Padding and bridged gaps count as mistakes here, so it stays below 1.
    assert agreement >= 0.90, agreement
    ignored = truth.get("ignore_s", [[1e9, 1e9]])[0][0]
    edges = [edge for span in wide_gaps(truth["segments_s"]) for edge in span if edge < ignored - EDGE_S]
    for edge in edges:
        nearest = min(abs(edge - own) for span in found for own in span)
        assert nearest <= EDGE_S + 0.15 * (edge in [span[1] for span in truth["segments_s"]]), (edge, found)


def test_the_fields_agree_with_one_another(clip: Path) -> None:
    audio = rm.read(clip)
    segments = rm.speech_segments(audio)
    assert segments
    last = 0.0
    for one in segments:
        assert last <= one.start < one.end <= audio.duration
        assert 0 < one.probability <= 1
        assert one.start == pytest.approx(one.start_sample / 16000, abs=0.001)
        assert one.end == pytest.approx(one.end_sample / 16000, abs=0.001)
        assert one.duration == one.end - one.start
        assert audio[one.start_sample : one.end_sample].duration == pytest.approx(one.duration, abs=0.002)
        last = one.end
    with pytest.raises(AttributeError):
        segments[0].start = 0.0  # type: ignore[misc]


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_any_rate_and_channels_give_the_same_segments(clip: Path, rate: int) -> None:
    audio = rm.read(clip)
    expected = [edge for one in rm.speech_segments(audio) for edge in (one.start, one.end)]
    other = rm.resample(audio.samples, 16000, rate)
    # Above 16 kHz the detector hears the same; 8 kHz takes the upper half of the band away, and edges shift.
    tolerance = 0.05 if rate >= 16000 else 0.25
    for samples in (other, np.stack([other, other], axis=1)):
        found = rm.speech_segments(samples, sample_rate=rate)
        assert [edge for one in found for edge in (one.start, one.end)] == pytest.approx(expected, abs=tolerance)
        assert found[0].start_sample == pytest.approx(found[0].start * rate, abs=rate / 1000)


def test_silence_and_noise_are_no_speech() -> None:
    assert rm.speech_segments(rm.Audio(np.zeros(32000, np.float32), 16000)) == []
    assert rm.speech_segments(rm.Audio(np.zeros(0, np.float32), 16000)) == []
    hiss = np.random.default_rng(3).standard_normal(48000).astype(np.float32) * 0.01
    assert rm.speech_segments(hiss, sample_rate=16000) == []


def test_parameters_are_the_nodes(clip: Path) -> None:
    audio = rm.read(clip)
    assert len(rm.speech_segments(audio, min_silence_ms=2000)) == 1
    assert rm.speech_segments(audio, preset="conversation")
    with pytest.raises(rm.ManifestError, match="min_silence_ms"):
        rm.speech_segments(audio, min_silenc_ms=100)
    with pytest.raises(rm.ManifestError, match="conversation"):
        rm.speech_segments(audio, preset="film")
    with pytest.raises(rm.InputTypeError, match="sample_rate"):
        rm.speech_segments(audio.samples)


def test_a_maximum_cuts_in_a_pause(data: Path) -> None:
    audio = rm.read(data / "jfk.wav")
    found = [(one.start_sample, one.end_sample) for one in rm.speech_segments(audio, max_speech_ms=2000)]
    # silero-vad's own: the second cut finds no pause, and padding meets there.
    expected = [(5152, 36832), (52256, 71136), (86048, 117504), (117504, 122848), (130592, 162048), (162048, 169952)]
    assert found == expected


@pytest.mark.parametrize(
    ("stop", "params", "expected"),
    [
        (1.4, {"max_speech_ms": 1000, "min_silence_ms": 2000, "pad_start_ms": 0}, (0.5, 1.4)),
        (3.5, {"max_speech_ms": 3500}, (0.2, 3.5)),
        (3.5, {"max_speech_ms": 3000, "pad_start_ms": 0}, (0.5, 3.5)),
        (1.4, {"preset": "file", "max_speech_ms": 1000, "min_silence_ms": 2000}, (0.47, 1.47)),
    ],
)
def test_a_maximum_makes_no_speech_of_silence(
    stop: float, params: dict[str, Any], expected: tuple[float, float]
) -> None:
    tone = np.zeros(6 * 16000, np.float32)
    tone[8000 : int(stop * 16000)] = 0.3
    pipe = rm.Pipeline(
        {
            "version": "v1",
            "metadata": {"name": "segments"},
            "nodes": [
                {"id": "energy", "node_type": "EnergyVAD"},
                {"id": "cut", "node_type": "Segmenter", "params": params},
            ],
            "connections": [
                {"from": "energy", "to": "cut"},
                {"from": "energy", "from_port": "probability", "to": "cut", "to_port": "vad"},
            ],
            "outputs": ["cut.events"],
        }
    )
    ends = [one for one in pipe.run(rm.Audio(tone, 16000)) if one["event"] == "speech_end"]
    assert [(one["start_s"], one["end_s"], one["probability"]) for one in ends] == [(*expected, 1.0)]


def test_events_while_the_audio_passes(clip: Path) -> None:
    audio = rm.read(clip)
    result = rm.Pipeline([rm.nodes.SpeechVAD(preset="file")]).run(
        *(audio[at : at + 320] for at in range(0, audio.frames, 320))
    )
    passed = np.concatenate([one.samples for one in result["speech_vad"] if one is not None])
    np.testing.assert_array_equal(passed, audio.samples)
    events = result["speech_vad.events"]
    assert [one["event"] for one in events][:2] == ["speech_start", "speech_end"]
    ends = [(one["start_s"], one["end_s"]) for one in events if one["event"] == "speech_end"]
    assert ends == [(one.start, one.end) for one in rm.speech_segments(audio)]


def test_energy_vad_finds_a_tone_in_silence() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000).astype(np.float32) * 0.5
    quiet = np.zeros(8000, np.float32)
    result = rm.Pipeline([rm.nodes.EnergyVAD()]).run(rm.Audio(np.concatenate([quiet, tone, quiet]), 16000))
    ends = [one for one in result["energy_vad.events"] if one["event"] == "speech_end"]
    assert len(ends) == 1
    assert ends[0]["start_s"] == pytest.approx(0.5, abs=EDGE_S)
    assert ends[0]["end_s"] == pytest.approx(1.5, abs=2 * EDGE_S)
