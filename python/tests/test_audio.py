"""The `Audio` and `VideoFrame` objects."""

from __future__ import annotations

import copy
import pickle
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from support import PASS

import remotemedia as rm
from remotemedia.runtime import numpy_to_audio_dict

stereo = rm.Audio(np.arange(8, dtype=np.float32).reshape(4, 2) / 8, 8000)
mono = rm.Audio(np.arange(4, dtype=np.int16), 16000)


def test_what_it_says() -> None:
    assert (stereo.sample_rate, stereo.channels, stereo.frames, len(stereo), stereo.duration) == (8000, 2, 4, 4, 0.0005)
    assert (mono.sample_rate, mono.channels, mono.frames) == (16000, 1, 4)
    assert repr(stereo) == "Audio(4 frames, 8000 Hz, 2 channels, float32, 0.001 s)"
    assert rm.Audio(np.zeros((5, 1), np.float32), 8000).samples.shape == (5,)
    assert rm.Audio([0.0, 0.5], 8000).samples.dtype == np.float64
    assert rm.Audio(np.zeros(0, np.float32), np.int64(8000)).duration == 0  # type: ignore[arg-type]


def test_the_samples_are_not_copied() -> None:
    samples = np.zeros(10, np.float32)
    assert rm.Audio(samples, 8000).samples is samples
    with pytest.raises(AttributeError):
        mono.samples = samples  # type: ignore[misc]


def test_numpy_sees_it() -> None:
    assert np.shares_memory(np.asarray(stereo), stereo.samples)
    assert np.shares_memory(np.asarray(stereo, np.float32), stereo.samples)
    assert np.asarray(mono, np.float64).tolist() == [0, 1, 2, 3]
    assert not np.shares_memory(np.array(stereo), stereo.samples)
    assert np.from_dlpack(stereo).tolist() == stereo.samples.tolist()
    with pytest.raises(ValueError, match="copy"):
        stereo.__array__(np.int16, copy=False)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ came with Python 3.12")
def test_memoryview_sees_it() -> None:
    view = memoryview(stereo)  # type: ignore[arg-type]
    assert (view.format, view.shape) == ("f", (4, 2))


def test_cutting_by_frames() -> None:
    part = stereo[1:3]
    assert (part.frames, part.channels, part.sample_rate) == (2, 2, 8000)
    assert np.shares_memory(part.samples, stereo.samples)
    assert stereo[-1:].frames == 1
    assert stereo[10:].frames == 0
    wide = rm.Audio(np.zeros((100, 12), np.float32), 8000)
    assert wide[:4].samples.shape == (4, 12)
    with pytest.raises(TypeError, match="int"):
        stereo[1]  # type: ignore[index]
    with pytest.raises(ValueError, match="resample"):
        stereo[::2]


def test_equality() -> None:
    twin = rm.Audio(stereo.samples.copy(), 8000)
    assert stereo == twin
    assert stereo != rm.Audio(twin.samples, 16000)
    assert stereo != rm.Audio(twin.samples.astype(np.float64), 8000)
    assert stereo != rm.Audio(twin.samples * 2, 8000)
    assert stereo != "audio"
    with pytest.raises(TypeError):
        hash(stereo)


def test_it_pickles_and_copies_as_data() -> None:
    for audio in (stereo, mono, rm.Audio(np.zeros((100, 12), np.float32), 8000)[:4]):
        for twin in (pickle.loads(pickle.dumps(audio)), copy.deepcopy(audio)):
            assert twin == audio
            assert not np.shares_memory(twin.samples, audio.samples)


@pytest.mark.parametrize(
    ("samples", "rate", "error", "word"),
    [
        (np.zeros((2, 100), np.float32), 8000, rm.FormatError, r"x\.T"),
        (np.zeros((2, 2, 2), np.float32), 8000, rm.FormatError, "frames"),
        (np.zeros((), np.float32), 8000, rm.FormatError, "frames"),
        (np.zeros(4, np.int64), 8000, rm.FormatError, "int64"),
        (np.zeros((100, 65), np.float32), 8000, rm.InputValueError, "65"),
        (np.zeros((100, 0), np.float32), 8000, rm.FormatError, "0 channels"),
        (np.zeros(4, np.float32), 0, rm.InputValueError, "sample_rate"),
        (np.zeros(4, np.float32), 1_536_001, rm.InputValueError, "1536000"),
        (np.zeros(4, np.float32), 8000.5, rm.InputTypeError, "8000.5"),
        (np.zeros(4, np.float32), True, rm.InputTypeError, "True"),
        ("text", 8000, rm.FormatError, "dtype"),
    ],
)
def test_what_is_no_audio(samples: Any, rate: Any, error: type[Exception], word: str) -> None:
    with pytest.raises(error, match=word):
        rm.Audio(samples, rate)


@pytest.mark.parametrize(
    ("shape", "pixel_format"), [((4, 6), "gray8"), ((4, 6, 3), "rgb24"), ((4, 6, 4), "rgba"), ((1, 1, 3), "rgb24")]
)
def test_packed_frames(shape: tuple[int, ...], pixel_format: str) -> None:
    data = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    frame = rm.VideoFrame(data)
    assert (frame.width, frame.height, frame.pixel_format) == (shape[1], shape[0], pixel_format)
    assert np.shares_memory(frame.data, data)
    assert repr(frame) == f"VideoFrame({shape[1]}x{shape[0]} {pixel_format})"
    assert rm.Pipeline(PASS).run(frame) == frame
    assert pickle.loads(pickle.dumps(frame)) == frame
    assert np.asarray(frame, np.float32).dtype == np.float32
    flat = rm.VideoFrame(data.tobytes(), pixel_format, width=shape[1], height=shape[0])  # type: ignore[arg-type]
    assert flat == frame


@pytest.mark.parametrize("pixel_format", ["nv12", "i420"])
def test_planes(pixel_format: Any) -> None:
    data = np.arange(5 * 3 + 2 * 3 * 2, dtype=np.uint8)
    frame = rm.VideoFrame(data, pixel_format, width=5, height=3)
    assert rm.Pipeline(PASS).run(frame) == frame
    for wrong in ({"width": 5}, {"width": 4, "height": 3}, {"width": 5, "height": 0}):
        with pytest.raises((rm.FormatError, rm.InputValueError)):
            rm.VideoFrame(data, pixel_format, **wrong)


def test_what_is_no_frame() -> None:
    for wrong in (np.zeros((4, 6), np.float32), np.zeros((4, 6, 2), np.uint8), np.zeros(24, np.uint8)):
        with pytest.raises(rm.FormatError):
            rm.VideoFrame(wrong)
    with pytest.raises(rm.FormatError, match="pixel_format"):
        rm.VideoFrame(np.zeros((4, 6), np.uint8), "yuv")  # type: ignore[arg-type]
    with pytest.raises(rm.FormatError, match="7x4"):
        rm.VideoFrame(np.zeros((4, 6), np.uint8), width=7, height=4)


def test_scaling_video() -> None:
    flat = np.full((20, 30, 3), (10, 200, 90), np.uint8)
    small = rm.Pipeline([rm.nodes.VideoScale(width=15, height=10)]).run(rm.VideoFrame(flat))
    assert (small.width, small.height, small.pixel_format) == (15, 10, "rgb24")
    np.testing.assert_array_equal(small.data, np.full((10, 15, 3), (10, 200, 90), np.uint8))
    ramp = np.broadcast_to(np.arange(0, 240, 2, dtype=np.uint8), (8, 120))
    half = rm.Pipeline([rm.nodes.VideoScale(width=60, height=4)]).run(rm.VideoFrame(ramp))
    # Each pixel of a ramp scaled by a half is the mean of the two it covers; the filter blurs the ends only.
    expected = ramp[:4].reshape(4, 60, 2).mean(axis=2)
    assert np.abs(half.data.astype(float) - expected)[:, 2:-2].max() <= 1


def test_one_thing_is_not_several() -> None:
    assert repr(rm.Audio(np.zeros(1, np.float32), 8000)) == "Audio(1 frame, 8000 Hz, 1 channel, float32, 0.000 s)"
    assert "(2 frames, 8000 Hz, 2 channels" in repr(rm.Audio(np.zeros((2, 2), np.float32), 8000))
    with pytest.raises(rm.FormatError, match=r"1 interleaved sample, expected a multiple of 2 \(the channels\)"):
        numpy_to_audio_dict(np.zeros(1, np.float32), 8000, 2)
    stereo = rm.Pipeline([rm.nodes.Gain()], input=rm.AudioFormat(8000, 2))
    with pytest.raises(rm.FormatError, match="has 1 channel, expected 2"):
        stereo.run(np.zeros((4, 1), np.float32))


def test_a_part_is_cut_by_frames_or_seconds() -> None:
    audio = rm.Audio(np.arange(16000, dtype=np.float32), 8000)
    for part, expected in [
        (audio[0.5:1.0], slice(4000, 8000)),
        (audio[:0.25], slice(0, 2000)),
        (audio[1.5:], slice(12000, None)),
        (audio[0:0.5], slice(0, 4000)),
        (audio[-0.5:], slice(-4000, None)),
        (audio[:-0.5], slice(0, -4000)),
        (audio[np.float64(0.5) : np.float32(1.0)], slice(4000, 8000)),
        (audio[1.0:99.0], slice(8000, None)),
        (audio[-1e-9:], slice(16000, None)),
        (audio[-99.0:], slice(0, None)),
        (audio[0.00006:], slice(0, None)),
        (audio[0.00007:], slice(1, None)),
        (audio[float("-inf") : float("inf")], slice(0, None)),
        (audio[100:200], slice(100, 200)),
    ]:
        assert np.array_equal(part.samples, audio.samples[expected])
        assert np.shares_memory(part.samples, audio.samples) or not len(part)
    with pytest.raises(rm.InputTypeError, match=r"in frames and in seconds"):
        audio[100:1.0]
    with pytest.raises(rm.InputTypeError, match=r"such as audio\[0:16000\], or seconds"):
        audio[0.5]  # type: ignore[index]
    with pytest.raises(rm.InputValueError, match=r"nan"):
        audio[float("nan") :]
    with pytest.raises(rm.InputValueError, match=r"resample"):
        audio[::2]


def test_gain_is_a_number() -> None:
    audio = rm.Audio(np.array([0.5, -0.25], np.float32), 8000)
    for louder in (audio * 2, 2 * audio, audio * np.float64(2), np.float64(2) * audio, audio / 0.5):
        assert isinstance(louder, rm.Audio) and louder.samples.dtype == np.float32
        assert louder.samples.tolist() == [1.0, -0.5] and louder.sample_rate == 8000
    assert (-audio).samples.tolist() == [-0.5, 0.25]
    # Integers stay what they are: rounded to the nearest, clipped, and silence of uint8 is 128.
    assert (rm.Audio(np.array([1001, -30000], np.int16), 8000) * 1.5).samples.tolist() == [1502, -32768]
    assert (rm.Audio(np.array([128, 192, 0], np.uint8), 8000) * 0.5).samples.tolist() == [128, 160, 64]
    with pytest.raises(rm.InputTypeError, match=r"audio\.samples \* gains"):
        audio * np.ones(2)
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(rm.InputValueError, match=r"finite"):
            audio * wrong
    with pytest.raises(rm.InputValueError, match=r"divided by 0"):
        audio / 0


def test_audio_is_mixed_with_audio_of_its_format() -> None:
    one, other = np.array([0.5, 0.25], np.float32), np.array([0.25, -1.0], np.float32)
    audio, more = rm.Audio(one, 8000), rm.Audio(other, 8000)
    assert audio + more == rm.Audio(one + other, 8000)
    assert audio - more == rm.Audio(one - other, 8000)
    assert sum([audio, more, more]) == rm.Audio(one + other + other, 8000)
    loud = rm.Audio(np.array([30000, -30000], np.int16), 8000)
    assert (loud + loud).samples.tolist() == [32767, -32768]
    eight = rm.Audio(np.array([138, 118], np.uint8), 8000)
    assert (eight + eight).samples.tolist() == [148, 108] and (eight - eight).samples.tolist() == [128, 128]
    for mismatch, kind, said in [
        (rm.Audio(other, 16000), rm.FormatError, "resample one"),
        (rm.Audio(np.zeros((2, 2), np.float32), 8000), rm.FormatError, "1 and of 2 channels"),
        (rm.Audio(np.zeros(2, np.int16), 8000), rm.FormatError, "float32 and of int16"),
        (rm.Audio(np.zeros(3, np.float32), 8000), rm.InputValueError, "2 and of 3 frames"),
        (1.0, rm.InputTypeError, "mixed with audio, not with float"),
        (other, rm.InputTypeError, "mixed with audio, not with ndarray"),
    ]:
        with pytest.raises(kind, match=said):
            audio + mismatch


RATES = [44100, 44100.0, np.float32(44100), np.float64(44100), np.int32(44100), np.uint16(44100), Fraction(44100)]


@pytest.mark.parametrize("rate", RATES, ids=repr)
def test_a_rate_that_is_whole_is_taken_alike_everywhere(rate, tmp_path):
    x = np.zeros(441, np.float32)
    assert rm.Audio(x, rate).sample_rate == 44100
    assert len(rm.resample(x, rate, 8000)) == len(rm.resample(rm.Audio(x, 44100), rate, 8000)) == 80
    assert len(rm.ResampleStream(rate, 8000, 1).resample_chunk(x, last=True)) == 80
    pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=rate)], input=rm.AudioFormat(rate, 1))
    assert pipe.run(rm.Audio(x, rate)).sample_rate == 44100
    with pipe.session(sample_rate=rate) as session:
        assert len(session.process(x)) + len(session.flush()) == 441
    rm.write(tmp_path / "a.wav", x, sample_rate=rate)
    assert rm.read(tmp_path / "a.wav", sample_rate=rate).sample_rate == 44100
    gain = rm.Pipeline([{"node_type": "Gain", "params": {"gain_db": type(rate)(0)}}])
    assert gain.run({"type": "audio", "samples": [0.5], "sample_rate": rate, "channels": 1})["sample_rate"] == 44100


def test_audio_of_another_rate_is_not_resampled_as_if_it_had_it():
    audio = rm.Audio(np.zeros(480, np.float32), 48000)
    with pytest.raises(rm.InputValueError, match="in_rate is 44100, but the audio has 48000 Hz"):
        rm.resample(audio, 44100, 16000)
    with pytest.raises(rm.InputValueError, match="in_rate is 44100, but the audio has 48000 Hz"):
        rm.ResampleStream(44100, 16000, 1).resample_chunk(audio)
