"""A file in chunks: the same samples as the whole, at exact borders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import remotemedia as rm


@pytest.mark.parametrize("chunk_ms", [1, 10, 20, 32, 33.3, 1000, 100_000])
@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize("rate", [11_025, 44_100, 48_000])
def test_chunks_are_the_file(tmp_path: Path, rate: int, suffix: str, chunk_ms: float) -> None:
    path = tmp_path / f"a.{suffix}"
    channels = 1 if rate == 11_025 else 2
    random = np.random.default_rng(4)
    rm.write(path, rm.Audio((0.2 * random.standard_normal((rate, channels))).astype(np.float32), rate))
    whole = rm.read(path)
    with rm.stream(path, chunk_ms=chunk_ms) as chunks:
        assert (chunks.sample_rate, chunks.channels, chunks.frames) == (rate, channels, rate)
        given = list(chunks)
        assert next(iter(chunks), None) is None
    np.testing.assert_array_equal(np.concatenate([chunk.samples for chunk in given]), whole.samples)
    ends = np.cumsum([chunk.frames for chunk in given])
    expected = [round((k + 1) * rate * chunk_ms / 1000) for k in range(len(given) - 1)]
    assert ends.tolist() == [*expected, rate]
    assert all(chunk.sample_rate == rate and chunk.channels == channels for chunk in given)
    given[0].samples[:] = 0  # Writable, and ours alone.


def test_an_hour_does_not_fit_and_need_not(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    rm.write(path, rm.Audio(np.zeros(800, np.float32), 8000))
    stream = rm.stream(path, 50)
    assert repr(stream) == "AudioStream(800 frames, 8000 Hz, 1 channel, chunks of 50 ms)"
    assert iter(stream) is stream
    assert [chunk.frames for chunk in stream] == [400, 400]


def test_closed_is_closed(clip: Path) -> None:
    chunks = rm.stream(clip)
    assert next(chunks).duration == pytest.approx(0.02)
    chunks.close()
    chunks.close()
    with pytest.raises(rm.ClosedError):
        next(chunks)


def test_what_cannot_be_read(tmp_path: Path, clip: Path) -> None:
    for wrong in (tmp_path / "none.wav", tmp_path):
        with pytest.raises(rm.IoError) as caught:
            rm.stream(wrong)
        assert caught.value.path == str(wrong)
    cut = tmp_path / "cut.flac"
    cut.write_bytes(clip.read_bytes()[:20_000])
    with pytest.raises(rm.IoError), rm.stream(cut) as chunks:
        for _ in chunks:
            pass


def test_wrong_lengths(clip: Path) -> None:
    for wrong in (0, -1, 3_600_001, float("nan"), float("inf"), 0.01):
        with pytest.raises(rm.InputValueError, match="chunk_ms"):
            rm.stream(clip, wrong)
    for other in (True, "20", None):
        with pytest.raises(rm.InputTypeError, match="chunk_ms"):
            rm.stream(clip, other)  # type: ignore[arg-type]
