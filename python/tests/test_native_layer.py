"""The generated layer under the facade: what the facade relies on, and what a wrong caller gets."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from support import PASS

import remotemedia as rm
from remotemedia._lib import NativeError, native


def handles() -> list[Any]:
    pipe = native.Pipeline(PASS)
    batch = native.RawBatch()
    batch.push_text("x")
    job = pipe.raw_start(batch, False, False, 0)
    assert job.wait(30_000)
    audio = native.AudioBuffer.from_pcm16(b"\0\0\1\0", 8000, 1)
    return [pipe, batch, job, job.take(), audio, audio.raw_export()]


def test_native_handles_refuse_copy_and_pickle() -> None:
    for handle in handles():
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match=type(handle).__name__):
                attempt(handle)


def test_addresses_are_checked() -> None:
    x = np.zeros(4, np.float32)
    where = x.__array_interface__["data"][0]
    batch = native.RawBatch()
    for wrong in (
        (0, 16, 10, [4], 10**9),
        (where, 15, 10, [4], 10**9),
        (where, 16, 10, [5], 10**9),
        (where, 16, 10, [-4], 10**9),
        (where, 16, 99, [4], 10**9),
        (where, 2**63, 10, [2**61], 10**9),
        (2**64 - 8, 16, 10, [4], 10**9),
        (where, 16, 10, [2**62, 2**62, 4], 10**9),
    ):
        with pytest.raises(NativeError):
            batch.raw_push_array(*wrong)
    for channels, rate in ((0, 8000), (65, 8000), (1, 0), (-1, 8000), (1, -8000), (3, 8000)):
        with pytest.raises(NativeError):
            batch.raw_push_audio(where, 16, 10, 4, channels, rate, True, 10**9)
    for size in ((0, 1, "gray8"), (4, 5, "gray8"), (4, 4, "yuv")):
        with pytest.raises(NativeError):
            batch.raw_push_video(where, 16, *size, 10**9)
    assert native.Pipeline(PASS).raw_cost_ns(batch) >= 0


def test_each_buffer_is_taken_once() -> None:
    batch = native.RawBatch()
    batch.push_binary(b"abc")
    results = native.Pipeline(PASS).raw_run(batch, False, False)
    assert results.raw_buffer(0).byte_len() == 3
    for again in (0, 1, -1):
        with pytest.raises(NativeError):
            results.raw_buffer(again)


def test_a_job_is_taken_once() -> None:
    batch = native.RawBatch()
    batch.push_text("x")
    job = native.Pipeline(PASS).raw_start(batch, False, False, 0)
    assert job.wait(30_000)
    job.take()
    with pytest.raises(NativeError):
        job.take()
    job.stop()


def test_blobs_round_trip_in_one_copy() -> None:
    data = np.arange(-500, 500, dtype=np.int16).tobytes()
    buffer = native.AudioBuffer.from_pcm16(data, 8000, 2)
    assert (buffer.frames(), buffer.channels(), buffer.sample_rate_hz()) == (500, 2, 8000)
    assert buffer.to_pcm16() == data
    floats = np.frombuffer(buffer.to_float32(), np.float32)
    np.testing.assert_array_equal(floats, np.arange(-500, 500) / np.float32(2**15))
    assert native.AudioBuffer.from_float32(floats.tobytes(), 8000, 2).to_pcm16() == data
    for wrong in (b"\0", b"\0\0\0"):
        with pytest.raises(NativeError):
            native.AudioBuffer.from_pcm16(wrong, 8000, 2)


def test_no_vector_of_samples_crosses_the_boundary() -> None:
    """Rule 1 of the boundary: a list of floats costs a hundred times what a buffer does."""
    with open(native.__file__, encoding="utf-8") as file:
        source = file.read()
    for slow in ("FfiConverterSequenceFloat", "FfiConverterSequenceDouble", "FfiConverterSequenceInt16"):
        assert slow not in source


def test_dropping_an_unfinished_job_is_fine() -> None:
    pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=16000)])
    from remotemedia._inputs import Inputs

    for _ in range(10):
        inputs = Inputs([rm.Audio(np.zeros(480_000, np.float32), 44100)])
        pipe._native.raw_start(inputs.batch, False, False, 0)
        del inputs
    assert pipe.run(rm.Audio(np.zeros(441, np.float32), 44100)).frames == 160
