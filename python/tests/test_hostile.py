"""Values that say something else of themselves than they are: what counts is what they are."""

from __future__ import annotations

import itertools
import struct
from typing import Any, ClassVar

import numpy as np
import pytest

import remotemedia as rm

SECRET = np.frombuffer(b"what nobody has passed in ......", np.uint8)
RECORD = struct.pack("<BBhIQQQ", 3, 0, 5, 8, SECRET.__array_interface__["data"][0], 32, 7) + struct.pack("<Q", 32)
"""An array at an address of somebody's choice, as records once named it."""


class Bytes(bytes):
    """Bytes that are longer than they say."""

    def __len__(self) -> int:
        return 0

    def __bytes__(self) -> bytes:
        return RECORD


class Text(str):
    """Text that is encoded as something else."""

    def encode(self, *arguments: Any) -> bytes:
        return Bytes(RECORD)


class View(np.ndarray[Any, np.dtype[Any]]):
    """An array that gives another one away as its base."""

    def view(self, *arguments: Any) -> Any:
        return Lying()

    @property
    def nbytes(self) -> int:  # type: ignore[override]
        return 1 << 40

    @property
    def shape(self) -> Any:  # type: ignore[override]
        return (1 << 38,)


class Lying:
    """No array at all."""

    dtype, ndim, shape, nbytes, size = np.dtype(np.float32), 1, (1 << 38,), 1 << 40, 1 << 38
    __array_interface__: ClassVar[dict[str, Any]] = {"data": (0xDEAD0000, False)}


class Sound(rm.Audio):
    """Audio whose samples are elsewhere."""

    @property
    def samples(self) -> Any:
        return np.ones(4, np.float32).view(View)

    @property
    def channels(self) -> int:
        return 1


class Picture(rm.VideoFrame):
    """A picture with a forged format."""

    @property
    def pixel_format(self) -> Any:
        return Text("rgb24")


@pytest.fixture
def same() -> rm.Pipeline:
    """A pipeline whose node gives what it gets."""

    @rm.node
    class Same:
        """Gives what it gets."""

        def process(self, data: object) -> object:
            return data

    return rm.Pipeline([{"node_type": "Same"}])


class Named(str):
    """Text that is shown as something else, as members of enumerations are."""

    def __str__(self) -> str:
        return "another name"

    def __len__(self) -> int:
        return 99


def test_text_is_what_it_holds_and_what_lies_is_refused(same: rm.Pipeline) -> None:
    for pipe in (same, rm.Pipeline([rm.nodes.PassThrough()])):
        assert pipe.run(Named("x")) == "x" and pipe.run(np.str_("x")) == "x"
        assert pipe.run({"type": "text", "data": Named("x")}) == "x"
        assert pipe.run({"key": Text("x"), Text("k"): [Text("y")]}) == {"key": "x", "k": ["y"]}
        assert pipe.run(np.bytes_(b"y")) == b"y" and pipe.run(bytearray(b"y")) == b"y"
        with pipe.session() as session:
            assert [out.data for out in session.feed(Named("x"))] == ["x"]
            for lie in (Text("x"), Bytes(b"y"), {"type": "text", "data": Text("x")}):
                for call in (pipe.run, session.feed):
                    with pytest.raises(rm.InputTypeError, match="of its own"):
                        call(lie)


def test_what_a_node_returns_is_what_it_holds() -> None:
    @rm.node
    class Forges:
        """Gives forged values."""

        def process(self, data: object) -> object:
            return {"name": Named("x"), "text": Text("x"), "bytes": Bytes(b"y")}[str(data)]

    pipe = rm.Pipeline([{"node_type": "Forges"}])
    assert pipe.run("name") == "x"
    for lie in ("text", "bytes"):
        with pytest.raises(rm.NodeError, match="of its own"):
            pipe.run(lie)


def test_arrays_are_where_numpy_has_them(same: rm.Pipeline) -> None:
    array = np.arange(4, dtype=np.float32)
    np.testing.assert_array_equal(same.run(array.view(View)), array)
    gain = rm.Pipeline([rm.nodes.Gain(gain_db=0)])
    np.testing.assert_array_equal(gain.run(Sound(array, 8000)).samples, np.ones(4, np.float32))
    with gain.session(sample_rate=8000, channels=1) as session:
        np.testing.assert_array_equal(session.process(array.view(View)), array)
    frame = Picture(np.zeros((2, 2, 3), np.uint8))
    assert same.run(frame).pixel_format == "rgb24"


def test_numbers_below_any_sound_are_zero_and_only_inside() -> None:
    """Work on denormal numbers takes up to a hundred times as long: nodes take them for zero, other code does not."""
    tiny = np.full(4800, 1e-40, np.float32)
    assert (rm.Pipeline([rm.nodes.Gain(gain_db=-3)]).run(rm.Audio(tiny, 48000)).samples == 0).all()
    assert (rm.Pipeline([rm.nodes.AudioResample(target_rate=16000)]).run(rm.Audio(tiny, 48000)).samples == 0).all()
    np.testing.assert_array_equal(rm.Pipeline([rm.nodes.PassThrough()]).run(rm.Audio(tiny, 48000)).samples, tiny)
    assert np.float32(1e-40) * np.float32(1) > 0
    seen: list[bool] = []

    @rm.node
    class Looks:
        """Says whether its own sums are as everywhere."""

        def process(self, audio: rm.Audio) -> rm.Audio:
            seen.append(bool((audio.samples * np.float32(0.5) > 0).all()))
            return audio

    rm.Pipeline([{"node_type": "Looks"}]).run(rm.Audio(tiny, 48000))
    assert seen == [True]


def test_an_array_that_a_node_got_is_not_given_again() -> None:
    seen: list[tuple[Any, ...]] = []

    @rm.node
    class Changes:
        """Changes what it got."""

        def process(self, audio: rm.Audio) -> rm.Audio:
            samples = audio.samples
            seen.append((id(samples), samples.shape, samples.dtype, samples.flags.writeable))
            self.last = samples  # Another object has another address while this one lives.
            if len(seen) > 3:
                samples.flags.writeable = True
                samples[:] = 9
            samples.shape = (240, 2)
            return rm.Audio(np.zeros(480, np.float32), audio.sample_rate)

    with rm.Pipeline([{"node_type": "Changes"}]).session(sample_rate=48000, channels=1) as session:
        for _ in range(8):
            session.process(np.ones(480, np.float32))
    assert {one[1:] for one in seen} == {((480,), np.dtype(np.float32), False)}
    assert all(one[0] != other[0] for one, other in itertools.pairwise(seen))
