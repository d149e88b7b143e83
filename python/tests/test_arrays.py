"""Arrays through a PassThrough come back as they went in: every dtype, byte order, shape and layout."""

from __future__ import annotations

import array
import ctypes
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support import PASS, manifest, node

import remotemedia as rm

DTYPES = [
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64", "complex64", "complex128"),
]
SHAPES = [(), (0,), (1,), (960,), (960, 2), (2, 3, 4), (3, 0, 2)]
LAYOUTS = ["C", "F", "strided", "negative", "read-only", "unaligned"]

pipe = rm.Pipeline(PASS)


def values(dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Bytes that make every value differ, NaN and extremes among them for the wide types."""
    count = int(np.prod(shape, dtype=int))
    if dtype.kind == "b":
        return (np.arange(count) % 3 == 0).reshape(shape)
    rng = np.random.default_rng(count)
    raw = rng.integers(0, 256, count * dtype.itemsize, dtype=np.uint8)
    return raw.view(dtype)[:count].reshape(shape)


def laid_out(layout: str, source: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if layout == "F":
        return np.asfortranarray(source) if source.ndim else source
    if layout == "strided" and source.ndim:
        wide = np.repeat(source, 2, axis=-1)
        return wide[..., ::2]
    if layout == "negative" and source.ndim:
        return source[::-1].copy()[::-1]
    if layout == "unaligned" and source.ndim and source.size:
        memory = np.empty(source.nbytes + 1, np.uint8)
        moved = memory[1:].view(source.dtype).reshape(source.shape)
        moved[...] = source
        return moved
    if layout == "read-only":
        frozen = source.copy()
        frozen.flags.writeable = False
        return frozen
    return source


def same(given: np.ndarray[Any, Any], back: Any) -> None:
    assert type(back) is np.ndarray
    assert (back.dtype, back.dtype.byteorder, back.shape) == (given.dtype, given.dtype.byteorder, given.shape)
    assert back.tobytes() == given.tobytes()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_order_shape_and_layout(dtype: str, layout: str) -> None:
    for order in ("<", ">"):
        kind = np.dtype(dtype).newbyteorder(order)
        for shape in SHAPES:
            source = laid_out(layout, values(kind, shape))
            same(source, pipe.run(source))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        hnp.arrays(
            st.sampled_from(DTYPES).map(np.dtype),
            hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
        ),
        min_size=2,
        max_size=5,
    )
)
def test_any_arrays_in_one_stream(arrays: list[np.ndarray[Any, Any]]) -> None:
    back = pipe.run(*arrays)
    assert len(back) == len(arrays)
    for one, other in zip(arrays, back, strict=True):
        same(one, other)


def test_what_numpy_can_see_comes_back_as_an_array() -> None:
    class Interface:
        def __init__(self) -> None:
            self.inner = np.arange(4, dtype=np.int32)
            self.__array_interface__ = self.inner.__array_interface__

    class Subclass(np.ndarray[Any, Any]):
        pass

    class DLPack:
        def __init__(self) -> None:
            self.inner = np.arange(4, dtype=np.int32)

        def __dlpack__(self, **options: Any) -> Any:
            return self.inner.__dlpack__(**options)

        def __dlpack_device__(self) -> Any:
            return self.inner.__dlpack_device__()

    arrays = [array.array("i", range(4)), (ctypes.c_int32 * 4)(*range(4)), np.arange(4, dtype=np.int32).view(Subclass)]
    for like in (Interface(), DLPack(), *arrays):
        back = pipe.run(like)
        assert type(back) is np.ndarray
        assert back.tolist() == [0, 1, 2, 3]
    assert pipe.run(np.float32(0.5)).shape == ()


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (np.array(["a"]), "<U1"),
        (np.array([object()]), "object"),
        (np.array(["2020-01-01"], "datetime64[D]"), "datetime64"),
        (np.zeros(2, [("a", "f4")]), "f4"),
        (np.ma.masked_array([1, 2], [0, 1]), "mask"),
    ],
    ids=["text", "object", "time", "record", "masked"],
)
def test_other_arrays_are_refused_by_name(wrong: np.ndarray[Any, Any], word: str) -> None:
    with pytest.raises(rm.InputTypeError, match=word) as caught:
        pipe.run("fine", wrong)
    assert caught.value.item_index == 1
    assert str(caught.value).startswith("item 1: ")
    assert isinstance(caught.value, TypeError)


AUDIO_TYPES = ["float16", "float32", "float64", "int16", "int32", "uint8", ">i2", ">f4", ">f8"]


@pytest.mark.parametrize("dtype", AUDIO_TYPES)
@pytest.mark.parametrize("shape", [(480,), (480, 1), (480, 2)])
def test_audio_made_of_a_bare_array_returns_to_its_dtype_and_shape(dtype: str, shape: tuple[int, ...]) -> None:
    channels = 1 if len(shape) == 1 else shape[1]
    gain = rm.Pipeline(manifest(node("gain", "Gain", gain_db=0.0)), input=rm.AudioFormat(48000, channels))
    ramp = np.linspace(-0.9, 0.9, 480 * channels).reshape(shape)
    scale = {"i2": 2**15, "i4": 2**31}.get(np.dtype(dtype).str[1:], 1)
    source = (ramp * 120 + 128 if dtype == "uint8" else ramp * scale).astype(dtype)
    back = gain.run(source)
    assert (back.dtype, back.shape) == (source.dtype, source.shape)
    # Computed in float32: 24 bits. Only float64 and int32 hold more than that.
    step = {"f8": 2**-24, "i4": 2**8}.get(np.dtype(dtype).str[1:], 0)
    assert np.abs(back.astype(np.float64) - source.astype(np.float64)).max() <= step


def test_integers_are_rounded_and_clipped() -> None:
    louder = rm.Pipeline(manifest(node("gain", "Gain", gain_db=6.0)), input=rm.AudioFormat(48000, 1))
    source = np.array([100, 20000, -20000, 32767, -32768], np.int16)
    expected = np.clip(np.rint(source * 10 ** (6 / 20)), -32768, 32767).astype(np.int16)
    np.testing.assert_array_equal(louder.run(source), expected)


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint16", "uint32", "bool", "complex64"])
def test_other_dtypes_are_no_audio(dtype: str) -> None:
    gain = rm.Pipeline(manifest(node("gain", "Gain", gain_db=0.0)), input=rm.AudioFormat(48000, 1))
    with pytest.raises(rm.FormatError, match=dtype):
        gain.run(np.zeros(10, dtype))
    with pytest.raises(rm.FormatError, match="float32"):
        rm.Audio(np.zeros(10, dtype), 48000)


def test_shapes_that_are_no_audio() -> None:
    stereo = rm.Pipeline(manifest(node("gain", "Gain", gain_db=0.0)), input=rm.AudioFormat(48000, 2))
    with pytest.raises(rm.FormatError):
        stereo.run(np.zeros(960, np.float32))
    with pytest.raises(rm.FormatError, match=r"x\.T"):
        stereo.run(np.zeros((2, 960), np.float32))
    with pytest.raises(rm.FormatError):
        stereo.run(np.zeros((2, 3, 4), np.float32))
