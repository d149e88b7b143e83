"""Resampling: exact lengths, no delay, soxr's shapes, and quality against the theory of sines."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal
from support import RESAMPLE

import remotemedia as rm

RATES = [(48000, 16000), (16000, 48000), (44100, 16000), (8000, 44100), (48000, 44100), (22050, 24000), (96000, 8000)]
EDGE = 2000
"""Frames at either end that are not compared: there the filter sees the silence beyond the signal."""


def sine(rate: int, frames: int, hz: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.sin(2 * np.pi * hz * np.arange(frames) / rate)


def db(value: float) -> float:
    return 20 * math.log10(max(value, 1e-12))


@pytest.mark.parametrize(("rate_in", "rate_out"), RATES)
@pytest.mark.parametrize("frames", [0, 1, 2, 7, 160, 959, 960, 961, 48001])
def test_the_length_is_exact(rate_in: int, rate_out: int, frames: int) -> None:
    y = rm.resample(np.ones(frames, np.float32), rate_in, rate_out)
    assert y.shape == (-(-frames * rate_out // rate_in),)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3000), st.integers(4000, 96000), st.integers(4000, 96000), st.integers(1, 3))
def test_the_length_is_exact_for_any_rates(frames: int, rate_in: int, rate_out: int, channels: int) -> None:
    y = rm.resample(np.zeros((frames, channels), np.float64), rate_in, rate_out)
    assert y.shape == (-(-frames * rate_out // rate_in), channels)


@pytest.mark.parametrize("quality", ["high", "very_high"])
@pytest.mark.parametrize(("rate_in", "rate_out"), RATES)
def test_a_sine_stays_the_sine_it_was(rate_in: int, rate_out: int, quality: str) -> None:
    """In time (a delay of one frame of 48 kHz would show as -18 dB) and in shape."""
    hz = 0.1 * min(rate_in, rate_out)
    frames = rate_in * 2
    y = rm.resample(sine(rate_in, frames, hz), rate_in, rate_out, quality)
    expected = sine(rate_out, y.size, hz)
    error = float(np.abs(y - expected)[EDGE:-EDGE].max())
    # float32 alone, in one transform of a few thousand frames, costs about -120 dB.
    assert db(error) < -90, db(error)


@pytest.mark.parametrize(
    ("rate_in", "rate_out", "hz"), [(48000, 16000, 10_000), (44100, 16000, 9500), (96000, 8000, 6000)]
)
def test_what_the_new_rate_cannot_hold_is_gone(rate_in: int, rate_out: int, hz: float) -> None:
    y = rm.resample(sine(rate_in, rate_in * 2, hz), rate_in, rate_out)
    level = float(np.abs(y[EDGE:-EDGE]).max())
    # 16 bits hold 96 dB; the node promises more than 80 for a tone a quarter above the new half rate.
    assert db(level) < -80, db(level)


def test_it_agrees_with_soxr_and_scipy_on_a_chirp() -> None:
    t = np.arange(96000) / 48000
    x = signal.chirp(t, 100, 2, 6000)
    ours = rm.resample(x, 48000, 16000, "very_high")
    theirs = soxr.resample(x, 48000, 16000, "VHQ")
    assert ours.shape == theirs.shape
    # Both keep 0 to 6 kHz of the 8 kHz flat, so they differ by rounding and their filters' ripple only.
    assert db(float(np.abs(ours - theirs)[EDGE:-EDGE].max())) < -80
    polyphase = signal.resample_poly(x, 1, 3, window=("kaiser", 12.0))
    assert db(float(np.abs(ours - polyphase)[EDGE:-EDGE].max())) < -40


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int32"])
@pytest.mark.parametrize("shape", [(480,), (480, 1), (480, 2), (0,), (0, 2)])
def test_shapes_and_dtypes_are_soxrs(dtype: str, shape: tuple[int, ...]) -> None:
    x = np.zeros(shape, dtype)
    ours, theirs = rm.resample(x, 48000, 16000), soxr.resample(x, 48000, 16000)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    assert ours.flags.writeable


@pytest.mark.parametrize("dtype", ["int16", "int32"])
def test_integers_are_scaled_back(dtype: str) -> None:
    scale = 2 ** (8 * np.dtype(dtype).itemsize - 1)
    x = sine(48000, 48000, 440) * 0.5
    whole = rm.resample((x * scale).astype(dtype), 48000, 16000).astype(np.float64) / scale
    # Two roundings to 16 bits: the input's and the output's, half a step each, and the filter's overshoot of them.
    assert np.abs(whole - rm.resample(x, 48000, 16000))[EDGE:-EDGE].max() < 2 / 2**15


def test_channels_do_not_mix() -> None:
    left, right = sine(48000, 9600, 440), sine(48000, 9600, 1000)
    both = rm.resample(np.stack([left, right], axis=1).astype(np.float32), 48000, 16000)
    for channel, alone in enumerate((left, right)):
        np.testing.assert_allclose(both[:, channel], rm.resample(alone.astype(np.float32), 48000, 16000), atol=1e-6)


@pytest.mark.parametrize("quality", ["high", "HQ", "hq", "very_high", "VHQ"])
def test_names_of_qualities(quality: str) -> None:
    assert rm.resample(np.zeros(48, np.float32), 48000, 16000, quality=quality).shape == (16,)


def test_views_and_byte_orders_are_read_right() -> None:
    x = sine(48000, 4800, 440).astype(np.float32)
    expected = rm.resample(x, 48000, 16000)
    for other in (np.repeat(x, 2)[::2], x[::-1].copy()[::-1], np.asfortranarray(x[:, None])[:, 0]):
        np.testing.assert_array_equal(rm.resample(other, 48000, 16000), expected)
    swapped = rm.resample(x.astype(">f4"), 48000, 16000)
    assert swapped.dtype == np.dtype(">f4")
    np.testing.assert_array_equal(swapped, expected)
    frozen = x.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(rm.resample(frozen, 48000, 16000), expected)
    np.testing.assert_array_equal(x, sine(48000, 4800, 440).astype(np.float32))


def test_the_same_rate_is_a_copy() -> None:
    x = np.arange(10, dtype=np.float32)
    y = rm.resample(x, 16000, 16000.0)
    np.testing.assert_array_equal(x, y)
    assert not np.shares_memory(x, y)


@pytest.mark.parametrize(
    ("arguments", "error", "word"),
    [
        ((np.zeros(4, np.int64), 48000, 16000), rm.FormatError, "int64"),
        ((np.zeros((2, 960), np.float32), 48000, 16000), rm.FormatError, r"x\.T"),
        ((np.zeros((2, 2, 2), np.float32), 48000, 16000), rm.FormatError, "frames"),
        ((np.zeros(4, np.float32), 0, 16000), rm.InputValueError, "in_rate"),
        ((np.zeros(4, np.float32), 48000, -1), rm.InputValueError, "out_rate"),
        ((np.zeros(4, np.float32), 48000.5, 16000), rm.InputTypeError, "in_rate"),
        ((np.zeros(4, np.float32), 48000, 16000, "LQ"), rm.InputValueError, "very_high"),
        ((np.zeros(4, np.float32), 48000, 16000, 4), rm.InputValueError, "quality"),
    ],
)
def test_wrong_arguments(arguments: tuple[Any, ...], error: type[Exception], word: str) -> None:
    with pytest.raises(error, match=word):
        rm.resample(*arguments)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 4000), min_size=1, max_size=6), st.sampled_from([48000, 44100, 8000, 22050]))
def test_any_cut_into_items_gives_the_same_samples(lengths: list[int], rate: int) -> None:
    x = np.random.default_rng(1).standard_normal(sum(lengths)).astype(np.float32) * 0.1
    cuts = np.cumsum([0, *lengths])
    pipe = rm.Pipeline(RESAMPLE)
    items = [rm.Audio(x[a:b], rate) for a, b in pairwise(cuts)]
    parts = pipe.run(*items)
    parts = [one for one in (parts if isinstance(parts, list) else [parts]) if one is not None]
    joined = np.concatenate([np.zeros(0, np.float32), *(one.samples for one in parts)])
    whole = pipe.run(rm.Audio(x, rate))
    whole = np.zeros(0, np.float32) if whole is None else whole.samples
    assert joined.size == whole.size == -(-x.size * 16000 // rate)
    np.testing.assert_allclose(joined, whole, atol=1e-6)
