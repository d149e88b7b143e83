"""The generated layer under the facade: what the facade relies on, and what a wrong caller gets."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import json
import pickle
import struct

import numpy as np
import pytest
from support import PASS, manifest, node

import remotemedia as rm
from remotemedia import _calls, _pins, _wire
from remotemedia._inputs import Inputs
from remotemedia._lib import NativeError, native
from remotemedia._owner import Owner, own, own_run
from remotemedia._run import Compiled, Job


def item(kind: int, dtype: int = 0, extra: bytes = b"", place: int = 0, behind: bytes = b"") -> bytes:
    """Return one item's record: the position of its memory, or the length of what is behind."""
    return _wire.pack(kind, 0, dtype, len(extra), place) + extra + behind


TEXT = item(_wire.TEXT, place=1, behind=b"x")
NO_MEMORY = _wire.table([], 0)


def compiled(text: str = PASS) -> Compiled:
    return Compiled(native.Pipeline(text))


def run(pipe: Compiled, batch: bytes, options: int = 0) -> bytes:
    """Make the plain call of a short run; raise what it fails with."""
    return _calls.run(pipe.handle, batch, len(batch), options)


def start(pipe: Compiled, batch: bytes) -> Owner:
    """Start a run of its own; raise what it fails with."""
    owner = own_run()
    _calls.run_start(pipe.handle, batch, len(batch), 0, 0, owner.number)
    return owner


def test_native_handles_refuse_copy_and_pickle() -> None:
    pipe = native.Pipeline(PASS)
    for handle in (pipe, native.AudioBuffer.from_pcm16(b"\0\0\1\0", 8000, 1)):
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match=type(handle).__name__):
                attempt(handle)


def test_addresses_are_checked() -> None:
    x = np.zeros(4, np.float32)
    where = x.__array_interface__["data"][0]
    pipe = compiled()

    def shape(*axes: int) -> bytes:
        return struct.pack(f"<{len(axes)}Q", *axes)

    array = item(_wire.ARRAY, 10, shape(4))
    wrong = [
        ([where, 15], array),
        ([where, 16], item(_wire.ARRAY, 10, shape(5))),
        ([where, 16], item(_wire.ARRAY, 10, shape(2**64 - 4))),
        ([where, 16], item(_wire.ARRAY, 99, shape(4))),
        ([where, 16], item(_wire.ARRAY, -1, shape(4))),
        ([where, 16], item(_wire.ARRAY, 10, shape(2**62, 2**62, 4))),
        ([where, 16], item(_wire.ARRAY, 10, shape(4)[:-1])),
        ([where, 16], item(_wire.ARRAY, 10, shape(4), place=1)),
        ([where, 16], item(_wire.ARRAY, 10, shape(4), place=where)),
    ]
    for channels, rate in ((0, 8000), (65, 8000), (1, 0), (2**32 - 1, 8000), (1, 2**32 - 1), (3, 8000)):
        wrong.append(([where, 16], item(_wire.AUDIO, 10, struct.pack("<QII", 4, rate, channels))))
    for width, height, name in ((0, 1, b"gray8"), (4, 5, b"gray8"), (4, 4, b"yuv"), (4, 4, b"\xff")):
        wrong.append(([where, 16], item(_wire.VIDEO, 0, struct.pack("<II", width, height) + name)))
    for places, one in wrong:
        for call in (run, start):
            with pytest.raises(rm.RemoteMediaError) as caught:
                call(pipe, _wire.table(places, 0) + TEXT + one)
            assert caught.value.item_index == 1
    for places in ([0, 16], [where, 2**63], [2**64 - 8, 16]):
        for call in (run, start):
            with pytest.raises(rm.InputValueError, match="the address of the array is wrong"):
                call(pipe, _wire.table(places, 0) + array)


def test_any_bytes_give_an_error_or_a_result() -> None:
    """Records come from the facade alone; still, none of them may end the process."""
    pipe = compiled()
    random = np.random.default_rng(1)
    good = NO_MEMORY + TEXT + item(_wire.JSON, place=4, behind=b"null") + TEXT
    ends = {16, 16 + 17, 16 + 17 + 20}
    for length in set(range(len(good))) - ends:
        with pytest.raises(rm.RemoteMediaError):
            run(pipe, good[:length])
    for _ in range(2000):
        # The number of addresses is left alone: a wrong address cannot be told from a right one.
        broken = bytearray(good)
        broken[random.integers(16, len(good))] ^= 1 << random.integers(0, 8)
        with contextlib.suppress(rm.RemoteMediaError):
            run(pipe, bytes(broken))


def test_what_was_lent_for_a_run_comes_back_however_it_ends() -> None:
    _pins.drain()
    held = _pins.held()
    x = np.zeros(4, np.float32)
    pipe = compiled()
    record = item(_wire.ARRAY, 10, struct.pack("<Q", 4))
    wrong = item(_wire.ARRAY, 99, struct.pack("<Q", 4))
    for records, places in ((record, [x.__array_interface__["data"][0], 16]), (wrong, [0, 16]), (b"", [])):
        owner = own_run()
        _pins.pin(owner.number, x)
        batch = _wire.table(places, owner.number) + records
        if records == record:
            assert _calls.run_start(pipe.handle, batch, len(batch), 0, 0, owner.number) == 0
            assert native.raw_run_wait(owner.number, 30_000)
        elif records == wrong:
            with pytest.raises(rm.RemoteMediaError):
                _calls.run_start(pipe.handle, batch, len(batch), 0, 0, owner.number)
        del owner
        _pins.drain()
        assert _pins.held() == held


def test_what_would_take_long_is_not_run() -> None:
    pipe = compiled(json.dumps(manifest(node("a", "AudioResample", target_rate=16000))))
    assert len(run(pipe, NO_MEMORY + TEXT, 1)) > 1

    def audio(frames: int, rate: int) -> bytes:
        x = np.zeros(frames, np.uint8)
        places = [x.__array_interface__["data"][0], x.size]
        kept.append(x)
        return _wire.table(places, 0) + item(_wire.AUDIO, 5, struct.pack("<QII", frames, rate, 1))

    kept: list[object] = []
    assert run(pipe, audio(10_000_000, 48000)) == _calls.LATER
    # As short as it is, what comes out is long.
    assert run(pipe, audio(1000, 10)) == _calls.LATER
    assert run(pipe, audio(1000, 8000)) != _calls.LATER


def test_each_buffer_is_taken_once() -> None:
    data = np.frombuffer(b"abc", np.uint8)
    table = _wire.table([data.__array_interface__["data"][0], 3], 0)
    job = start(compiled(), table + item(_wire.BINARY))
    assert native.raw_run_wait(job.number, 30_000)
    assert len(_calls.run_take(job.number)) == 32
    before = native.raw_owned()
    owner = own()
    address = native.raw_run_buffer(job.number, 0, owner.number)
    assert ctypes.string_at(address, 3) == b"abc"
    assert native.raw_owned() == before + 1
    del owner
    assert native.raw_owned() == before
    for again in (0, 1, -1):
        with pytest.raises(NativeError):
            native.raw_run_buffer(job.number, again, own().number)


def test_a_job_is_taken_once() -> None:
    job = start(compiled(), NO_MEMORY + TEXT)
    assert native.raw_run_wait(job.number, 30_000)
    assert len(_calls.run_take(job.number)) > 1
    with pytest.raises(rm.ClosedError):
        _calls.run_take(job.number)
    native.raw_run_stop(job.number)


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
    for _ in range(10):
        Job(pipe._compiled, Inputs([rm.Audio(np.zeros(480_000, np.float32), 44100)]), 0, 0)
    assert pipe.run(rm.Audio(np.zeros(441, np.float32), 44100)).frames == 160
