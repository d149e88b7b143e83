"""`remotemedia.integrations.pipecat` with the real pipecat: its base classes, its pipelines, its test helper."""

from __future__ import annotations

import asyncio
import threading
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


EARS = manifest(
    {"id": "vad", "node_type": "SpeechVAD"},
    {"id": "cut", "node_type": "Segmenter"},
    outputs=["cut.segments", "cut.events"],
) | {
    "connections": [
        {"from": "vad", "to": "cut", "to_port": "in"},
        {"from": "vad", "from_port": "probability", "to": "cut", "to_port": "vad"},
    ]
}


class Gate:
    """Lets a node go on, and knows that it is at work."""

    begun, open = threading.Event(), threading.Event()


@rm.node(name="PcWaits")
class Waits:
    """Answers when its gate is open."""

    def process(self, audio: rm.Audio) -> rm.Audio:
        Gate.begun.set()
        assert Gate.open.wait(20)
        return audio


@pytest.fixture
def gate() -> type[Gate]:
    Gate.begun, Gate.open = threading.Event(), threading.Event()
    return Gate


def heard(frames: Any) -> tuple[list[int], list[float]]:
    """The utterances, in frames, and the times of the events."""
    events = [frame for frame in frames if isinstance(frame, ours.ResultFrame)]
    return (
        [frame.num_frames for frame in frames if isinstance(frame, InputAudioRawFrame)],
        [frame.time_s for frame in events],
    )


async def test_the_user_is_heard_on_through_an_interruption() -> None:
    """Whoever interrupts is in the middle of a word: it is not cut, and the times do not begin again."""
    speech = np.asarray(rm.read(DATA / "librivox_ss_a.flac").samples)
    frames = [
        InputAudioRawFrame(audio=one, sample_rate=16000, num_channels=1)
        for one in pieces((speech * 32767).astype(np.int16).tobytes(), 16000)
    ]
    whole, _ = await run_test(ours.ManifestProcessor(EARS), frames_to_send=frames)
    expected = heard(whole)
    assert expected[0] and len(expected[1]) >= 2
    cut: list[Any] = []
    for at, frame in enumerate(frames):
        cut += (
            [frame, SleepFrame(sleep=0.01), InterruptionFrame(), SleepFrame(sleep=0.01)] if at % 40 == 25 else [frame]
        )
    down, up = await run_test(ours.ManifestProcessor(EARS), frames_to_send=cut)
    assert heard(down) == expected
    assert not any(isinstance(frame, ErrorFrame) for frame in up)


async def test_nodes_in_worker_processes() -> None:
    one = {"id": "n", "node_type": "Python", "params": {"class": "pipecat_nodes:Passes"}}
    pipe = rm.Pipeline(manifest({**one, "execution": {"placement": "process"}}), allow_python=True)
    for kind in (InputAudioRawFrame, TTSAudioRawFrame):
        frames = [kind(audio=audio, sample_rate=16000, num_channels=1) for audio in pieces(tone(16000, 0.4), 16000)]
        down, up = await run_test(ours.ManifestProcessor(pipe), frames_to_send=frames)
        audio = b"".join(frame.audio for frame in down if isinstance(frame, (InputAudioRawFrame, OutputAudioRawFrame)))
        assert audio == tone(16000, 0.4)
        assert not any(isinstance(frame, ErrorFrame) for frame in up)
    down, _ = await run_test(ours.ManifestProcessor(pipe, takes="text"), frames_to_send=[TextFrame(text="hello")])
    assert [frame.text for frame in down if isinstance(frame, TextFrame)] == ["hello"]
    half = ours.ManifestFilter(pipe)
    await half.start(16000)
    assert b"".join([await half.filter(one) for one in pieces(tone(16000, 0.1), 16000)]) == tone(16000, 0.1)
    await half.stop()


async def test_an_interruption_in_the_middle_of_a_call(gate: type[Gate]) -> None:
    """The call ends with nothing, what waits behind it is not worked on, and what comes next is whole."""
    pipe = rm.Pipeline(
        manifest({"id": "n", "node_type": "PcWaits"}, {"id": "c", "node_type": "Chunk", "params": {"frames": 512}})
    )
    processor = ours.ManifestProcessor(pipe)
    down: list[Any] = []

    async def keep(frame: Any, *_: Any) -> None:
        down.append(frame)

    processor.push_frame = keep  # type: ignore[method-assign]
    old, new = (
        TTSAudioRawFrame(audio=np.full(800, level, np.int16).tobytes(), sample_rate=16000, num_channels=1)
        for level in (1000, -1000)
    )
    works = [asyncio.create_task(processor._take(old)) for _ in range(3)]
    while not gate.begun.is_set():
        await asyncio.sleep(0)
    works[0].cancel()  # As pipecat does with the task that works on a frame.
    processor._mouth.interrupt()
    later = asyncio.create_task(processor._take(new))
    gate.open.set()
    await asyncio.gather(*works, later, return_exceptions=True)
    await processor._end()
    samples = np.concatenate([np.frombuffer(frame.audio, np.int16) for frame in down])
    assert len(samples) == 800 and set(samples.tolist()) == {-1000}
    await processor._close()


@pytest.mark.parametrize("enable", [True, False])
async def test_the_filter_forgets_what_it_works_on(gate: type[Gate], enable: bool) -> None:
    half = ours.ManifestFilter(manifest({"id": "n", "node_type": "PcWaits"}))
    await half.start(16000)
    audio = tone(16000, 0.02)
    work = asyncio.create_task(half.filter(audio))
    while not gate.begun.is_set():
        await asyncio.sleep(0)
    await half.process_frame(FilterEnableFrame(enable=enable))
    gate.open.set()
    # As many frames as went in: silent, or, when it was switched off, as they were.
    assert await work == (bytes(len(audio)) if enable else audio)
    assert await half.filter(audio) == audio
    await half.stop()


async def test_the_filter_may_be_stopped_while_it_works(gate: type[Gate]) -> None:
    half = ours.ManifestFilter(manifest({"id": "n", "node_type": "PcWaits"}))
    await half.start(16000)
    work = asyncio.create_task(half.filter(tone(16000, 0.02)))
    while not gate.begun.is_set():
        await asyncio.sleep(0)
    await half.stop()
    gate.open.set()
    with pytest.raises(rm.ClosedError):
        await work


async def test_what_the_bot_and_the_user_say_are_two_streams() -> None:
    processor = ours.ManifestProcessor(manifest({"id": "c", "node_type": "Chunk", "params": {"frames": 512}}))
    frames = []
    for level in range(1, 11):
        audio = np.full(320, level, np.int16).tobytes()
        frames.append(TTSAudioRawFrame(audio=audio, sample_rate=16000, num_channels=1))
        frames.append(InputAudioRawFrame(audio=audio, sample_rate=8000, num_channels=1))
    down, _ = await run_test(processor, frames_to_send=frames)
    for kind, rate in ((OutputAudioRawFrame, 16000), (InputAudioRawFrame, 8000)):
        found = [frame for frame in down if isinstance(frame, kind)]
        assert {frame.sample_rate for frame in found} == {rate}
        joined = np.concatenate([np.frombuffer(frame.audio, np.int16) for frame in found])
        assert joined.tolist() == np.repeat(np.arange(1, 11), 320).tolist()


async def test_a_change_of_the_users_format_and_a_failure_do_not_set_the_time_back() -> None:
    processor = ours.ManifestProcessor(
        manifest({"id": "l", "node_type": "AudioLevel", "params": {"window_ms": 100}}, outputs=["l.events"])
    )
    frames = [
        InputAudioRawFrame(audio=tone(rate, 0.1), sample_rate=rate, num_channels=1)
        for rate in (16000, 16000, 8000, 16000)
    ]
    frames.insert(1, InputAudioRawFrame(audio=b"odd", sample_rate=16000, num_channels=1))
    down, up = await run_test(processor, frames_to_send=[*frames, SleepFrame(sleep=0.1)])
    assert [round(frame.time_s, 3) for frame in down if isinstance(frame, ours.ResultFrame)] == [0.0, 0.1, 0.2, 0.3]
    assert len([frame for frame in up if isinstance(frame, ErrorFrame)]) == 1
