"""Pictures of resamplers: a sweep's spectrogram, the response and the aliases, and what streams hold back."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import remotemedia as rm
from remotemedia._bench import peers

__all__ = ["draw"]

Signal = np.ndarray[Any, np.dtype[np.float32]]
Image = np.ndarray[Any, np.dtype[np.uint8]]

_WIDTH, _HEIGHT = 300, 170
_FLOOR_DB = -170.0
_COLOURS = ["#0b6e4f", "#1f77b4", "#7b2d8b", "#d1495b", "#b8860b"]


def draw(folder: Path) -> list[Path]:
    """Write the pictures as SVG and return where they are. soxr has to be there."""
    files = {
        "sweep.svg": _sweep(48_000, 16_000),
        "response.svg": _response(48_000, 16_000),
        "hold-back.svg": _hold_back(),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def _resamplers(rate_in: int, rate_out: int) -> dict[str, Callable[[Signal], Signal]]:
    soxr = peers.find("soxr")
    found: dict[str, Callable[[Signal], Signal]] = {
        name: lambda x, name=name: rm.resample(x, rate_in, rate_out, name)  # type: ignore[misc]
        for name in ("low_latency", "high", "very_high")
    }
    for name in ("HQ", "VHQ"):
        found[f"soxr {name}"] = lambda x, name=name: soxr.resample(x, rate_in, rate_out, name)  # type: ignore[misc]
    return found


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{text}</text>'


def _page(width: float, height: float, parts: list[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
    return (
        f'{head} font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>' + "".join(parts) + "</svg>\n"
    )


def _png(pixels: Image) -> str:
    """Return the pixels, ``(height, width, 3)``, as an address that has all of them in it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(data).decode()


def _spectrogram(y: Signal, rate: int) -> Image:
    size = 512
    window = np.kaiser(size, 24)
    starts = np.linspace(0, len(y) - size, _WIDTH).astype(int)
    blocks = np.stack([y[start : start + size].astype(np.float64) * window for start in starts])
    level = 20 * np.log10(np.abs(np.fft.rfft(blocks)) / (window.sum() / 2) + 1e-12)
    rows = np.linspace(size // 2, 0, _HEIGHT).astype(int)
    share = np.clip(1 - level.T[rows] / _FLOOR_DB, 0, 1)
    red, green, blue = share**0.6, share**1.6, 0.35 + 0.5 * np.sin(np.pi * np.clip(share, 0, 1))
    return (255 * np.stack([red, green, blue * (share > 0.02)], axis=2)).astype(np.uint8)


def _sweep(rate_in: int, rate_out: int) -> str:
    seconds = 8.0
    t = np.arange(int(rate_in * seconds)) / rate_in
    # Linear, from 0 to half the rate.
    x = (0.9 * np.sin(np.pi * rate_in / 2 / seconds * t**2)).astype(np.float32)
    parts = [
        _text(10, 18, f"A sweep from 0 to {rate_in // 2000} kHz, {rate_in // 1000} to {rate_out // 1000} kHz", size=14)
    ]
    for index, (name, resampler) in enumerate(_resamplers(rate_in, rate_out).items()):
        left, top = 10 + index % 3 * (_WIDTH + 15), 45 + index // 3 * (_HEIGHT + 40)
        parts.append(_text(left, top - 5, name))
        image = _png(_spectrogram(resampler(x), rate_out))
        parts.append(f'<image x="{left}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" href="{image}"/>')
    left, top = 10 + 2 * (_WIDTH + 15), 45 + _HEIGHT + 40
    notes = [
        "Across: time, as the sweep rises.",
        f"Up: 0 to {rate_out // 2000} kHz of the output.",
        f"Black is {_FLOOR_DB:.0f} dB. A line that comes back",
        "down is an alias.",
    ]
    parts += [_text(left, top + 20 + 18 * index, note) for index, note in enumerate(notes)]
    return _page(3 * (_WIDTH + 15) + 5, 2 * (_HEIGHT + 40) + 50, parts)


def _levels(
    resampler: Callable[[Signal], Signal], rate_in: int, rate_out: int, shares: np.ndarray[Any, Any]
) -> list[float]:
    """Return the level of what comes out of each tone, in dB."""
    found = []
    for share in shares:
        hz = float(share) * min(rate_in, rate_out) / 2 + 0.37
        x = (0.5 * np.sin(2 * np.pi * hz * np.arange(rate_in) / rate_in)).astype(np.float32)
        y = resampler(x)[rate_out // 4 : -rate_out // 4].astype(np.float64)
        found.append(20 * np.log10(np.sqrt(2) * y.std() / 0.5 + 1e-12))
    return found


def _axes(
    left: float, top: float, width: float, height: float, x: list[tuple[float, str]], y: list[tuple[float, str]]
) -> list[str]:
    parts = [f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#888"/>']
    for at, label in x:
        parts.append(
            f'<line x1="{left + at * width}" x2="{left + at * width}" y1="{top}" y2="{top + height}" stroke="#ddd"/>'
        )
        parts.append(_text(left + at * width, top + height + 15, label, "middle", 11))
    for at, label in y:
        parts.append(
            f'<line x1="{left}" x2="{left + width}" y1="{top + at * height}" y2="{top + at * height}" stroke="#ddd"/>'
        )
        parts.append(_text(left - 5, top + at * height + 4, label, "end", 11))
    return parts


def _line(xs: list[float], ys: list[float], colour: str) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>'


def _response(rate_in: int, rate_out: int) -> str:
    shares = np.concatenate([np.arange(0.5, 0.8, 0.05), np.arange(0.8, 1.2, 0.01), np.arange(1.2, 1.61, 0.05)])
    left, top, width, height = 60.0, 40.0, 800.0, 320.0
    low, high = 0.5, 1.6
    parts = [
        _text(left, 22, f"Level of what comes out of a tone, {rate_in // 1000} to {rate_out // 1000} kHz", size=14)
    ]
    marks = [(one, f"{one:g}") for one in (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5)]
    parts += _axes(
        left,
        top,
        width,
        height,
        [((one - low) / (high - low), label) for one, label in marks],
        [(-level / 170, f"{level} dB") for level in range(0, -171, -20)],
    )
    for index, (name, resampler) in enumerate(_resamplers(rate_in, rate_out).items()):
        levels = _levels(resampler, rate_in, rate_out, shares)
        xs = [left + (float(share) - low) / (high - low) * width for share in shares]
        parts.append(_line(xs, [top + min(max(-level / 170, 0), 1) * height for level in levels], _COLOURS[index]))
        parts.append(
            f'<rect x="{left + 15}" y="{top + 200 + 20 * index}" width="18" height="4" fill="{_COLOURS[index]}"/>'
        )
        parts.append(_text(left + 40, top + 207 + 20 * index, name))
    parts.append(
        _text(left + width / 2, top + height + 35, "part of the lower Nyquist frequency; beyond 1: aliases", "middle")
    )
    return _page(900, 410, parts)


def held_back(call: Callable[[Any], Any], rate_in: int, rate_out: int) -> list[float]:
    """Return what is held back after each frame of 20 ms, in ms; the first 40 frames are left out."""
    frame = np.zeros(rate_in // 50, np.int16)
    given, held = 0, []
    for index in range(1, 241):
        given += len(call(frame))
        held.append(index * 20.0 - given / rate_out * 1000)
    return held[40:]


def _hold_back() -> str:
    soxr = peers.find("soxr")
    parts = [
        _text(60, 22, "Held back after each frame of 20 ms: pipecat's resampler (soxr VHQ) and low_latency", size=14)
    ]
    for index, (rate_in, rate_out) in enumerate([(48_000, 16_000), (24_000, 8_000), (8_000, 16_000)]):
        left, top, width, height = 60.0 + index * 310, 60.0, 260.0, 220.0
        most = 160.0
        parts.append(_text(left, top - 8, f"{rate_in // 1000} to {rate_out // 1000} kHz"))
        parts += _axes(
            left,
            top,
            width,
            height,
            [(0.0, "0 s"), (0.5, "1 s"), (1.0, "2 s")],
            [(1 - one / most, f"{one} ms") for one in (0, 40, 80, 120)],
        )
        theirs = held_back(soxr.ResampleStream(rate_in, rate_out, 1, "int16", "VHQ").resample_chunk, rate_in, rate_out)
        ours = rm.ResampleStream(rate_in, rate_out, 1, "int16", "low_latency")
        for colour, held in ((_COLOURS[3], theirs), (_COLOURS[0], held_back(ours.resample_chunk, rate_in, rate_out))):
            xs = [left + n / 99 * width for n in range(100)]
            parts.append(_line(xs, [top + (1 - one / most) * height for one in held[:100]], colour))
            worst, median = max(held), float(np.median(held))
            y = top + height + (35 if colour == _COLOURS[3] else 52)
            parts.append(f'<g fill="{colour}">{_text(left, y, f"median {median:.1f} ms, worst {worst:.1f} ms")}</g>')
    return _page(980, 340, parts)
