"""WAV and FLAC files, checked against the standard library's `wave` and scipy."""

from __future__ import annotations

import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import wavfile

import remotemedia as rm

LOSSLESS = [("a.wav", "PCM_16"), ("a.wav", "PCM_24"), ("a.wav", "FLOAT"), ("a.flac", "PCM_16"), ("a.flac", "PCM_24")]


def noise(frames: int, channels: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    shape = frames if channels == 1 else (frames, channels)
    return np.random.default_rng(7).integers(-(2**15), 2**15, shape, np.int16)


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize(("name", "subtype"), LOSSLESS)
def test_sixteen_bits_survive_every_subtype(tmp_path: Path, name: str, subtype: str, channels: int) -> None:
    given = noise(5000, channels)
    path = tmp_path / name
    rm.write(path, given, sample_rate=44100, subtype=subtype)
    info = rm.info(path)
    assert (info.sample_rate, info.channels, info.frames) == (44100, channels, 5000)
    assert (info.container, info.subtype) == (path.suffix[1:].upper(), subtype)
    assert info.duration == 5000 / 44100
    back = rm.read(str(path), dtype="int16")
    assert back == rm.Audio(given, 44100)
    assert rm.read(path).samples.dtype == np.float32
    np.testing.assert_array_equal(rm.read(path).samples, given / np.float32(2**15))


def test_wave_and_scipy_read_what_we_write(tmp_path: Path) -> None:
    given = noise(1000, 2)
    path = tmp_path / "a.wav"
    rm.write(path, rm.Audio(given, 48000))
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes()) == (48000, 2, 2, 1000)
        assert file.readframes(1000) == given.astype("<i2").tobytes()
    rate, samples = wavfile.read(path)
    assert rate == 48000
    np.testing.assert_array_equal(samples, given)
    rm.write(path, rm.Audio(given.astype(np.float32) / 2**15, 48000), subtype="FLOAT")
    np.testing.assert_array_equal(wavfile.read(path)[1], given / np.float32(2**15))
    rm.write(path, rm.Audio(given.astype(np.int32) * 2**16, 48000), subtype="PCM_32")
    np.testing.assert_array_equal(wavfile.read(path)[1], given.astype(np.int32) * 2**16)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
def test_we_read_what_scipy_writes(tmp_path: Path, dtype: str) -> None:
    given = noise(1000, 2)
    scaled = {
        "uint8": (given >> 8).astype(np.int16) + 128,
        "int16": given,
        "int32": given.astype(np.int32) * 2**16,
    }.get(dtype, given / 2**15)
    path = tmp_path / "a.wav"
    wavfile.write(path, 22050, scaled.astype(dtype))
    back = rm.read(path)
    assert back.sample_rate == 22050
    expected = (given >> 8) * 256 if dtype == "uint8" else given
    np.testing.assert_array_equal(back.samples, expected / np.float32(2**15))


def test_parts_mono_and_rates(tmp_path: Path) -> None:
    given = noise(48000, 2)
    for name in ("a.wav", "a.flac"):
        path = tmp_path / name
        rm.write(path, given, sample_rate=48000)
        assert rm.read(path, start=100, frames=50, dtype="int16") == rm.Audio(given[100:150], 48000)
        assert rm.read(path, start=47990).frames == 10
        assert rm.read(path, start=47990, frames=1000).frames == 10
        assert rm.read(path, start=48000).frames == 0
        assert rm.read(path, frames=0).frames == 0
        mono = rm.read(path, mono=True)
        np.testing.assert_allclose(mono.samples, given.mean(axis=1) / 2**15, atol=1e-6)
        slow = rm.read(path, sample_rate=16000, mono=True, start=24000, dtype="float64")
        assert (slow.sample_rate, slow.frames, slow.samples.shape, slow.samples.dtype) == (
            16000,
            8000,
            (8000,),
            np.float64,
        )


def test_values_are_rounded_and_clipped(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    rm.write(path, np.array([2.0, -2.0, 0.5, np.nan], np.float32), sample_rate=8000)
    assert rm.read(path, dtype="int16").samples[:3].tolist() == [32767, -32768, 16384]


def test_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    rm.write(path, np.zeros(0, np.float32), sample_rate=8000)
    assert rm.info(path).frames == 0
    assert rm.read(path).frames == 0
    with pytest.raises(rm.InputValueError, match=r"write a \.wav"):
        rm.write(tmp_path / "a.flac", np.zeros(0, np.float32), sample_rate=8000)


def test_the_flac_in_the_package_is_the_wav(clip: Path, data: Path) -> None:
    with wave.open(str(data / "librivox_ss_a.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert rm.read(clip, dtype="int16") == rm.Audio(samples.astype(np.int16), 16000)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    for content in (b"", b"RIFF", b"no audio at all" * 100):
        path = tmp_path / "broken.wav"
        path.write_bytes(content)
        for call in (rm.read, rm.info):
            with pytest.raises(rm.IoError, match=r"broken\.wav") as caught:
                call(path)
            assert caught.value.path == str(path)
    for wrong in (tmp_path / "missing.wav", tmp_path):
        with pytest.raises(OSError, match=wrong.name):
            rm.read(wrong)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    audio = rm.Audio(np.zeros(10, np.float32), 8000)
    with pytest.raises(rm.RemoteMediaError, match="mp3"):
        rm.write(tmp_path / "a.mp3", audio)
    with pytest.raises(rm.RemoteMediaError, match="PCM_17"):
        rm.write(tmp_path / "a.wav", audio, subtype="PCM_17")
    with pytest.raises(rm.RemoteMediaError, match="PCM_24"):
        rm.write(tmp_path / "a.flac", audio, subtype="FLOAT")
    with pytest.raises(rm.IoError):
        rm.write(tmp_path / "nowhere" / "a.wav", audio)
    with pytest.raises(rm.InputTypeError, match="sample_rate"):
        rm.write(tmp_path / "a.wav", audio.samples)
    with pytest.raises(rm.InputValueError, match="16000"):
        rm.write(tmp_path / "a.wav", audio, sample_rate=16000)


@pytest.mark.parametrize(
    "wrong", [{"sample_rate": 0}, {"start": -1}, {"frames": -1}, {"start": 0.5}, {"dtype": "int8"}, {"frames": "1"}]
)
def test_wrong_arguments(clip: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises((rm.InputValueError, rm.InputTypeError), match=next(iter(wrong))):
        rm.read(clip, **wrong)


@pytest.mark.parametrize(
    "content",
    [
        b"FORM"
        + struct.pack(">I", 46)
        + b"AIFFCOMM"
        + struct.pack(">IhIh10s", 18, 1, 4, 16, b"\x40\x0c\xfa" + bytes(7))
        + b"SSND"
        + struct.pack(">III", 16, 0, 0)
        + bytes(8),
        struct.pack(">4sIIIII", b".snd", 24, 8, 3, 8000, 1) + bytes(8),
        b"OggS" + bytes(23) + b"\x01\x1e\x01vorbis" + bytes(200),
        b"ID3\x04" + bytes(6) + b"\xff\xfb\x90\x00" + bytes(413),
        b"caff\x00\x01\x00\x00desc" + bytes(100),
        struct.pack(">I", 24) + b"ftypM4A " + bytes(100),
    ],
    ids=["aiff", "au", "ogg", "mp3", "caf", "m4a"],
)
def test_other_containers_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    for call in (rm.read, rm.info, rm.stream):
        with pytest.raises(rm.IoError, match="not a WAV or FLAC file"):
            call(path)
