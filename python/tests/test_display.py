"""Audio in a notebook."""

from __future__ import annotations

import base64
import io
import re
import wave
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import remotemedia as rm


def played(html: str) -> tuple[int, int, np.ndarray]:
    data = re.search(r"data:audio/wav;base64,([A-Za-z0-9+/=]+)", html)
    assert data is not None
    with wave.open(io.BytesIO(base64.b64decode(data[1]))) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return file.getframerate(), file.getnchannels(), pcm.reshape(-1, file.getnchannels())


class Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int16, np.int32, np.uint8])
@pytest.mark.parametrize("shape", [(0,), (1,), (100,), (48_000,), (500, 2), (200_000, 3), (10, 64)])
def test_any_audio_is_shown(shape: tuple[int, ...], dtype: type) -> None:
    x = np.sin(np.arange(int(np.prod(shape))) * 0.01).reshape(shape)
    scaled = x * (1 if np.dtype(dtype).kind == "f" else 100) + (128 if dtype is np.uint8 else 0)
    audio = rm.Audio(scaled.astype(dtype), 16_000)
    html = audio._repr_html_()
    parser = Balanced()
    parser.feed(html)
    assert parser.open == []
    svg = re.search(r"<svg.*</svg>", html)
    assert svg is not None
    lanes = len(ET.fromstring(svg[0]).findall("path[@fill]"))
    assert lanes == (min(audio.channels, 8) if audio.frames else 0)
    assert "<script" not in html and "http" not in html
    assert f"{audio.duration:.2f} s" in html and "16,000 Hz" in html
    assert ("<audio controls" in html) == (audio.frames > 0)
    assert ("the first 8 channels are drawn" in html) == (audio.channels > 8)


def test_the_player_plays_the_samples() -> None:
    x = np.linspace(-1.5, 1.5, 16_000, dtype=np.float32)
    rate, channels, pcm = played(rm.Audio(x, 44_100)._repr_html_())
    assert (rate, channels) == (44_100, 1)
    np.testing.assert_array_equal(pcm[:, 0], np.rint(np.clip(x, -1, 1) * 32767))


def test_long_audio_is_played_in_part_and_says_so() -> None:
    audio = rm.Audio(np.zeros(10_000_000, np.float32), 48_000)
    html = audio._repr_html_()
    _, _, pcm = played(html)
    assert len(pcm) == 4 * 1024 * 1024
    assert "the player has the first 87 s" in html and "208.33 s" in html and "silent" in html


def test_what_is_not_finite_is_counted() -> None:
    html = rm.Audio(np.array([np.nan, np.inf, 0.5, -0.5], np.float32), 8000)._repr_html_()
    assert "not finite, shown as 0: 2 samples" in html and "peak -6.0 dBFS" in html and "nan" not in html.lower()


def test_the_waveform_shows_where_it_is_loud() -> None:
    x = np.zeros(72_000, np.float32)
    x[36_000:] = 0.9
    svg = re.search(r"<svg.*</svg>", rm.Audio(x, 48_000)._repr_html_())
    assert svg is not None
    path = ET.fromstring(svg[0]).find("path[@fill]")
    assert path is not None
    points = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", path.attrib["d"])]
    quiet = {y for x, y in points if x < 355}
    loud = {y for x, y in points if x > 365}
    assert quiet == {36.0} and min(loud) < 8


def test_the_demo_clip(clip: Path) -> None:
    html = rm.read(clip)._repr_html_()
    assert "9.34 s" in html and "dBFS" in html and ">8 s<" in html
