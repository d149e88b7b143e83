"""The generated layer under the facade: what the facade relies on, and what a wrong caller gets."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
import struct
from typing import Any

import numpy as np
import pytest
from support import PASS, manifest, node

import remotemedia as rm
from remotemedia import _wire
from remotemedia._lib import NativeError, native


def item(
    kind: int,
    dtype: int = 0,
    extra: bytes = b"",
    address: int = 0,
    byte_len: int = 0,
    behind: bytes = b"",
    **other: int,
) -> bytes:
    """Return one item's record."""
    flags, token = other.get("flags", 0), other.get("token", 0)
    return _wire.pack(kind, flags, dtype, len(extra), address, byte_len, token) + extra + behind


TEXT = item(_wire.TEXT, byte_len=1, behind=b"x")


def handles() -> list[Any]:
    pipe = native.Pipeline(PASS)
    job = pipe.raw_start(TEXT, False, False, 0)
    assert job.wait(30_000)
    audio = native.AudioBuffer.from_pcm16(b"\0\0\1\0", 8000, 1)
    return [pipe, job, job.take(), audio, audio.raw_export()]


def test_native_handles_refuse_copy_and_pickle() -> None:
    for handle in handles():
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match=type(handle).__name__):
                attempt(handle)


def test_addresses_are_checked() -> None:
    x = np.zeros(4, np.float32)
    where = x.__array_interface__["data"][0]
    pipe = native.Pipeline(PASS)

    def shape(*axes: int) -> bytes:
        return struct.pack(f"<{len(axes)}Q", *axes)

    wrong = [
        item(_wire.ARRAY, 10, shape(4), 0, 16),
        item(_wire.ARRAY, 10, shape(4), where, 15),
        item(_wire.ARRAY, 10, shape(5), where, 16),
        item(_wire.ARRAY, 10, shape(2**64 - 4), where, 16),
        item(_wire.ARRAY, 99, shape(4), where, 16),
        item(_wire.ARRAY, -1, shape(4), where, 16),
        item(_wire.ARRAY, 10, shape(2**61), where, 2**63),
        item(_wire.ARRAY, 10, shape(4), 2**64 - 8, 16),
        item(_wire.ARRAY, 10, shape(2**62, 2**62, 4), where, 16),
        item(_wire.ARRAY, 10, shape(4)[:-1], where, 16),
    ]
    for channels, rate in ((0, 8000), (65, 8000), (1, 0), (2**32 - 1, 8000), (1, 2**32 - 1), (3, 8000)):
        wrong.append(item(_wire.AUDIO, 10, struct.pack("<QII", 4, rate, channels), where, 16))
    for width, height, name in ((0, 1, b"gray8"), (4, 5, b"gray8"), (4, 4, b"yuv"), (4, 4, b"\xff")):
        wrong.append(item(_wire.VIDEO, 0, struct.pack("<II", width, height) + name, where, 16))
    for one in wrong:
        for call in (
            lambda records: pipe.raw_try_run(records, 0),
            lambda records: pipe.raw_start(records, False, False, 0),
        ):
            with pytest.raises(NativeError) as caught:
                call(TEXT + one)
            assert caught.value.info.item_index == 1  # type: ignore[attr-defined]


def test_any_bytes_give_an_error_or_a_result() -> None:
    """Records come from the facade alone; still, none of them may end the process."""
    pipe = native.Pipeline(PASS)
    random = np.random.default_rng(1)
    good = TEXT + item(_wire.JSON, byte_len=4, behind=b"null") + TEXT
    for length in range(len(good)):
        if length in (0, 33, 69):
            continue
        with pytest.raises(NativeError):
            pipe.raw_try_run(good[:length], 0)
    for _ in range(2000):
        # Kinds with addresses are left out: a wrong address cannot be told from a right one.
        broken = bytearray(good)
        broken[random.integers(2, len(good))] ^= 1 << random.integers(0, 8)
        if broken[33] in (0, 1) and broken[69] == 0:
            with contextlib.suppress(NativeError):
                pipe.raw_try_run(bytes(broken), 0)


def test_a_failed_batch_gives_back_its_tokens() -> None:
    from remotemedia import _pins

    _pins.drain()
    held = _pins.held()
    x = np.zeros(4, np.float32)
    tokens = [_pins.pin(x) for _ in range(3)]
    where = x.__array_interface__["data"][0]
    axes = struct.pack("<Q", 4)
    lent = [item(_wire.ARRAY, 10, axes, where, 16, flags=_wire.LENT, token=token) for token in tokens[:2]]
    lent.insert(1, item(_wire.ARRAY, 99, axes, 0, 16, flags=_wire.LENT, token=tokens[2]))
    with pytest.raises(NativeError):
        native.Pipeline(PASS).raw_start(b"".join(lent), False, False, 0)
    _pins.drain()
    assert _pins.held() == held


def test_what_would_take_long_is_not_run() -> None:
    pipe = native.Pipeline(json.dumps(manifest(node("a", "AudioResample", target_rate=16000))))
    assert len(pipe.raw_try_run(TEXT, 1)) > 1
    x = np.zeros(10_000_000, np.int8)
    where = x.__array_interface__["data"][0]
    audio = item(_wire.AUDIO, 5, struct.pack("<QII", x.size, 48000, 1), where, x.size)
    assert len(pipe.raw_try_run(audio, 0)) == 1


def test_each_buffer_is_taken_once() -> None:
    data = np.frombuffer(b"abc", np.uint8)
    record = item(_wire.BINARY, address=data.__array_interface__["data"][0], byte_len=3)
    job = native.Pipeline(PASS).raw_start(record, False, False, 0)
    assert job.wait(30_000)
    results = job.take()
    assert results.raw_buffer(0).byte_len() == 3
    for again in (0, 1, -1):
        with pytest.raises(NativeError):
            results.raw_buffer(again)


def test_a_job_is_taken_once() -> None:
    job = native.Pipeline(PASS).raw_start(TEXT, False, False, 0)
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
        pipe._compiled.native.raw_start(inputs.lend(), False, False, 0)
        del inputs
    assert pipe.run(rm.Audio(np.zeros(441, np.float32), 44100)).frames == 160
