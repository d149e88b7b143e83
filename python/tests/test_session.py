"""Sessions: frames in, frames out, against the one-shot run."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import threading
from fractions import Fraction

import numpy as np
import pytest
from support import same_signal

import remotemedia as rm

RESAMPLE = [rm.nodes.AudioResample(target_rate=16000)]


def speech(seconds: float = 1.0, rate: int = 48000, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(7)
    frames = int(seconds * rate)
    return rng.standard_normal((frames, channels) if channels > 1 else frames).astype(np.float32) * 0.1


def chunks(x: np.ndarray, *lengths: int):
    at = index = 0
    while at < len(x):
        yield x[at : at + lengths[index % len(lengths)]]
        at += lengths[index % len(lengths)]
        index += 1


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int16", "int32", "uint8", ">i2", ">f4"])
@pytest.mark.parametrize("channels", [1, 2])
def test_frames_through_a_session_are_the_one_shot_result(dtype, channels):
    x = speech(0.5, channels=channels)
    if np.dtype(dtype).kind == "i":
        x = (x * 2**15 / 4 * (2**16 if "4" in np.dtype(dtype).str else 1)).astype(dtype)
    elif np.dtype(dtype).kind == "u":
        x = (x * 100 + 128).astype(dtype)
    else:
        x = x.astype(dtype)
    pipe = rm.Pipeline(RESAMPLE, input=rm.AudioFormat(48000, channels))
    whole = pipe.run(x)
    with pipe.session() as session:
        parts = [session.process(part) for part in chunks(x, 960, 1, 441, 4096, 7)]
        parts.append(session.flush())
    joined = np.concatenate(parts)
    assert {part.dtype for part in parts} == {whole.dtype} == {np.dtype(dtype)}
    assert joined.shape == whole.shape
    assert same_signal(joined, whole)


def test_feed_gives_the_same_with_node_port_and_exact_time():
    x = speech()
    manifest = {
        "version": "v1",
        "input": {"type": "audio", "sample_rate_hz": 48000, "channels": 1},
        "nodes": [
            {"id": "down", "node_type": "AudioResample", "params": {"target_rate": 16000}},
            {"id": "vad", "node_type": "EnergyVAD"},
        ],
        "connections": [{"from": "down", "to": "vad"}],
        "outputs": ["down", "vad.events"],
    }
    pipe = rm.Pipeline(manifest)
    whole = pipe.run(x)
    with pipe.session() as session:
        outs = [out for part in chunks(x, 960, 333) for out in session.feed(part)]
        outs += session.flush()
    audio = [out for out in outs if (out.node, out.port) == ("down", "out")]
    at = Fraction(0)
    for out in audio:
        assert out.pts == at
        at += Fraction(len(out.data), 16000)
    assert same_signal(np.concatenate([out.data for out in audio]), whole["down"])
    events = [out.data for out in outs if out.port == "events"]
    assert events == whole["vad.events"]


def test_the_dtype_shape_rate_and_samples_of_a_stream_do_not_change():
    with rm.Pipeline(RESAMPLE).session(48000, 1) as session, rm.Pipeline(RESAMPLE).session(48000, 1) as other:
        x = speech(0.02)
        first = session.process(x)
        other.process(x)
        for bad, error, text in [
            (x.astype(np.int16), rm.FormatError, "int16.*float32"),
            (np.stack([x, x], 1), rm.FormatError, r"\(960, 2\)"),
            (x.reshape(1, 1, -1), rm.FormatError, "shape"),
            (x > 0, rm.FormatError, "bool"),
            (np.where(np.arange(960) == 7, np.nan, x).astype(np.float32), rm.InputValueError, "frame 7.*NaN"),
            (np.where(np.arange(960) == 3, np.inf, x).astype(np.float32), rm.InputValueError, "frame 3.*inf"),
            ("text", rm.InputTypeError, "str"),
        ]:
            with pytest.raises(error, match=text):
                session.process(bad)
        with pytest.raises(rm.FormatError, match="44100"):
            session.feed(rm.Audio(x, 44100))
        # Nothing of that was taken.
        rest = [first, *(session.process(x) for _ in range(9)), session.flush()]
        expected = [other.process(x) for _ in range(9)]
        assert len(np.concatenate(rest)) == 3200
        assert np.array_equal(
            np.concatenate(rest)[960:2000], np.concatenate([first, *expected, other.flush()])[960:2000]
        )


def test_a_first_frame_that_fails_says_why():
    bad = np.full(960, np.nan, np.float32)
    with rm.Pipeline(RESAMPLE).session(8000, 1) as session:
        with pytest.raises(rm.InputValueError, match="NaN"):
            session.process(bad)
        long = np.zeros(8000, np.float32)
        long[0] = np.inf
        with pytest.raises(rm.InputValueError, match="inf"):
            session.process(long)
    with rm.Pipeline([rm.nodes.AudioResample(target_rate=192000)]).session(8000, 1) as session:
        session.process(np.zeros(8000, np.float32))  # makes the output grow
        with pytest.raises(rm.InputValueError, match="NaN"):
            session.process(bad)
        session.reset()


def test_an_array_of_unknown_rate_is_refused_with_the_fix():
    session = rm.Pipeline(RESAMPLE).session()
    with pytest.raises(rm.FormatError, match="sample rate") as caught:
        session.process(speech(0.02))
    assert "open the session with a sample rate" in str(caught.value)
    with pytest.raises(rm.FormatError, match="sample rate"):
        session.feed(speech(0.02))


def test_process_needs_one_result_of_audio():
    session = rm.Pipeline([rm.nodes.EnergyVAD()]).session(16000, 1)
    with pytest.raises(rm.UnsupportedError, match="feed"):
        session.process(speech(0.02))
    only_events = {
        "version": "v1",
        "nodes": [{"id": "vad", "node_type": "EnergyVAD"}],
        "outputs": ["vad.events"],
    }
    with pytest.raises(rm.UnsupportedError, match="json"):
        rm.Pipeline(only_events).session(16000, 1).process(speech(0.02))


def test_reset_and_flush_begin_a_new_stream():
    x = speech(0.3)
    pipe = rm.Pipeline(RESAMPLE)
    with pipe.session(48000, 1) as session:
        first = np.concatenate([session.process(x), session.flush()])
        again = np.concatenate([session.process(x), session.flush()])
        session.process(x[:5000])
        session.reset()
        third = np.concatenate([session.process(x), session.flush()])
    assert np.array_equal(first, again)
    assert np.array_equal(first, third)


def test_after_an_interrupt_nothing_old_comes():
    old, new = np.ones(4800, np.float32), np.full(4800, -1, np.float32)
    with rm.Pipeline(RESAMPLE).session(48000, 1) as session:
        session.feed(old)
        assert session.held_frames > 0
        assert session.interrupt() == 1
        assert session.held_frames == 0
        outs = session.feed(new) + session.flush()
    assert {out.generation for out in outs} == {1}
    assert outs[0].pts == 0
    got = np.concatenate([out.data for out in outs])
    assert len(got) == 1600
    assert got.max() < 0.2


def test_interrupts_and_parameters_of_another_thread_never_disturb_a_frame():
    """The thread of the audio gets no error because another one barges in."""
    x = np.ones(9600, np.float32)
    with rm.Pipeline([rm.nodes.Gain(gain_db=0), *RESAMPLE]).session(48000, 1) as session:
        failed: list[Exception] = []
        frames = 0
        done = threading.Event()

        def audio() -> None:
            nonlocal frames
            try:
                while not done.is_set():
                    session.process(x)
                    frames += 1
            except Exception as error:
                failed.append(error)

        thread = threading.Thread(target=audio)
        thread.start()
        for number in range(3000):
            assert session.interrupt() == number + 1
            session.set_param("gain", "gain_db", -float(number % 60))
            assert session.held_frames >= 0
        done.set()
        thread.join()
        assert not failed
        assert frames > 10
        session.interrupt()
        assert session.flush().shape == (0,)


def test_time_may_jump_forward_but_not_back():
    with rm.Pipeline([rm.nodes.Gain(gain_db=0)]).session(16000, 1) as session:
        x = np.ones(160, np.float32)
        assert session.feed(x, pts=5)[0].pts == 5
        outs = session.feed(x, pts=Fraction(5) + Fraction(320, 16000))
        assert [float(out.pts) for out in outs] == [5.01, 5.02]
        assert [float(out.data[0]) for out in outs] == [0.0, 1.0]
        with pytest.raises(rm.InputValueError, match="JitterBuffer"):
            session.feed(x, pts=5.0)
        with pytest.raises(rm.InputValueError, match="missing"):
            session.feed(x, pts=5e6)
        with pytest.raises(rm.InputTypeError, match="pts"):
            session.feed(x, pts="soon")
        with pytest.raises(rm.InputValueError, match="pts"):
            session.feed(x, pts=float("nan"))
        assert session.feed(x)[0].pts == Fraction(503, 100)


def test_constant_frames_gives_a_frame_for_a_frame():
    x = speech(0.2)
    with rm.Pipeline(RESAMPLE).session(48000, 1, constant_frames=True) as session:
        outs = [session.process(x[at : at + 960]) for at in range(0, len(x), 960)]
        assert [len(out) for out in outs] == [320] * 10
        session.flush()
    with rm.Pipeline(RESAMPLE).session(48000, 1, constant_frames=True) as session:
        first = session.feed(x[:960])
        assert float(first[0].pts) < 0
        session.reset()


@pytest.mark.parametrize(
    ("rates", "frame"), [((48000, 16000), 480), ((44100, 16000), 441), ((16000, 48000), 160), ((8000, 16000), 80)]
)
def test_constant_frames_holds_for_frames_shorter_than_a_block(rates, frame):
    x = speech(0.5, rate=rates[0])
    pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=rates[1])])
    with pipe.session(rates[0], 1, constant_frames=True) as session:
        outs = [session.process(x[at : at + frame]) for at in range(0, len(x), frame)]
        assert {len(out) for out in outs} == {frame * rates[1] // rates[0]}
        tail = session.flush()
    got = np.concatenate([*outs, tail])
    # The same signal, later by the delay.
    want = rm.resample(x, *rates)
    assert same_signal(got[len(got) - len(want) :], want)


def test_set_param_takes_effect_at_the_next_frame_and_stays():
    pipe = rm.Pipeline([rm.nodes.Gain(gain_db=0)])
    x = np.ones(480, np.float32)
    with pipe.session(48000, 1) as session:
        session.process(x)
        session.set_param("gain", "gain_db", -20)
        session.process(x)
        assert session.process(x)[-1] == pytest.approx(0.1, rel=1e-6)
        session.reset()
        session.process(x)
        assert session.process(x)[-1] == pytest.approx(0.1, rel=1e-6)
        with pytest.raises(rm.InputValueError, match="gain_dB"):
            session.set_param("gain", "gain_dB", -20)
        with pytest.raises(rm.InputValueError, match=r"gian.*`gain`"):
            session.set_param("gian", "gain_db", -20)
        with pytest.raises(rm.InputValueError, match="gain_db"):
            session.set_param("gain", "gain_db", "loud")
    with pipe.session(48000, 1) as session:
        assert session.process(x)[-1] == 1.0, "another session does not see it"
    with rm.Pipeline(RESAMPLE).session(48000, 1) as session, pytest.raises(rm.UnsupportedError, match="target_rate"):
        session.set_param("audio_resample", "target_rate", 8000)


def test_leaving_with_frames_held_warns_with_their_count():
    with (
        pytest.warns(ResourceWarning, match=r"\d+ frames held back"),
        rm.Pipeline(RESAMPLE).session(48000, 1) as session,
    ):
        session.process(speech(0.1))
    with pytest.raises(rm.ClosedError):
        session.process(speech(0.1))
    with pytest.raises(rm.ClosedError):
        session.feed(speech(0.1))
    with pytest.raises(rm.ClosedError):
        session.interrupt()
    session.close()


def test_a_second_thread_is_told_that_the_session_is_busy():
    session = rm.Pipeline([rm.nodes.AudioResample(target_rate=16000, quality="very_high")]).session(48000, 1)
    big = np.zeros(20_000_000, np.float32)
    started = threading.Event()
    done = threading.Event()

    def work():
        started.set()
        session.process(big)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    busy = 0
    while not done.is_set():
        try:
            session.process(big[:960])
        except rm.BusyError:
            busy += 1
    thread.join()
    assert busy > 0


def test_sessions_are_not_pickled_or_copied():
    session = rm.Pipeline(RESAMPLE).session(48000, 1)
    for copier in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="Pipeline"):
            copier(session)


@pytest.mark.parametrize("vad", [False, True])
def test_stream_takes_iterables_of_both_kinds(vad):
    x = speech()
    nodes = [*RESAMPLE, rm.nodes.EnergyVAD()] if vad else RESAMPLE
    pipe = rm.Pipeline(nodes)

    async def microphone():
        for part in chunks(x, 960):
            await asyncio.sleep(0)
            yield part

    async def listen(source):
        async with pipe.session(48000, 1) as session:
            return [out async for out in session.stream(source)]

    whole = rm.Pipeline(RESAMPLE, input=rm.AudioFormat(48000, 1)).run(x)
    with pipe.session(48000, 1) as session:
        runs = [list(session.stream(chunks(x, 960)))]
        with pytest.raises(rm.InputTypeError, match="async for"):
            list(session.stream(microphone()))
    runs += [asyncio.run(listen(microphone())), asyncio.run(listen(chunks(x, 777)))]
    for outs in runs:
        audio = [out for out in outs if out.port == "out"]
        assert same_signal(np.concatenate([out.data for out in audio]), whole)
        assert [out.pts for out in audio] == [
            Fraction(int(at), 16000) for at in np.cumsum([0] + [len(out.data) for out in audio[:-1]])
        ]
    with pytest.raises(rm.InputTypeError, match="iterable"):
        session.stream(5)


def test_a_session_is_not_usable_in_a_forked_child():
    session = rm.Pipeline(RESAMPLE).session(48000, 1)
    session.process(speech(0.02))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            session.process(speech(0.02))
        except rm.ClosedError as error:
            code = 0 if "parent" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    session.process(speech(0.02))


def test_a_long_result_makes_room_for_itself():
    x = speech(0.1, rate=8000)
    pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=192000)])
    with pipe.session(8000, 1) as session:
        got = np.concatenate([session.process(x), session.process(x), session.flush()])
    assert same_signal(got, pipe.run(rm.Audio(np.concatenate([x, x]), 8000)).samples)


def test_process_after_feed_answers_in_its_own_way_and_stays_in_its_memory():
    x = speech(0.1, channels=2)
    with rm.Pipeline(RESAMPLE).session(48000, 2) as session:
        first = session.process(x)
        outs = session.feed(x)
        # More channels than the lane has room for are refused, whatever came between.
        with pytest.raises(rm.FormatError, match=r"expected \(frames, 2\)"):
            session.process(np.zeros((4800, 5), np.float32))
        second = session.process(x)
        tail = session.flush()
        assert isinstance(tail, np.ndarray)
        got = np.concatenate([first, *(out.data for out in outs), second, tail])
        assert same_signal(got, rm.resample(np.concatenate([x, x, x]), 48000, 16000))
        session.process(x)
        session.feed(x)
        assert isinstance(session.flush(), list)


def test_other_kinds_go_through_feed():
    with rm.Pipeline([rm.nodes.TextCase(mode="upper")]).session() as session:
        assert [out.data for out in session.feed("hello")] == ["HELLO"]
        with pytest.raises(rm.InputTypeError, match="text"):
            session.feed(np.zeros(4, np.float32))


def test_metrics_count_what_went_through():
    with rm.Pipeline([rm.nodes.Gain(gain_db=-3)]).session(48000, 1, metrics=True) as session:
        for _ in range(5):
            session.process(np.zeros(960, np.float32))
        figures = session.metrics()["node_metrics"]
    assert [(one["node_id"], one["frames_in"], one["execution_count"]) for one in figures] == [("gain", 4800, 5)]


def rss() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_memory_stays_flat_over_a_million_frames_and_ten_thousand_sessions():
    x = speech(0.02)
    pipe = rm.Pipeline([rm.nodes.Gain(gain_db=-1), rm.nodes.AudioResample(target_rate=16000)])
    with pipe.session(48000, 1) as session:
        for _ in range(1000):
            session.process(x[:480])
        before = rss()
        for _ in range(1_000_000):
            session.process(x[:48])
        assert rss() - before < 4 << 20
        session.reset()

    def open_and_leave() -> None:
        session = pipe.session(48000, 1)
        session.process(x)
        session.interrupt()
        session.close()

    for _ in range(500):
        open_and_leave()
    before = rss()
    for _ in range(10_000):
        open_and_leave()
    assert rss() - before < 4 << 20


def test_an_hour_ends_sample_exact():
    frames = 0
    chunk = np.zeros(882, np.float32)
    with rm.Pipeline(RESAMPLE).session(44100, 1) as session:
        for _ in range(3600 * 50):
            frames += len(session.process(chunk))
        last = session.feed(np.zeros(1, np.float32))
        frames += sum(len(out.data) for out in last)
        tail = session.flush()
        frames += sum(len(out.data) for out in tail)
        end = tail[-1].pts + Fraction(len(tail[-1].data), 16000)
    assert frames == 3600 * 16000 + 1
    assert end == Fraction(frames, 16000)


@pytest.mark.parametrize("rates", [(48000, 16000), (44100, 48000), (16000, 24000)])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_resample_stream_gives_what_resample_gives(rates, channels):
    x = speech(0.7, rate=rates[0], channels=channels)
    stream = rm.ResampleStream(*rates, channels)
    parts = [stream.resample_chunk(x[at : at + 1000], last=at + 1000 >= len(x)) for at in range(0, len(x), 1000)]
    assert same_signal(np.concatenate(parts), rm.resample(x, *rates))
    stream.resample_chunk(x)
    stream.clear()
    again = stream.resample_chunk(x, last=True)
    assert np.array_equal(again, np.concatenate(parts)), "however it was cut"


def test_a_resample_stream_refuses_what_soxr_refuses():
    with pytest.raises(rm.InputValueError, match="quality"):
        rm.ResampleStream(48000, 16000, 1, quality="LQ")
    with pytest.raises(rm.InputTypeError, match="uint8"):
        rm.ResampleStream(48000, 16000, 1, dtype="uint8")
    with pytest.raises(rm.FormatError, match="float64"):
        rm.ResampleStream(48000, 16000, 1).resample_chunk(np.zeros(10))
