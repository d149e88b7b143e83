"""JSON values pass unchanged, or the error says what cannot and where."""

from __future__ import annotations

import enum
import math
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import PASS

import remotemedia as rm

pipe = rm.Pipeline(PASS)

NESTED: Any = {"a": [1, 2.5, None, True, {"b": [], "c": {}, "": "\u00e9\U0001f600\n\0"}]}


@pytest.mark.parametrize(
    "value",
    [None, True, False, 0, -1, 2**63 - 1, -(2**63), 0.1, -0.0, 1e308, 5e-324, [], {}, [1, 2, 3], NESTED, [[[]]]],
    ids=repr,
)
def test_values_come_back_equal_and_of_the_same_type(value: Any) -> None:
    back = pipe.run(value)
    assert back == value
    assert type(back) is type(value)
    if isinstance(value, float):
        assert math.copysign(1, back) == math.copysign(1, value)


def test_order_and_types_inside() -> None:
    value = {"z": 1, "a": 1.0, "m": True}
    back = pipe.run(value)
    assert list(back) == ["z", "a", "m"]
    assert [type(one) for one in back.values()] == [int, float, bool]
    assert pipe.run(OrderedDict(b=1, a=2)) == {"b": 1, "a": 2}
    assert pipe.run((1, [2])) == [1, [2]]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_any_json_value_round_trips(value: Any) -> None:
    if isinstance(value, dict) and value.get("type") in ("audio", "text", "binary", "json", "video"):
        return
    assert pipe.run([value]) == [value]


class Count(enum.Enum):
    ONE = 1


@pytest.mark.parametrize(
    ("value", "error", "path"),
    [
        (math.nan, rm.InputValueError, None),
        ([1, math.inf], rm.InputValueError, "/1"),
        ({"a": {"b": [0, 2**63]}}, rm.InputValueError, "/a/b/1"),
        ({"a": -(2**63) - 1}, rm.InputValueError, "/a"),
        (10**4000, rm.InputValueError, None),
        ({1: 2}, rm.InputValueError, None),
        ({"a": {None: 2}}, rm.InputValueError, "/a"),
        ({"a/b": {"~": [math.nan]}}, rm.InputValueError, "/a~1b/~0/0"),
        ({"a": "\ud800"}, rm.InputValueError, "/a"),
        (["\udfff"], rm.InputValueError, "/0"),
        ("\ud800", rm.InputValueError, None),
        ({"a": {1, 2}}, rm.InputTypeError, "/a"),
        (object(), rm.InputTypeError, None),
        ([1 + 2j], rm.InputTypeError, "/0"),
        ([np.float32(1)], rm.InputTypeError, "/0"),
        ([np.zeros(2)], rm.InputTypeError, "/0"),
        ({"a": b"x"}, rm.InputTypeError, "/a"),
        (Count.ONE, rm.InputTypeError, None),
    ],
)
def test_what_json_cannot_hold_is_named(value: Any, error: type[rm.RemoteMediaError], path: str | None) -> None:
    with pytest.raises(error) as caught:
        pipe.run("fine", value)
    assert caught.value.item_index == 1
    assert caught.value.path == path
    assert path is None or path in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_nesting_is_bounded() -> None:
    deep: list[Any] = []
    for _ in range(99):
        deep = [deep]
    assert pipe.run(deep) == deep
    with pytest.raises(rm.InputValueError, match="100 levels"):
        pipe.run([deep])
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(rm.InputValueError, match="within itself"):
        pipe.run(loop)


def test_nothing_is_pickled() -> None:
    class Trap:
        def __reduce__(self) -> Any:
            raise AssertionError("pickled")

        def __getstate__(self) -> Any:
            raise AssertionError("pickled")

    for value in (Trap(), [Trap()], {"a": Trap()}):
        with pytest.raises(rm.InputTypeError, match="Trap"):
            pipe.run(value)
