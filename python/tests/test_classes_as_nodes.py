"""Classes that are decorated, and objects of them, stand in a list of nodes."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import Any

import numpy as np
import pytest

import remotemedia as rm

ONES = rm.Audio(np.ones(3, np.float32), 16000)


@rm.node
class Times:
    """Multiplies."""

    def __init__(self, by: float, offset: float = 0.0) -> None:
        self.factor, self.offset = by, offset

    def process(self, audio: rm.Audio) -> rm.Audio:
        return rm.Audio(self.factor * audio.samples + np.float32(self.offset), audio.sample_rate)


@rm.node
class Minus:
    """Has no constructor."""

    def process(self, audio: rm.Audio) -> rm.Audio:
        return -audio


@rm.node(name="TimesOfTests")
class Named(Times):
    """Has another name, and its constructor calls that of its base."""

    def __init__(self, half: float) -> None:
        super().__init__(2 * half, offset=1.0)


@rm.node
@dataclasses.dataclass(frozen=True)
class Frozen:
    """A dataclass."""

    by: float = 3.0

    def process(self, audio: rm.Audio) -> rm.Audio:
        return audio * self.by


def result(nodes: Any) -> list[float]:
    samples: list[float] = rm.Pipeline(nodes).run(ONES).samples.tolist()
    return samples


def test_a_class_and_an_object_are_nodes() -> None:
    assert result([Minus]) == result([Minus()]) == result(Minus) == result(Minus()) == [-1.0] * 3
    assert result([Times(2.0)]) == result([Times(by=2.0)]) == result(Times(2.0)) == [2.0] * 3
    assert result([Times(2.0, 1), Minus, rm.nodes.PassThrough(), Times(3.0, offset=0.5)]) == [-8.5] * 3
    assert result([Named(2.0)]) == [5.0] * 3
    assert result([Frozen]) == [3.0] * 3 and result([Frozen(by=4.0)]) == [4.0] * 3
    # A copy of an object, and one that was pickled, know it too.
    assert result([copy.copy(Times(2.0))]) == result([pickle.loads(pickle.dumps(Times(2.0)))]) == [2.0] * 3


def test_the_manifest_has_names_and_parameters() -> None:
    nodes = rm.Pipeline([Times(2.0, offset=1.0), Times(by=3.0), Named(1.5), Minus]).manifest["nodes"]
    assert [node["id"] for node in nodes] == ["times", "times_2", "times_of_tests", "minus"]
    assert [node["node_type"] for node in nodes] == ["Times", "Times", "TimesOfTests", "Minus"]
    assert [node.get("params") for node in nodes] == [{"by": 2.0, "offset": 1.0}, {"by": 3.0}, {"half": 1.5}, None]


def test_a_class_is_what_it_was() -> None:
    assert list(inspect.signature(Times).parameters) == ["by", "offset"]
    assert (Times(2.0).factor, Times(by=2.0, offset=1.0).offset) == (2.0, 1.0)
    with pytest.raises(TypeError, match="by"):
        Times()  # type: ignore[call-arg]
    assert repr(Frozen(2.0)) == "Frozen(by=2.0)"


def test_what_cannot_be_a_node_says_why() -> None:
    class Plain:
        def process(self, audio: rm.Audio) -> rm.Audio:
            return audio

    class Below(Minus):
        """A subclass is no node by itself: the name is that of its base."""

    @rm.node(name="SlotsOfTests")
    class Slots:
        __slots__ = ("by",)

        def __init__(self, by: float = 1.0) -> None:
            self.by = by

        def process(self, audio: rm.Audio) -> rm.Audio:
            return audio

    for wrong, said in [
        (Plain, r"Plain is no node yet; decorate it with @remotemedia\.node"),
        (Plain(), r"Plain is no node yet; decorate it"),
        (Below, r"Below is no node yet; decorate it"),
        (Slots(2.0), r'write \{"node_type": "SlotsOfTests", "params": \{\.\.\.\}\}'),
        (rm.nodes.Gain, r"call it: remotemedia\.nodes\.Gain\(\.\.\.\)"),
        (5, r"is of type int, expected one of remotemedia\.nodes, a class decorated"),
    ]:
        with pytest.raises(rm.InputTypeError, match=said) as caught:
            rm.Pipeline([Minus, wrong])  # type: ignore[list-item]
        assert caught.value.item_index == 1
    assert rm.Pipeline([Slots]).manifest["nodes"][0]["node_type"] == "SlotsOfTests"
    with pytest.raises(rm.ManifestError, match=r"/nodes/0/params/by"):
        rm.Pipeline([Times(object())])  # type: ignore[arg-type]


def test_a_name_that_is_taken_says_by_what() -> None:
    with pytest.raises(rm.InputValueError, match=r"`VADNode` is taken: it is an older name of the node `EnergyVAD`"):
        rm.node(name="VADNode")(type("A", (), {"process": lambda self, data: data}))
    with pytest.raises(rm.InputValueError, match=r"`Gain` is taken: there is a node of category `audio` with it"):
        rm.node(name="Gain")(type("A", (), {"process": lambda self, data: data}))


def test_a_node_of_a_user_is_not_denied() -> None:
    rm.node(name="Limiter")(type("A", (), {"process": lambda self, data: data}))
    with pytest.raises(rm.ManifestError) as caught:
        rm.Pipeline([{"node_type": "limiter"}])
    assert caught.value.problems[0].nearest == "Limiter"


def test_ids_of_many_nodes_are_made_in_a_moment() -> None:
    import time

    def seconds(count: int) -> float:
        started = time.process_time()
        nodes = rm.Pipeline([rm.nodes.PassThrough()] * count).manifest["nodes"]
        assert nodes[-1]["id"] == f"pass_through_{count}"
        return time.process_time() - started

    seconds(10)
    assert seconds(10_000) < 40 * max(seconds(1000), 0.01)
