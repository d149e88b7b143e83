"""Whatever is given to a public function, the error is one of ours: text that is not Unicode, NUL, odd types."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from remotemedia import runtime


class Odd:
    """Nothing that anybody expects."""


class Path5:
    def __fspath__(self) -> Any:
        return 5


class Lying(str):
    """Text that says of itself what it is not."""

    def encode(self, *_: Any) -> bytes:  # type: ignore[override]
        return b"\xff\xff"


TEXTS: list[Any] = [
    "\ud800",
    "a\udcff",
    os.fsdecode(b"\xff\xfe.wav"),
    "a\0b",
    "\x1b[2J",
    "",
    "x" * 100_000,
    Lying("a"),
]
ODD: list[Any] = [
    None,
    True,
    5,
    -1,
    2**70,
    1.5,
    float("nan"),
    float("inf"),
    1j,
    b"bytes",
    [],
    {},
    (),
    {"type": [1]},
    {"type": {}},
    [[]],
    {1, 2},
    Odd(),
    Odd,
    Path5(),
    np.zeros(2),
    np.zeros((0, 3)),
    np.float32(1),
    np.array("text"),
    object(),
    lambda: None,
]
ANY = TEXTS + ODD

NOISE = rm.Audio(np.zeros(160, np.float32), 8000)
SAME = rm.Pipeline([rm.nodes.PassThrough()])
GAIN = rm.Pipeline([rm.nodes.Gain()])


def _session(**more: Any) -> rm.Session:
    return GAIN.session(sample_rate=8000, channels=1, **more)


def _in_session(call: Callable[[rm.Session], object]) -> None:
    with _session() as session:
        call(session)


def _pushed(**arguments: Any) -> None:
    async def push() -> None:
        async with _session() as session:
            await session.push(**arguments)

    asyncio.run(push())


def _grouped(call: Callable[[rm.SessionGroup], object]) -> None:
    with GAIN.session_group(2, sample_rate=8000, channels=1) as group:
        call(group)


def _iterated(chunks: Any) -> None:
    for _ in chunks:
        pass


CALLS: dict[str, Callable[[Any], object]] = {
    "read": rm.read,
    "read: sample_rate": lambda x: rm.read("none.wav", sample_rate=x),
    "read: start": lambda x: rm.read("none.wav", start=x),
    "read: frames": lambda x: rm.read("none.wav", frames=x),
    "read: dtype": lambda x: rm.read("none.wav", dtype=x),
    "info": rm.info,
    "stream": rm.stream,
    "stream: chunk_ms": lambda x: rm.stream("none.wav", x),
    "write: path": lambda x: rm.write(x, NOISE),
    "write: audio": lambda x: rm.write("no/such/folder/a.wav", x),
    "write: sample_rate": lambda x: rm.write("no/such/folder/a.wav", np.zeros(9, np.float32), sample_rate=x),
    "write: subtype": lambda x: rm.write("no/such/folder/a.wav", NOISE, subtype=x),
    "resample": lambda x: rm.resample(x, 48000, 16000),
    "resample: in_rate": lambda x: rm.resample(np.zeros(9, np.float32), x, 16000),
    "resample: quality": lambda x: rm.resample(np.zeros(9, np.float32), 48000, 16000, x),
    "ResampleStream: rate": lambda x: rm.ResampleStream(x, 16000, 1),
    "ResampleStream: channels": lambda x: rm.ResampleStream(48000, 16000, x),
    "ResampleStream: dtype": lambda x: rm.ResampleStream(48000, 16000, 1, x),
    "ResampleStream: quality": lambda x: rm.ResampleStream(48000, 16000, 1, quality=x),
    "ResampleStream.resample_chunk": lambda x: rm.ResampleStream(48000, 16000, 1).resample_chunk(x),
    "speech_segments": rm.speech_segments,
    "speech_segments: rate": lambda x: rm.speech_segments(np.zeros(9, np.float32), sample_rate=x),
    "speech_segments: preset": lambda x: rm.speech_segments(NOISE, preset=x),
    "speech_segments: param": lambda x: rm.speech_segments(NOISE, min_speech_ms=x),
    "Audio": lambda x: rm.Audio(x, 8000),
    "Audio: rate": lambda x: rm.Audio(np.zeros(9, np.float32), x),
    "Audio: part": lambda x: NOISE[x],
    "Audio: start": lambda x: NOISE[x:],
    "Audio: step": lambda x: NOISE[::x],
    "Audio: times": lambda x: NOISE * x,
    "Audio: over": lambda x: NOISE / x,
    "Audio: plus": lambda x: NOISE + x,
    "Audio: minus": lambda x: NOISE - x,
    "VideoFrame": rm.VideoFrame,
    "VideoFrame: format": lambda x: rm.VideoFrame(np.zeros((2, 2, 3), np.uint8), x),
    "VideoFrame: width": lambda x: rm.VideoFrame(bytes(12), "rgb24", width=x, height=2),
    "Pipeline": rm.Pipeline,
    "Pipeline: text": lambda x: rm.Pipeline('{"version":"v1","nodes":[{"id":"' + str(x) + '","node_type":"Gainn"}]}'),
    "Pipeline: node": lambda x: rm.Pipeline([x]),
    "Pipeline: id": lambda x: rm.Pipeline([{"id": x, "node_type": "Gain"}]),
    "Pipeline: type": lambda x: rm.Pipeline([{"node_type": x}]),
    "Pipeline: param": lambda x: rm.Pipeline([rm.nodes.Gain(gain_db=x)]),
    "Pipeline: builder's id": lambda x: rm.Pipeline([rm.nodes.Gain(id=x)]),
    "Pipeline: execution": lambda x: rm.Pipeline([rm.nodes.Gain().with_execution(on_error=x)]),
    "Pipeline: key": lambda x: rm.Pipeline({x if isinstance(x, (str, int, float, bytes)) else "k": x}),
    "Pipeline: input": lambda x: rm.Pipeline([rm.nodes.Gain()], input=x),
    "Pipeline: rate": lambda x: rm.Pipeline([rm.nodes.Gain()], input=rm.AudioFormat(x)),
    "Pipeline: width": lambda x: rm.Pipeline([rm.nodes.VideoScale(width=2, height=2)], input=rm.VideoFormat(x)),
    "run": SAME.run,
    "run: list": lambda x: SAME.run([x]),
    "run: dict": lambda x: SAME.run({"a": x}),
    "run: audio dict": lambda x: SAME.run({"type": "audio", "samples": x, "sample_rate": 8000, "channels": 1}),
    "run: audio dict's rate": lambda x: SAME.run({"type": "audio", "samples": [0.0], "sample_rate": x, "channels": 1}),
    "run: text dict": lambda x: SAME.run({"type": "text", "data": x}),
    "run: binary dict": lambda x: SAME.run({"type": "binary", "data": x}),
    "run: json dict": lambda x: SAME.run({"type": "json", "data": x}),
    "run: video dict": lambda x: SAME.run(
        {"type": "video", "data": bytes(12), "width": 2, "height": 2, "pixel_format": x}
    ),
    "run: timeout": lambda x: SAME.run("a", timeout=x),
    "run_async": lambda x: asyncio.run(SAME.run_async(x)),
    "map": lambda x: SAME.map(x) if not callable(x) else None,
    "map: clip": lambda x: SAME.map([x]),
    "map: threads": lambda x: SAME.map(["a"], x),
    "map: progress": lambda x: SAME.map(["a"], progress=x) if not callable(x) and x is not True else None,
    "map: timeout": lambda x: SAME.map(["a"], timeout=x),
    "session: rate": lambda x: GAIN.session(x, 1).close(),
    "session: channels": lambda x: GAIN.session(8000, x).close(),
    "session: input": lambda x: GAIN.session(input=x).close(),
    "session: queue": lambda x: _session(queue=x).close(),
    "session: when_full": lambda x: _session(when_full=x).close(),
    "process": lambda x: _in_session(lambda s: s.process(x)),
    "feed": lambda x: _in_session(lambda s: s.feed(x)),
    "feed: pts": lambda x: _in_session(lambda s: s.feed(np.zeros(9, np.float32), pts=x)),
    "feed: to": lambda x: _in_session(lambda s: s.feed(np.zeros(9, np.float32), to=x)),
    "push": lambda x: _pushed(item=x),
    "push: to": lambda x: _pushed(item=NOISE, to=x),
    "set_param: node": lambda x: _in_session(lambda s: s.set_param(x, "gain_db", 1)),
    "set_param: name": lambda x: _in_session(lambda s: s.set_param("gain", x, 1)),
    "set_param: value": lambda x: _in_session(lambda s: s.set_param("gain", "gain_db", x)),
    "session_group": lambda x: GAIN.session_group(x, 8000, 1).close(),
    "push_many": lambda x: _grouped(lambda group: group.push_many(x)),
    "push_many: stream": lambda x: _grouped(
        lambda group: group.push_many({x if isinstance(x, (str, int, float)) else -5: NOISE})
    ),
    "next_many": lambda x: _grouped(lambda group: group.next_many(x)),
    "flush of a group": lambda x: _grouped(lambda group: group.flush(x)),
    "verify": lambda x: rm.verify(x, rounds=1),
    "verify: audio": lambda x: rm.verify(rm.nodes.Gain(), audio=x, rounds=1) if x is not None else None,
    "verify: rounds": lambda x: rm.verify(rm.nodes.PassThrough(), rounds=x) if x is not True else None,
    "verify: seed": lambda x: rm.verify(rm.nodes.PassThrough(), rounds=1, seed=x),
    "verify: tolerance": lambda x: rm.verify(rm.nodes.PassThrough(), rounds=1, tolerance=x),
    "node": rm.node,
    "node: name": lambda x: rm.node(name=x)(Same),
    "node: input": lambda x: rm.node(name="SameOfTests", input=x)(Same),
    "node: changeable": lambda x: rm.node(name="SameOfTests", changeable=x)(Same),
    "node: latency": lambda x: rm.node(name="SameOfTests", latency_frames=x)(Same),
    "empty": lambda x: rm.empty(x, np.uint8) if not isinstance(x, int) or x < 100 else None,
    "empty: dtype": lambda x: rm.empty(2, x),
    "execute_pipeline": lambda x: asyncio.run(runtime.execute_pipeline(x)),
    "execute_pipeline_with_input": lambda x: asyncio.run(runtime.execute_pipeline_with_input(SAME.manifest, x)),
    "numpy_to_audio_dict": lambda x: runtime.numpy_to_audio_dict(x, 8000, 1),
    "numpy_to_audio_dict: rate": lambda x: runtime.numpy_to_audio_dict(np.zeros(9, np.float32), x, 1),
    "audio_dict_to_numpy": runtime.audio_dict_to_numpy,
}


class Same:
    """Passes on what it gets."""

    def process(self, data: Any) -> Any:
        return data


@pytest.fixture(autouse=True)
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In a folder of its own: what takes a path may write."""
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", CALLS)
def test_every_error_is_one_of_ours(name: str) -> None:
    bare: list[str] = []
    for value in ANY:
        try:
            CALLS[name](value)
        except rm.RemoteMediaError as error:
            # It can be printed wherever text can.
            str(error).encode()
        except Exception as error:
            bare.append(f"{value!r:.60}: {type(error).__name__}: {str(error)[:120]}")
    assert not bare, "\n".join(bare)


@pytest.mark.parametrize("level", [value for value in ANY if value is not None], ids=lambda value: ascii(value)[:20])
def test_levels_of_the_log(level: Any) -> None:
    try:
        rm.log_to_python(level)
    except rm.RemoteMediaError:
        pass
    finally:
        rm._log.stop()


def test_a_subclass_of_str_is_the_text_that_it_is() -> None:
    with pytest.raises(rm.ManifestError):
        rm.Pipeline(Lying("{}"))
    assert rm.Pipeline([rm.nodes.Gain(id=Lying("mine"))]).manifest["nodes"][0]["id"] == "mine"
