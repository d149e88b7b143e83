"""`remotemedia.integrations.pipecat` with the real pipecat: its base classes, its pipelines, its test helper."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
from pipecat.audio.utils import create_stream_resampler
from pipecat.audio.vad.vad_analyzer import VADParams, VADState
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    FilterEnableFrame,
    InputAudioRawFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    TextFrame,
    TTSAudioRawFrame,
)
from pipecat.tests.utils import SleepFrame, run_test

import remotemedia as rm
from remotemedia.integrations import pipecat as ours

pytestmark = pytest.mark.asyncio

DATA = Path(rm.__file__).parent / "_demo_data"


def tone(rate: int, seconds: float, hz: float = 440.0) -> bytes:
    """A sine at half of full scale."""
    return (16384 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).round().astype(np.int16).tobytes()


def pieces(audio: bytes, rate: int, ms: int = 20) -> list[bytes]:
    """The audio in frames."""
    size = rate * ms // 1000 * 2
    return [audio[at : at + size] for at in range(0, len(audio), size)]


def manifest(*nodes: dict[str, Any], outputs: list[str] | None = None) -> dict[str, Any]:
    """A chain."""
    names = [node["id"] for node in nodes]
    found: dict[str, Any] = {
        "version": "v1",
        "metadata": {"name": "test"},
        "nodes": list(nodes),
        "connections": [{"from": a, "to": b} for a, b in pairwise(names)],
    }
    return found | ({"outputs": outputs} if outputs else {})


@pytest.mark.parametrize(("source", "target"), [(48000, 16000), (24000, 8000), (8000, 16000), (44100, 16000)])
async def test_the_resampler_loses_nothing_and_holds_little_back(source: int, target: int) -> None:
    audio = tone(source, 1.0)
    resampler = ours.StreamResampler()
    made, worst = b"", 0.0
    for index, piece in enumerate(pieces(audio, source)):
        made += await resampler.resample(piece, source, target)
        worst = max(worst, (index + 1) * 0.02 - len(made) / 2 / target)
    assert worst <= (0.002 if max(source, target) > 24000 else 0.004)
    made += await resampler.flush()
    assert len(made) == 2 * target
    expected = soxr.resample(np.frombuffer(audio, np.int16), source, target, "VHQ")
    inside = slice(target // 10, -target // 10)
    difference = np.frombuffer(made, np.int16)[inside].astype(int) - expected[inside]
    assert np.abs(difference).max() <= 2
    assert await resampler.flush() == b""


async def test_nothing_is_dropped_after_a_pause() -> None:
    resampler = ours.StreamResampler()
    audio = tone(48000, 0.4)
    made = b""
    for piece in pieces(audio, 48000, 100):
        made += await resampler.resample(piece, 48000, 16000)
        await asyncio.sleep(0.25)  # Longer than the 0.2 s after which pipecat's own forgets.
    made += await resampler.flush()
    whole = ours.StreamResampler()
    assert made == await whole.resample(audio, 48000, 16000) + await whole.flush()


async def test_rates_may_change() -> None:
    resampler = ours.StreamResampler(quality="high")
    made = await resampler.resample(tone(48000, 0.1), 48000, 16000)
    made += await resampler.resample(tone(24000, 0.1), 24000, 16000)
    made += await resampler.resample(tone(16000, 0.1), 16000, 16000)
    made += await resampler.resample(tone(8000, 0.1), 8000, 16000)
    assert len(made + await resampler.flush()) == 4 * 2 * 1600
    made = await resampler.resample(tone(48000, 0.1), 48000, 16000)
    made += await resampler.resample(tone(48000, 0.1), 48000, 8000)
    rest = await resampler.flush()
    # What was held for 16 kHz comes out at 8 kHz: half as many.
    assert abs(len(made + rest) / 2 - (1600 + 800)) <= 110
    await resampler.resample(tone(48000, 0.1), 48000, 16000)
    await resampler.reset()
    assert await resampler.flush() == b""
    with pytest.raises(rm.InputValueError, match="3 bytes"):
        await resampler.resample(b"abc", 48000, 16000)


async def test_one_line_is_enough() -> None:
    ours.install()
    try:
        resampler = create_stream_resampler(clear_after_secs=None)
        assert isinstance(resampler, ours.StreamResampler)
        assert await resampler.resample(tone(48000, 0.02), 48000, 16000)
    finally:
        ours.uninstall()
    assert not isinstance(create_stream_resampler(), ours.StreamResampler)


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
@pytest.mark.parametrize("model", ["silero", "earshot"])
async def test_the_analyzer_hears_speech_at_any_rate(rate: int, model: str) -> None:
    speech = rm.read(DATA / "librivox_ss_a.flac")
    audio = np.asarray(speech.samples)[: 16000 * 6]
    pcm = (np.clip(rm.resample(audio, 16000, rate), -1, 1) * 32767).astype(np.int16).tobytes()
    analyzer = ours.SpeechVADAnalyzer(params=VADParams(min_volume=0.0), model=model)
    analyzer.set_sample_rate(rate)
    states = [await analyzer.analyze_audio(piece) for piece in pieces(pcm, rate)]
    assert VADState.SPEAKING in states
    silent = [await analyzer.analyze_audio(bytes(rate // 25)) for _ in range(100)]
    assert silent[-1] is VADState.QUIET
    await analyzer.cleanup()


async def test_the_filter_gives_as_much_as_it_gets() -> None:
    half = ours.ManifestFilter(manifest({"id": "g", "node_type": "Gain", "params": {"gain_db": -6.0206}}))
    await half.start(16000)
    audio = tone(16000, 0.1)
    made = b"".join([await half.filter(piece) for piece in pieces(audio, 16000)])
    assert len(made) == len(audio)
    assert np.abs(np.frombuffer(made, np.int16) * 2.0 - np.frombuffer(audio, np.int16)).max() <= 2
    await half.process_frame(FilterEnableFrame(enable=False))
    assert await half.filter(audio) == audio
    await half.process_frame(FilterEnableFrame(enable=True))
    assert await half.filter(audio) != audio
    await half.stop()


async def test_the_processor_runs_a_manifest_and_flushes_at_the_end() -> None:
    processor = ours.ManifestProcessor(
        manifest({"id": "r", "node_type": "AudioResample", "params": {"target_rate": 16000}})
    )
    frames = [TTSAudioRawFrame(audio=one, sample_rate=48000, num_channels=1) for one in pieces(tone(48000, 0.5), 48000)]
    down, _ = await run_test(processor, frames_to_send=[*frames, TextFrame(text="after")])
    audio = [frame for frame in down if isinstance(frame, OutputAudioRawFrame)]
    assert sum(frame.num_frames for frame in audio) == 8000
    assert {(frame.sample_rate, frame.num_channels) for frame in audio} == {(16000, 1)}
    assert any(isinstance(frame, TextFrame) and frame.text == "after" for frame in down)


async def test_the_processor_passes_events_on() -> None:
    processor = ours.ManifestProcessor(
        manifest({"id": "vad", "node_type": "SpeechVAD", "params": {"preset": "file"}}, outputs=["vad.events"])
    )
    speech = np.asarray(rm.read(DATA / "librivox_ss_a.flac").samples)[: 16000 * 6]
    pcm = (speech * 32767).astype(np.int16).tobytes()
    frames = [InputAudioRawFrame(audio=one, sample_rate=16000, num_channels=1) for one in pieces(pcm, 16000)]
    down, _ = await run_test(processor, frames_to_send=[*frames, SleepFrame(sleep=0.2)])
    events = [frame for frame in down if isinstance(frame, ours.ResultFrame)]
    assert [events[0].data["event"], events[0].node, events[0].port] == ["speech_start", "vad", "events"]


async def test_the_processor_takes_text() -> None:
    processor = ours.ManifestProcessor(
        manifest({"id": "t", "node_type": "TextCase", "params": {"mode": "upper"}}), takes="text"
    )
    down, _ = await run_test(processor, frames_to_send=[TextFrame(text="hello")])
    assert [frame.text for frame in down if isinstance(frame, TextFrame)] == ["HELLO"]


async def test_an_interruption_throws_away_and_goes_on() -> None:
    processor = ours.ManifestProcessor(
        manifest({"id": "r", "node_type": "AudioResample", "params": {"target_rate": 16000}})
    )
    frame = TTSAudioRawFrame(audio=tone(48000, 0.1), sample_rate=48000, num_channels=1)
    down, _ = await run_test(
        processor, frames_to_send=[frame, SleepFrame(sleep=0.1), InterruptionFrame(), SleepFrame(sleep=0.1), frame]
    )
    total = sum(one.num_frames for one in down if isinstance(one, OutputAudioRawFrame))
    assert 1600 <= total < 3200


async def test_a_failure_is_reported_and_the_pipeline_goes_on() -> None:
    processor = ours.ManifestProcessor(
        manifest({"id": "r", "node_type": "AudioResample", "params": {"target_rate": 16000, "source_rate": 48000}})
    )
    wrong = TTSAudioRawFrame(audio=tone(24000, 0.1), sample_rate=24000, num_channels=1)
    right = TTSAudioRawFrame(audio=tone(48000, 0.1), sample_rate=48000, num_channels=1)
    down, up = await run_test(processor, frames_to_send=[wrong, right], send_end_frame=True)
    errors = [frame for frame in up if isinstance(frame, ErrorFrame)]
    assert len(errors) == 1 and "source_rate" in errors[0].error
    assert sum(one.num_frames for one in down if isinstance(one, OutputAudioRawFrame)) == 1600
    assert not any(isinstance(frame, EndFrame) and frame is None for frame in down)
