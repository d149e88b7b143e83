"""Nodes written in Python, in this process: the decorator, and how they run."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Literal, Optional

import numpy as np
import pytest
from support import must, run_python

import remotemedia as rm
from remotemedia.runtime import execute_pipeline_with_input

LIMIT = 20.0
"""Seconds after which a call that hangs has failed."""


def pipe(*nodes: Any, **more: Any) -> rm.Pipeline:
    """A pipeline of nodes one after the other: each a name, or one of `remotemedia.nodes`, or an entry."""
    return rm.Pipeline([{"node_type": one} if isinstance(one, str) else one for one in nodes], **more)


def entry(node_type: str, **params: Any) -> dict[str, Any]:
    return {"node_type": node_type, "params": params}


def python(class_: str, **params: Any) -> dict[str, Any]:
    return {"node_type": "Python", "params": {"class": class_, "params": params}}


def ones(frames: int = 960, rate: int = 48000, dtype: str = "float32") -> rm.Audio:
    return rm.Audio(np.ones(frames, dtype), rate)


@rm.node
class PnSame:
    """Gives what it takes."""

    def process(self, data: Any) -> Any:
        return data


@rm.node(name="PnThread")
class OnThread:
    def process(self, data: Any) -> Any:
        return [threading.current_thread().name, threading.get_ident(), data]


@rm.node
class PnTyped:
    def __init__(
        self,
        count: int,
        gain: float = 1.5,
        text: str = "x",
        flag: bool = False,
        mode: Literal["slow", "fast"] = "slow",
        most: Optional[int] = None,  # noqa: UP045 the older spelling is understood too
        least: float | None = 0.5,
        items: list[int] = [],  # noqa: B006 a default of a schema
        table: dict[str, int] = {},  # noqa: B006
        anything=3,
    ) -> None:
        self.values = [count, gain, text, flag, mode, most, least, items, table, anything]

    def process(self, data: Any) -> Any:
        return self.values


@rm.node
class PnFail:
    """Fails at `bad`."""

    def __init__(self, how: str = "ValueError") -> None:
        self.how: Any = {one.__name__: one for one in FAILURES}[how]

    def process(self, data: Any) -> Any:
        if data == "bad":
            raise self.how("broken thing")
        return data


FAILURES = (ValueError, MemoryError, StopIteration, SystemExit, KeyboardInterrupt, GeneratorExit)


@rm.node
class PnHow:
    """Every way to give a result."""

    def __init__(self, how: str) -> None:
        self.process = getattr(self, how)

    def process(self, data: Any) -> Any: ...

    def plain(self, data: Any) -> Any:
        return data

    def none(self, data: Any) -> None: ...

    def generator(self, data: Any) -> Any:
        yield data
        yield None
        yield data + "2"

    def empty(self, data: Any) -> Any:
        yield from ()

    async def coroutine(self, data: Any) -> Any:
        await asyncio.sleep(0)
        return data

    async def async_generator(self, data: Any) -> Any:
        for more in ("", "2"):
            await asyncio.sleep(0)
            yield data + more

    def breaks(self, data: Any) -> Any:
        yield data
        raise LookupError("in the middle")

    async def async_breaks(self, data: Any) -> Any:
        await asyncio.sleep(0)
        raise LookupError("in the middle")


class Log:
    """Says what was called; each test makes a class of its own."""

    calls: ClassVar[list[str]]

    def __init_subclass__(cls) -> None:
        cls.calls = []

    def __init__(self) -> None:
        self.calls.append("init")

    def setup(self) -> None:
        self.calls.append("setup")

    def process(self, data: Any) -> Any:
        self.calls.append("process")
        return data

    def close(self) -> None:
        self.calls.append("close")


# The decorator


def test_with_and_without_arguments():
    @rm.node
    class PnBare:
        def process(self, data):
            return "bare"

    @rm.node()
    class PnCalled:
        def process(self, data):
            return "called"

    @rm.node(name="pn-named")
    class PnOther:
        def process(self, data):
            return "named"

    assert [pipe(name).run("x") for name in ("PnBare", "PnCalled", "pn-named")] == ["bare", "called", "named"]
    assert isinstance(PnBare, type)
    assert PnBare().process(1) == "bare"
    with pytest.raises(rm.ManifestError, match="PnOther"):
        pipe("PnOther")


def test_only_a_class_with_process_is_a_node():
    for wrong in (type("PnNothing", (), {}), type("PnValue", (), {"process": 3}), lambda data: data, "PnText"):
        with pytest.raises(rm.InputTypeError, match="process"):
            rm.node(wrong)  # type: ignore[call-overload]


def test_wrong_declarations_are_refused():
    class PnWrong:
        def process(self, data): ...

    for more in ({"input": "sound"}, {"output": 3}, {"latency_frames": 3}, {"input": "audio", "latency_frames": 3}):
        with pytest.raises(rm.InputValueError):
            rm.node(**more)(PnWrong)
    with pytest.raises(rm.InputValueError):
        rm.node(input=rm.AudioFormat(16000, 1), latency_frames=-1)(PnWrong)
    with pytest.raises(rm.ManifestError):
        pipe("PnWrong")


@pytest.mark.parametrize("name", ["Gain", "AudioResample", "Python", "PassThrough"])
def test_the_name_of_a_built_in_is_taken(name):
    class PnClash:
        def process(self, data): ...

    with pytest.raises(rm.InputValueError, match=name):
        rm.node(name=name)(PnClash)
    assert pipe("PassThrough").run("still there") == "still there"


def test_ones_own_name_is_replaced_also_in_what_is_cached():
    def define(answer: str) -> None:
        @rm.node
        class PnAgain:
            def process(self, data):
                return answer

    manifest = json.dumps({"version": "v1", "nodes": [{"id": "a", "node_type": "PnAgain"}]})
    for answer in ("first", "second", "third"):
        define(answer)
        assert pipe("PnAgain").run("x") == answer
        assert asyncio.run(execute_pipeline_with_input(manifest, ["x"])) == answer


def test_a_replaced_node_has_its_new_parameters():
    @rm.node(name="PnParams")
    class First:
        def __init__(self, one: int = 1) -> None: ...
        def process(self, data): ...

    pipe(entry("PnParams", one=2))

    @rm.node(name="PnParams")
    class Second:
        def __init__(self, two: int = 1) -> None: ...
        def process(self, data): ...

    pipe(entry("PnParams", two=2))
    with pytest.raises(rm.ManifestError, match="one"):
        pipe(entry("PnParams", one=2))


def test_classes_of_one_factory_under_names_of_their_own_are_apart():
    def make(answer: str) -> type:
        @rm.node(name=f"pn-{answer}")
        class Made:
            def process(self, data):
                return answer

        return Made

    make("one"), make("two")
    assert [pipe("pn-one").run("x"), pipe("pn-two").run("x")] == ["one", "two"]


def test_a_script_sees_its_nodes_in_the_catalog():
    out = must(
        run_python("""
        import json, remotemedia as rm
        from remotemedia._lib import native
        @rm.node
        class Louder:
            '''Makes it louder.

            By a factor.'''
            def __init__(self, factor: float = 2.0, *, name: str): ...
            def process(self, data): ...
        @rm.node
        class Silent:
            def process(self, data): ...
        nodes = json.loads(native.node_catalog())
        print(json.dumps({one["name"]: one for one in nodes}))
        """)
    )
    found = json.loads(out)
    assert found["Louder"]["description"] == "Makes it louder.\n\nBy a factor."
    assert "Silent" in found["Silent"]["description"]
    assert found["Louder"]["params"]["properties"]["factor"] == {"type": "number", "default": 2.0}
    assert found["Louder"]["params"]["required"] == ["name"]
    assert "Gain" in found


# Parameters


def test_defaults_and_required_parameters():
    assert pipe(entry("PnTyped", count=1)).run("x") == [1, 1.5, "x", False, "slow", None, 0.5, [], {}, 3]
    everything = {
        "count": 2,
        "gain": 3,
        "text": "t",
        "flag": True,
        "mode": "fast",
        "most": 4,
        "least": None,
        "items": [1],
        "table": {"a": 1},
        "anything": {"deep": [None]},
    }
    assert pipe(entry("PnTyped", **everything)).run("x") == list(everything.values())
    with pytest.raises(rm.ManifestError, match="`count` is missing") as caught:
        pipe("PnTyped")
    assert [(one.code, one.path) for one in caught.value.problems] == [("RM0113", "/nodes/0/params")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", "one"),
        ("count", 1.5),
        ("count", None),
        ("count", True),
        ("gain", "loud"),
        ("text", 3),
        ("flag", 1),
        ("mode", "medium"),
        ("most", "many"),
        ("least", "few"),
        ("items", {}),
        ("table", []),
    ],
)
def test_a_wrong_type_is_a_problem_at_its_place(name, value):
    with pytest.raises(rm.ManifestError) as caught:
        pipe("PnSame", entry("PnTyped", **{"count": 1, name: value}))
    assert [one.path for one in caught.value.problems] == [f"/nodes/1/params/{name}"]
    assert caught.value.problems[0].node == "pn_typed"


def test_all_problems_come_at_once_and_unknown_names_have_a_neighbour():
    with pytest.raises(rm.ManifestError) as caught:
        pipe(entry("PnTyped", count="no", gian=1.0))
    problems = {one.path: one for one in caught.value.problems}
    assert set(problems) == {"/nodes/0/params/count", "/nodes/0/params/gian"}
    assert problems["/nodes/0/params/gian"].nearest == "gain"


def test_a_class_without_constructor_has_no_parameters():
    with pytest.raises(rm.ManifestError) as caught:
        pipe(entry("PnSame", gain=1))
    assert caught.value.problems[0].path == "/nodes/0/params/gain"


def test_a_default_that_is_no_json_and_nameless_arguments_are_refused():
    class PnObject:
        def __init__(self, thing: Any = object()) -> None: ...  # noqa: B008
        def process(self, data): ...

    class PnPositional:
        def __init__(self, thing: int, /) -> None: ...
        def process(self, data): ...

    for class_ in (PnObject, PnPositional):
        with pytest.raises(rm.InputTypeError, match="thing"):
            rm.node(class_)


# Formats


@rm.node(input=rm.AudioFormat(16000, 1), output=rm.AudioFormat(16000, 1), latency_frames=160)
class PnFormats:
    def process(self, data: Any) -> Any:
        return data


@rm.node(input=rm.AudioFormat(48000, 1), output=rm.AudioFormat(16000, 1))
class PnThird:
    """Every third frame, in pieces of its own."""

    def __init__(self, pieces: int = 1) -> None:
        self.pieces = pieces

    def process(self, data: Any) -> Any:
        for part in np.array_split(data.samples[::3], self.pieces):
            yield rm.Audio(part, 16000)


def test_a_declared_input_is_checked_when_compiled():
    for given, fix in [
        (rm.AudioFormat(48000, 1), "AudioResample with target_rate 16000"),
        (rm.AudioFormat(16000, 2), "AudioChannels with channels 1"),
    ]:
        with pytest.raises(rm.FormatError, match=fix) as caught:
            pipe("PnFormats", input=given)
        assert (caught.value.node, caught.value.path) == ("pn_formats", "/nodes/0")
    pipe(rm.nodes.AudioResample(target_rate=16000), "PnFormats", input=rm.AudioFormat(48000, 1))
    with pytest.raises(rm.FormatError, match="target_rate 16000"):
        pipe(rm.nodes.AudioResample(target_rate=8000), "PnFormats")


def test_a_declared_input_is_checked_when_run():
    loose = pipe("PnFormats")
    with pytest.raises(rm.FormatError, match="target_rate 16000") as caught:
        loose.run(ones())
    assert (caught.value.node, caught.value.item_index) == ("pn_formats", 0)
    with pytest.raises(rm.InputTypeError, match="text"):
        loose.run("text")
    with pytest.raises(rm.FormatError, match="target_rate 16000"):
        loose.session(48000, 1).process(np.zeros(960, np.float32))
    assert loose.run(ones(rate=16000)).frames == 960


def test_a_declared_output_is_checked_by_the_next_node():
    after = pipe("PnThird", rm.nodes.SpeechVAD(), input=rm.AudioFormat(48000, 1))
    assert after.formats["pn_third.out"]["sample_rate_hz"] == 16000
    assert after.formats["speech_vad.out"]["sample_rate_hz"] == 16000
    with pytest.raises(rm.FormatError) as caught:
        pipe("PnThird", "PnThird", input=rm.AudioFormat(48000, 1))
    assert caught.value.path == "/nodes/1"

    @rm.node(output="text")
    class PnWords:
        def process(self, data):
            return "words"

    with pytest.raises(rm.RemoteMediaError) as caught:
        pipe("PnWords", rm.nodes.Gain())
    assert caught.value.node == "gain"
    assert pipe("PnWords", rm.nodes.TextCase(mode="upper")).run(ones()) == "WORDS"


def test_what_a_node_gives_that_it_has_not_declared_is_an_error():
    @rm.node(output=rm.AudioFormat(16000, 1))
    class PnLies:
        def process(self, data):
            return rm.Audio(np.zeros(960, np.float32), 48000)

    with pytest.raises(rm.RemoteMediaError, match="48000") as caught:
        pipe("PnLies", rm.nodes.SpeechVAD()).run(ones())
    assert caught.value.node in ("pn_lies", "speech_vad")


def test_latency():
    (path,) = pipe("PnFormats", input=rm.AudioFormat(16000, 1)).latency
    assert path.delay_ms == 10.0
    assert [(one.node, one.delay_ms) for one in path.nodes] == [("pn_formats", 10.0)]


# Data


@pytest.mark.parametrize(
    "value",
    ["text", "", "Grüße \U0001f600", b"bytes", b"", {"a": [1, None, "x"]}, {}, [1, 2], [], 3, -2.5, True, False, None],
    ids=repr,
)
def test_values_go_in_and_out(value):
    seen: list[Any] = []

    @rm.node
    class PnSees:
        def process(self, data):
            seen.append(data)
            return [data] if data is None else data

    expected = [None] if value is None else value
    result = pipe("PnSees").run(value)
    assert (seen, result) == ([value], expected)
    assert type(seen[0]) is type(value)
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.array(3.5),
        np.zeros((4, 2), np.complex64),
        np.array([True, False]),
        np.zeros(0),
        np.zeros((3, 0, 2), np.int8),
        np.arange(7, dtype=">f4"),
        np.arange(16.0).reshape(4, 4)[:, ::2],
        np.arange(300_000, dtype=np.uint16).reshape(3, 1000, 100),
        np.ones(9, np.float16),
    ],
    ids=lambda array: f"{array.dtype.str}{array.shape}",
)
def test_arrays_go_in_and_out(array):
    seen: list[Any] = []

    @rm.node
    class PnArray:
        def process(self, data):
            seen.append((type(data), data.dtype.newbyteorder("="), data.flags.writeable, np.array(data)))
            return data

    result = pipe("PnArray").run(array)
    ((kind, dtype, writeable, copy),) = seen
    assert (kind, dtype) == (np.ndarray, array.dtype.newbyteorder("="))
    assert not (writeable and array.size)
    assert np.array_equal(copy, array)
    assert (result.dtype, result.shape) == (array.dtype, array.shape)
    assert np.array_equal(result, array)
    assert result.flags.writeable


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int32", "uint8"])
@pytest.mark.parametrize("shape", [(5,), (5, 2), (20_000, 2), (0,)])
def test_audio_goes_in_and_out_as_through_a_built_in(dtype, shape):
    seen: list[Any] = []

    @rm.node
    class PnAudio:
        def process(self, data):
            seen.append((type(data), data.sample_rate, data.samples.dtype, data.samples.shape, np.array(data.samples)))
            return data

    audio = rm.Audio((np.arange(np.prod(shape)).reshape(shape) % 100).astype(dtype), 22050)
    result, expected = pipe("PnAudio").run(audio), pipe(rm.nodes.Gain(gain_db=0)).run(audio)
    ((kind, rate, seen_dtype, seen_shape, samples),) = seen
    assert (kind, rate, seen_dtype, seen_shape) == (rm.Audio, 22050, audio.samples.dtype, shape)
    assert np.array_equal(samples, audio.samples)
    assert (result.sample_rate, result.samples.dtype, result.samples.shape) == (22050, expected.samples.dtype, shape)
    assert np.array_equal(result.samples, expected.samples)


def test_pictures_go_in_and_out():
    frame = rm.VideoFrame(np.arange(72, dtype=np.uint8).reshape(4, 6, 3))
    seen: list[Any] = []

    @rm.node
    class PnPicture:
        def process(self, data):
            seen.append((type(data), data.width, data.height, data.pixel_format, data.data.copy()))
            return data

    result = pipe("PnPicture").run(frame)
    assert seen[0][:4] == (rm.VideoFrame, 6, 4, frame.pixel_format)
    assert np.array_equal(seen[0][4], frame.data)
    assert np.array_equal(result.data, frame.data)


def test_what_is_no_data_is_named():
    @rm.node
    class PnObjectOut:
        def process(self, data):
            return object()

    with pytest.raises(rm.NodeError, match="object") as caught:
        pipe("PnObjectOut").run("x")
    assert (caught.value.node, caught.value.item_index) == ("pn_object_out", 0)


def test_an_input_that_is_kept_does_not_change():
    kept: list[Any] = []

    @rm.node
    class PnKeeps:
        def process(self, data):
            kept.append(data.samples)

    with pipe("PnKeeps").session(48000, 1) as session:
        for index in range(20):
            session.feed(np.full(9600, index, np.float32))
    gc.collect()
    assert [float(one[0]) for one in kept] == [float(one[-1]) for one in kept] == list(range(20))


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("plain", ["a"]),
        ("none", []),
        ("generator", ["a", "a2"]),
        ("empty", []),
        ("coroutine", ["a"]),
        ("async_generator", ["a", "a2"]),
    ],
)
def test_every_way_to_give_a_result(how, expected):
    subject = pipe(entry("PnHow", how=how))
    with subject.session() as session:
        assert [out.data for out in session.feed("a")] == expected
        assert [out.data for out in session.feed("a")] == expected
    result = subject.run("a")
    assert result == (expected if len(expected) > 1 else expected[0] if expected else None)


@pytest.mark.parametrize("how", ["breaks", "async_breaks"])
def test_generators_and_coroutines_fail_like_functions(how):
    with pytest.raises(rm.NodeError, match="LookupError: in the middle") as caught:
        pipe(entry("PnHow", how=how)).run("a")
    assert caught.value.item_index == 0
    assert f"in {how}" in str(caught.value)


# Life cycle


def test_one_stream_is_set_up_once_and_closed_once():
    @rm.node
    class PnLife(Log):
        def flush(self):
            self.calls.append("flush")
            return "end"

    subject = pipe("PnLife")
    with subject.session() as session:
        assert [out.data for text in "ab" for out in session.feed(text)] == ["a", "b"]
        assert [out.data for out in session.flush()] == ["end"]
    assert PnLife.calls[:5] == ["init", "setup", "process", "process", "flush"]
    assert subject.run("a", "b") == ["a", ["b", "end"]]
    del subject, session
    gc.collect()
    for first, second in (("init", "setup"), ("init", "close")):
        assert PnLife.calls.count(first) == PnLife.calls.count(second)


def test_a_stream_begins_afresh_each_time():
    @rm.node
    class PnCounts:
        def __init__(self) -> None:
            self.count = 0

        def process(self, data):
            self.count += 1
            return self.count

    subject = pipe("PnCounts")
    for _ in range(3):
        assert subject.run("a", "b") == [1, 2]
    with subject.session() as one, subject.session() as other:
        assert [session.feed("x")[0].data for session in (one, other, one, one, other)] == [1, 1, 2, 3, 2]
        one.reset()
        assert [session.feed("x")[0].data for session in (one, other)] == [1, 3]
        one.flush()
        assert one.feed("x")[0].data == 1
        one.interrupt()
        assert one.feed("x")[0].data == 1
    assert subject.map(["a"] * 7) == [1] * 7


def test_a_reset_of_its_own_keeps_the_object():
    @rm.node
    class PnReset(Log):
        def reset(self):
            self.calls.append("reset")

    with pipe("PnReset").session() as session:
        session.feed("a")
        session.reset()
        session.feed("b")
        assert PnReset.calls == ["init", "setup", "process", "reset", "process"]


def test_without_a_reset_another_object_takes_its_place():
    @rm.node
    class PnNoReset(Log): ...

    with pipe("PnNoReset").session() as session:
        session.feed("a")
        session.reset()
        session.feed("b")
        one = ["init", "setup", "process"]
        assert PnNoReset.calls == [*one, "close", *one]


def test_dropped_sessions_and_pipelines_close_their_objects():
    alive: list[weakref.ref[Any]] = []

    @rm.node
    class PnDropped(Log):
        def __init__(self):
            super().__init__()
            alive.append(weakref.ref(self))

    subject = pipe("PnDropped")
    sessions = [subject.session() for _ in range(5)]
    for session in sessions:
        session.feed("x")
    del session, sessions, subject
    gc.collect()
    assert PnDropped.calls.count("init") == PnDropped.calls.count("close") >= 5
    assert [one for one in alive if one() is not None] == []


def test_nothing_is_made_for_nobody_when_a_session_ends():
    """A class without reset may load a model in setup: the end of a session must not load another one."""

    @rm.node
    class PnCostly(Log): ...

    with pipe("PnCostly").session() as session:
        session.feed("x")
    assert PnCostly.calls.count("setup") == 1


def test_a_setup_that_fails_is_a_node_error():
    @rm.node
    class PnNoModel:
        def setup(self):
            raise OSError("no model here")

        def process(self, data): ...

    with pytest.raises(rm.NodeError, match="OSError: no model here") as caught:
        pipe("PnNoModel").run("x")
    assert caught.value.node == "pn_no_model"
    with pytest.raises(rm.NodeError, match="no model here"):
        pipe("PnNoModel").session().feed("x")


def test_asynchronous_life_cycle():
    calls: list[str] = []

    @rm.node
    class PnAsyncLife:
        async def setup(self):
            self.lock = asyncio.Lock()
            calls.append("setup")

        async def process(self, data):
            async with self.lock:
                return data

        async def flush(self):
            yield "one"
            yield "two"

        async def reset(self):
            calls.append("reset")

        async def close(self):
            calls.append("close")

    subject = pipe("PnAsyncLife")
    with subject.session() as session:
        assert session.feed("a")[0].data == "a"
        assert [out.data for out in session.flush()] == ["one", "two"]
    del subject, session
    gc.collect()
    assert calls[0] == "setup"
    assert calls.count("close") == calls.count("setup")


# Audio on its way, and time


def test_a_resampler_behind_gets_every_sample():
    x = np.random.default_rng(3).standard_normal(48_000).astype(np.float32) * 0.1
    alone = pipe(rm.nodes.AudioResample(target_rate=16000), input=rm.AudioFormat(48000, 1))
    behind = pipe("PnSame", rm.nodes.AudioResample(target_rate=16000), input=rm.AudioFormat(48000, 1))
    assert np.array_equal(behind.run(x), alone.run(x))
    with behind.session() as one, alone.session() as other:
        parts = [(one.process(x[at : at + 777]), other.process(x[at : at + 777])) for at in range(0, len(x), 777)]
        parts.append((one.flush(), other.flush()))
    got, expected = (np.concatenate(list(half)) for half in zip(*parts, strict=True))
    assert len(got) == 16_000
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("pieces", [1, 3, 7])
def test_times_of_outputs_follow_their_own_frames(pieces):
    with pipe(entry("PnThird", pieces=pieces)).session(48000, 1) as session:
        outs = [out for _ in range(5) for out in session.feed(np.zeros(963, np.float32))]
    assert len(outs) == 5 * pieces
    at = 0
    for out in outs:
        assert out.pts == Fraction(at, 16000)
        at += len(out.data)
    assert at == 5 * 321


def test_other_outputs_have_the_time_of_their_input():
    @rm.node
    class PnTells:
        def process(self, data):
            return {"frames": len(data.samples)}

    with pipe("PnTells").session(48000, 1) as session:
        outs = [out for _ in range(3) for out in session.feed(np.zeros(480, np.float32))]
    assert [(out.pts, out.data["frames"]) for out in outs] == [(Fraction(n, 100), 480) for n in range(3)]


# Errors


@pytest.mark.parametrize("how", [one.__name__ for one in FAILURES])
def test_an_exception_is_a_node_error_with_its_traceback(how):
    with pytest.raises(rm.NodeError) as caught:
        pipe("PnSame", entry("PnFail", how=how)).run("a", "b", "bad", "c")
    error, text = caught.value, str(caught.value)
    assert (error.node, error.item_index, error.kind) == ("pn_fail", 2, "Node")
    assert f"{how}: broken thing" in text
    assert "Traceback (most recent call last)" in text
    assert "test_python_nodes.py" in text
    assert "in process" in text
    assert "/worker/" not in text


@pytest.mark.parametrize("how", ["ValueError", "GeneratorExit"])
def test_a_session_that_has_failed_works_again_after_reset(how):
    with pipe(entry("PnFail", how=how)).session() as session:
        assert session.feed("a")[0].data == "a"
        for item in ("bad", "a", "a"):
            with pytest.raises(rm.NodeError, match=f"{how}: broken thing") as caught:
                session.feed(item)
            assert caught.value.item_index == 1
        session.reset()
        assert session.feed("a")[0].data == "a"


@pytest.mark.parametrize("how", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_what_a_signal_raises_in_a_frame_reaches_the_caller(how, on_error):
    """On the caller's thread it may be Ctrl-C, or the end of the program."""
    with pipe({**entry("PnFail", how=how.__name__), "execution": {"on_error": on_error}}).session() as session:
        session.feed("a")
        with pytest.raises(how):
            session.feed("bad")
        with pytest.raises(rm.NodeError, match=how.__name__) as caught:
            session.feed("a")
        assert caught.value.code == "RM0404"
        session.reset()
        assert session.feed("a")[0].data == "a"


def test_asynchronous_nodes_that_exit_do_not_take_the_loop_with_them():
    out = must(
        run_python("""
        import remotemedia as rm
        @rm.node
        class Exits:
            async def process(self, data):
                if data == "exit": raise SystemExit(3)
                if data == "ctrl-c": raise KeyboardInterrupt
                return data
        pipe = rm.Pipeline([{"node_type": "Exits"}])
        for text in ("exit", "ctrl-c"):
            try:
                pipe.run(text, timeout=5)
            except rm.NodeError as error:
                print(error.node, error.item_index)
        print(pipe.run("fine", timeout=5))
        """)
    )
    assert out.splitlines() == ["exits 0", "exits 0", "fine"]


def test_skip_goes_on_after_an_error():
    subject = pipe({"node_type": "PnFail", "execution": {"on_error": "skip"}})
    assert subject.run("a", "bad", "b") == ["a", None, "b"]
    with subject.session() as session:
        assert [out.data for text in ("a", "bad", "b") for out in session.feed(text)] == ["a", "b"]


def test_parameters_that_may_change():
    calls: list[tuple[str, object]] = []

    @rm.node(changeable=["gain"])
    class PnChange:
        def __init__(self, gain: float = 1.0, size: int = 0) -> None:
            self.gain = gain

        def set_param(self, name, value):
            calls.append((name, value))
            setattr(self, name, value)

        def process(self, data):
            return self.gain

    with pipe("PnChange").session() as session:
        assert session.feed("x")[0].data == 1.0
        session.set_param("pn_change", "gain", 3.0)
        assert session.feed("x")[0].data == 3.0
        with pytest.raises(rm.UnsupportedError, match="changeable"):
            session.set_param("pn_change", "size", 3)
        for name, value in (("gain", "loud"), ("gian", 1.0)):
            with pytest.raises(rm.InputValueError, match=name):
                session.set_param("pn_change", name, value)
        assert session.feed("x")[0].data == 3.0
        assert calls == [("gain", 3.0)]
    with pipe("PnChange").session() as early:
        early.set_param("pn_change", "gain", 7.0)
        assert early.feed("x")[0].data == 7.0


def test_a_changed_parameter_outlasts_the_stream():
    """As those of built-in nodes do, though another object has taken the place of the first."""

    @rm.node(changeable=["gain"])
    class PnLasting:
        def __init__(self, gain: float = 1.0) -> None:
            self.gain = gain

        def set_param(self, name, value):
            self.gain = value

        def process(self, data):
            return self.gain

    with pipe("PnLasting").session() as session, pipe(rm.nodes.Gain(gain_db=0)).session(8000, 1) as built_in:
        session.set_param("pn_lasting", "gain", 3.0)
        built_in.set_param("gain", "gain_db", -20)
        for _ in range(2):
            assert session.feed("x")[0].data == 3.0
            assert built_in.process(np.ones(8000, np.float32))[-1] == pytest.approx(0.1)
            session.reset()
            built_in.reset()
    with pipe("PnLasting").session() as other:
        assert other.feed("x")[0].data == 1.0


def test_a_changed_parameter_that_the_node_refuses():
    @rm.node(changeable=["gain"])
    class PnRefuses:
        def __init__(self, gain: float = 1.0) -> None: ...

        def set_param(self, name, value):
            raise ValueError("not so loud")

        def process(self, data):
            return data

    def change_and_feed() -> None:
        session.set_param("pn_refuses", "gain", 3.0)
        session.feed("x")

    with pipe("PnRefuses").session() as session:
        session.feed("x")
        with pytest.raises(rm.NodeError, match="ValueError: not so loud") as caught:
            change_and_feed()
        assert caught.value.node == "pn_refuses"
        session.reset()
        assert session.feed("x")[0].data == "x"


@pytest.mark.parametrize("how", ["flush", "reset", "close"])
def test_errors_of_the_life_cycle(how):
    """A flush that fails is an error of the run; a reset or close that fails hurts nobody else."""

    def fails(self):
        raise LookupError(f"{how} failed")

    rm.node(type("PnEnds", (PnSame,), {how: fails}))
    subject = pipe("PnEnds")
    with subject.session() as session:
        assert session.feed("x")[0].data == "x"
        if how == "flush":
            with pytest.raises(rm.NodeError, match="LookupError: flush failed"):
                session.flush()
        session.reset()
        assert session.feed("y")[0].data == "y"
    if how != "flush":
        assert subject.run("z") == "z"


# Code named by a manifest


def test_a_class_by_path_needs_permission():
    by_path = python("worker_nodes:Identity")
    with pytest.raises(rm.ManifestError, match="allow_python=True") as caught:
        pipe(by_path)
    assert (caught.value.code, caught.value.path) == ("RM0144", "/nodes/0/params")
    with pytest.raises(rm.ManifestError, match="allow_python"):
        asyncio.run(execute_pipeline_with_input({"version": "v1", "nodes": [{"id": "a", **by_path}]}, ["x"]))
    allowed = pipe(by_path, allow_python=True)
    assert allowed.run("x") == "x"
    assert pickle.loads(pickle.dumps(allowed)).run("y") == "y"


def test_another_interpreter_needs_permission_and_a_decorated_class_does_not():
    other = {"node_type": "PnSame", "execution": {"placement": "process", "python": "/nowhere/python"}}
    with pytest.raises(rm.ManifestError, match="allow_python=True") as caught:
        pipe(other)
    assert caught.value.path == "/nodes/0/execution/python"
    pipe(other, allow_python=True)
    pipe({"node_type": "PnSame", "execution": {"placement": "process"}})
    assert pickle.loads(pickle.dumps(pipe("PnSame"))).run("x") == "x"


def test_wrong_paths():
    for path in ("nocolon", "a:", ":B", "", "a b:C"):
        with pytest.raises(rm.ManifestError) as caught:
            pipe(python(path), allow_python=True)
        assert caught.value.problems[0].path == "/nodes/0/params/class"
    for path, text in [
        ("pn_nowhere.module:Class", "No module named 'pn_nowhere'"),
        ("worker_nodes:PnNoClass", "PnNoClass"),
        ("json:dumps", "process"),
    ]:
        with pytest.raises(rm.NodeError, match=text):
            pipe(python(path), allow_python=True).run("x")
    with pytest.raises(rm.NodeError, match="TypeError"):
        pipe(python("worker_nodes:Identity", unknown=1), allow_python=True).run("x")


def test_validate_imports_nothing(tmp_path: Path):
    (tmp_path / "pn_dangerous.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')\nclass C:\n  process = print\n")
    (tmp_path / "m.json").write_text(
        json.dumps({"version": "v1", "nodes": [{"id": "a", **python("pn_dangerous:C")}]}), encoding="utf-8"
    )

    def validate(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "remotemedia", "validate", "m.json", *more],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        )

    # As `run` would say.
    done = validate()
    assert (done.returncode, done.stderr) == (1, "") and "RM0144" in done.stdout
    done = validate("--allow-python")
    assert (done.returncode, done.stdout, done.stderr) == (0, "m.json: valid\n", "")
    assert not (tmp_path / "run").exists()


def test_a_class_of_the_prompt_cannot_go_to_a_worker():
    out = must(
        run_python("""
        import remotemedia as rm
        @rm.node
        class Prompt:
            def process(self, data):
                return data
        print(rm.Pipeline([{"node_type": "Prompt"}]).run("here"))
        try:
            rm.Pipeline([{"node_type": "Prompt", "execution": {"placement": "process"}}])
        except rm.ManifestError as error:
            print(error.node, "|", error.path, "|", error)
        """)
    )
    first, second = out.splitlines()
    assert first == "here"
    assert second.startswith("prompt | /nodes/0/execution/placement | ")
    assert "Prompt" in second
    assert "module" in second


# Where it is called from


def test_a_session_calls_on_the_thread_of_its_caller():
    with pipe("PnThread").session() as session:
        assert session.feed("x")[0].data[1] == threading.get_ident()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(lambda: session.feed("x")[0].data[1] == threading.get_ident()).result(LIMIT)


def test_from_every_place():
    subject = pipe("PnSame", rm.nodes.TextCase(mode="upper"))
    manifest = subject.manifest

    async def main() -> list[Any]:
        results = [await subject.run_async("a", timeout=LIMIT), await execute_pipeline_with_input(manifest, ["b"])]
        results += await subject.map_async(["c", "d"], timeout=LIMIT)
        async with subject.session() as session:
            await session.push("e")
            results.append((await asyncio.wait_for(session.next(), LIMIT)).data)
            session.end()
            assert await asyncio.wait_for(session.next(), LIMIT) is None
        with subject.session() as session:
            results += [out.data async for out in session.stream(["f", "g"])]
            session.reset()
            results.append(session.feed("h")[0].data)
        return results

    assert subject.run("x", timeout=LIMIT) == "X"
    assert asyncio.run(main()) == list("ABCDEFGH")
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda n: subject.run(f"t{n}", timeout=LIMIT), range(40))) == [f"T{n}" for n in range(40)]
        assert list(pool.map(lambda n: asyncio.run(subject.run_async(f"t{n}")), range(8))) == [
            f"T{n}" for n in range(8)
        ]


def test_map_keeps_the_order():
    clips = [rm.Audio(np.full(100 + n, n, np.float32), 16000) for n in range(60)]
    assert pipe("PnSame").map(clips, timeout=LIMIT) == clips
    with pytest.raises(rm.NodeError) as caught:
        pipe("PnFail").map(["a", "b", "bad", "c"], timeout=LIMIT)
    assert caught.value.item_index == 2


@pytest.mark.parametrize("how", ["coroutine", "async_generator"])
def test_asynchronous_nodes_while_the_callers_loop_runs(how):
    subject = pipe(entry("PnHow", how=how))

    async def main() -> int:
        turns = 0
        work = asyncio.gather(*(subject.run_async(f"x{n}", timeout=LIMIT) for n in range(20)))
        while not work.done():
            turns += 1
            await asyncio.sleep(0)
        results = await work
        assert [one if how == "coroutine" else one[0] for one in results] == [f"x{n}" for n in range(20)]
        # On the loop's own thread: the node's loop is another one.
        with subject.session() as session:
            assert session.feed("y")[0].data == "y"
            results = [out.data async for out in session.stream(["z"])]
            assert results[0] == "z"
        return turns

    assert asyncio.run(asyncio.wait_for(main(), LIMIT)) > 0


def test_asynchronous_nodes_share_one_loop_of_their_own():
    @rm.node
    class PnLoop:
        async def process(self, data):
            return [id(asyncio.get_running_loop()), threading.get_ident()]

    async def main() -> tuple[Any, int]:
        return await pipe("PnLoop").run_async("x"), id(asyncio.get_running_loop())

    (loop, thread), callers = asyncio.run(main())
    assert loop != callers
    assert thread != threading.get_ident()
    assert pipe("PnLoop").run("x") == [loop, thread]


def test_two_asynchronous_nodes_wait_for_each_other():
    """Streams run at the same time: neither holds the loop, or the threads, while it waits."""
    here: dict[str, asyncio.Event] = {}

    @rm.node
    class PnMeets:
        async def process(self, data):
            other = {"a": "b", "b": "a"}[data]
            here.setdefault(data, asyncio.Event()).set()
            await asyncio.wait_for(here.setdefault(other, asyncio.Event()).wait(), LIMIT)
            return data

    async def main() -> Any:
        subject = pipe("PnMeets")
        return await asyncio.gather(*(subject.run_async(text, timeout=LIMIT) for text in "ab"))

    assert asyncio.run(main()) == ["a", "b"]


def test_two_threads_with_sessions_at_once():
    subject = pipe("PnSame", rm.nodes.AudioResample(target_rate=16000), input=rm.AudioFormat(48000, 1))
    barrier = threading.Barrier(2)

    def work(seed: int) -> bool:
        x = np.random.default_rng(seed).standard_normal(96_000).astype(np.float32)
        expected = subject.run(x)
        with subject.session() as session:
            barrier.wait(LIMIT)
            parts = [session.process(x[at : at + 480]) for at in range(0, len(x), 480)]
            parts.append(session.flush())
        return np.allclose(np.concatenate(parts), expected, atol=1e-5)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, (1, 2))) == [True, True]


@pytest.mark.parametrize("count", [1, 8, 40])
def test_a_node_that_runs_a_pipeline(count):
    @rm.node
    class PnOuter:
        def __init__(self) -> None:
            self.inner = pipe("PnSame", rm.nodes.TextCase(mode="upper"))
            self.other = pipe(entry("PnHow", how="coroutine"))

        def process(self, data):
            with self.inner.session() as session:
                first = session.feed(data)[0].data
            return [self.inner.run(data, timeout=8), self.other.run(data, timeout=8), first]

    subject = pipe("PnOuter")

    async def main() -> Any:
        return await asyncio.gather(*(subject.run_async("a", timeout=LIMIT) for _ in range(count)))

    assert asyncio.run(main()) == [["A", "a", "A"]] * count
    assert subject.run("b", timeout=LIMIT) == ["B", "b", "B"]
    with subject.session() as session:
        assert session.feed("c")[0].data == ["C", "c", "C"]


def test_the_error_of_a_pipeline_in_a_node_is_told_from_the_nodes_own():
    @rm.node(name="PnOuter")
    class Outer:
        def process(self, data):
            inner = {"id": "same", "node_type": "AudioResample", "params": {"target_rate": 8000, "source_rate": 8000}}
            return rm.Pipeline([inner]).run(data)

    with pytest.raises(rm.NodeError) as caught:
        pipe({"id": "same", "node_type": "PnOuter"}).run(ones())
    said = "item 0: node `same`: in a pipeline of its own: item 0: node `same`: sample_rate_hz is"
    assert str(caught.value).startswith(said)


def test_an_asynchronous_node_awaits_a_pipeline():
    @rm.node
    class PnAwaits:
        async def process(self, data):
            return await pipe(entry("PnHow", how="coroutine")).run_async(data, timeout=8)

    assert pipe("PnAwaits").run("a", timeout=LIMIT) == "a"
    with pipe("PnAwaits").session() as session, ThreadPoolExecutor(1) as pool:
        assert pool.submit(session.feed, "b").result(LIMIT)[0].data == "b"


def test_a_node_that_uses_asyncio_itself():
    @rm.node
    class PnOwnLoop:
        def process(self, data):
            async def work() -> str:
                await asyncio.sleep(0)
                return data

            return asyncio.run(work())

    async def main() -> Any:
        return await pipe("PnOwnLoop").run_async("x", timeout=LIMIT)

    assert pipe("PnOwnLoop").run("x", timeout=LIMIT) == "x"
    assert asyncio.run(main()) == "x"


def test_a_frame_that_takes_too_long_is_a_timeout():
    release = threading.Event()

    @rm.node
    class PnHangs:
        def process(self, data):
            release.wait(LIMIT)
            return data

    try:
        with pytest.raises(rm.TimeoutError):
            pipe("PnHangs").run("x", timeout=0.05)
        with pytest.raises(rm.TimeoutError, match="pn_hangs"):
            pipe({"node_type": "PnHangs", "execution": {"frame_timeout_ms": 50}}).run("x", timeout=LIMIT)
    finally:
        release.set()
    assert pipe("PnHangs").run("x", timeout=LIMIT) == "x"


# Memory, and the end of the process


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("node_type", ["PnSame", "PnHow"])
def test_memory_stays_flat(node_type):
    """2000 frames of 77 kB are 150 MB, if they are kept."""
    x = np.zeros(19_200, np.float32)
    if node_type == "PnHow":

        @rm.node(name="PnMemory")
        class PnMemory:
            async def process(self, data):
                yield data
                yield data

        node_type = "PnMemory"
    with pipe(node_type).session(48000, 1) as session:
        for _ in range(100):
            session.feed(x)
        gc.collect()
        before = resident()
        for _ in range(2000):
            session.feed(x)
        gc.collect()
        assert resident() - before < 16 << 20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_sessions_and_runs_leave_nothing():
    subject = pipe("PnSame")
    before = 0
    for index in range(600):
        subject.run(ones(9600))
        with subject.session(48000, 1) as session:
            session.feed(np.zeros(9600, np.float32))
        if index == 200:
            gc.collect()
            before, threads = resident(), threading.active_count()
    gc.collect()
    assert resident() - before < 16 << 20
    assert threading.active_count() <= threads


OPEN = """
import asyncio, numpy as np, remotemedia as rm
@rm.node
class Open:
    {kind}def process(self, data):
        return data
    def flush(self):
        print("flushed")
pipe = rm.Pipeline([{{"node_type": "Open"}}])
session = pipe.session(16000, 1)
session.feed(np.zeros(320, np.float32))
pipe.run("x")
asyncio.run(pipe.run_async("x"))
live = pipe.session(16000, 1)
asyncio.run(live.push(np.zeros(320, np.float32)))
print("end")
"""


@pytest.mark.parametrize("kind", ["", "async "])
def test_a_script_ends_quietly_with_open_sessions(kind):
    for _ in range(5):
        assert must(run_python(OPEN.format(kind=kind))).splitlines()[-1] == "end"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("kind", ["", "async "])
@pytest.mark.parametrize("call", ["pipe.run('x', timeout=5)", "pipe.session().feed('x')[0].data"])
def test_a_forked_child_has_nodes_of_its_own(kind, call):
    out = must(
        run_python(f"""
        import os, signal, warnings, remotemedia as rm
        warnings.simplefilter("ignore", DeprecationWarning)
        @rm.node
        class Forked:
            {kind}def process(self, data):
                return data
        pipe = rm.Pipeline([{{"node_type": "Forked"}}])
        pipe.run("x"), pipe.session().feed("x")
        child = os.fork()
        if child == 0:
            signal.alarm(5)
            pipe = rm.Pipeline([{{"node_type": "Forked"}}])
            os._exit(0 if {call} == "x" else 3)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), {call})
        """)
    )
    assert out == "0 x\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("call", ["session.feed('x')", "pipe.run('x')", "asyncio.run(pipe.run_async('x'))"])
@pytest.mark.parametrize("kind", ["", "async "])
def test_ctrl_c_stops_a_node_that_sleeps(call, kind):
    code = f"""
        import asyncio, signal, threading, time, os, remotemedia as rm
        signal.signal(signal.SIGINT, signal.default_int_handler)
        @rm.node
        class Sleeps:
            {kind}def process(self, data):
                print("started", flush=True)
                {"await asyncio" if kind else "time"}.sleep(25)
        pipe = rm.Pipeline([{{"node_type": "Sleeps"}}])
        session = pipe.session()
        try:
            {call}
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "started\n"
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=8)
    finally:
        child.kill()
        child.wait()
    assert (out, err, child.returncode) == ("interrupted\n", "", 0)


# rm.testing


def test_run_node_runs_a_class_alone():
    class Alone(Log):
        def __init__(self, times: int = 1) -> None:
            super().__init__()
            self.times = times

        def process(self, data):
            self.calls.append("process")
            return data * self.times

        async def flush(self):
            yield "end"

    assert rm.testing.run_node(Alone, "a", "b", times=2) == ["aa", "bb", "end"]
    assert Alone.calls == ["init", "setup", "process", "process", "close"]
    for how, expected in [("generator", ["a", "a2"]), ("async_generator", ["a", "a2"]), ("none", [])]:
        assert rm.testing.run_node(PnHow, "a", how=how) == expected
    with pytest.raises(ValueError, match="broken thing"):
        rm.testing.run_node(PnFail, "bad")


def test_a_good_node_gets_the_certificate():
    class PnHalf:
        def __init__(self, gain: float = 0.5) -> None:
            self.gain = gain

        def process(self, audio):
            return rm.Audio(np.float32(self.gain) * audio.samples, audio.sample_rate)

    found = rm.testing.certify(PnHalf, rounds=1, gain=0.25)
    assert (found.passed, found.largest_difference) == (True, 0)
    assert rm.testing.certify(PnFormats, rounds=1, audio=ones(8000, 16000)).passed


def test_a_node_that_depends_on_the_cut_fails_the_certificate():
    class PnCut:
        def process(self, audio):
            return rm.Audio(audio.samples * np.float32(len(audio.samples)), audio.sample_rate)

    found = rm.testing.certify(PnCut, rounds=1)
    assert not found.passed
    assert found.largest_difference > 0
