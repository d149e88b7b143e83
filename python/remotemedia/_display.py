"""Audio in a notebook: a player and a waveform, as HTML that needs nothing else."""

from __future__ import annotations

import base64
import io
import math
import wave
from typing import TYPE_CHECKING, Any

import numpy as np

from remotemedia._arrays import to_float32
from remotemedia._words import counted

if TYPE_CHECKING:
    from remotemedia._audio import Audio

__all__ = ["audio_html"]

_WIDTH, _LANE, _AXIS = 720, 72, 22
"""Size of the picture, of one channel in it, and of the time axis, in pixels."""
_MOST_LANES = 8
_MOST_PLAYED = 8 * 1024 * 1024
"""The most bytes of 16-bit samples that the player holds: a notebook keeps them in its file."""

Signal = np.ndarray[Any, np.dtype[np.float32]]


def audio_html(audio: Audio) -> str:
    """Return a player over a waveform. Long audio is drawn whole and played in part, and the text says so."""
    # The samples that are not numbers would spoil the picture and the sound; how many they are is said.
    samples = to_float32(audio.samples).reshape(audio.frames, audio.channels)
    finite = np.isfinite(samples)
    bad = int(samples.size - np.count_nonzero(finite))
    samples = np.where(finite, samples, np.float32(0))
    words = [
        f"{audio.duration:.2f} s",
        f"{audio.sample_rate:,} Hz",
        counted(audio.channels, "channel"),
        str(audio.samples.dtype),
        _level(samples),
    ]
    if bad:
        words.append(f"not finite, shown as 0: {counted(bad, 'sample')}")
    if audio.channels > _MOST_LANES:
        words.append(f"the first {_MOST_LANES} channels are drawn")
    player, played = _player(samples, audio.sample_rate)
    if 0 < played < audio.frames:
        words.append(f"the player has the first {played / audio.sample_rate:.0f} s")
    text = " &middot; ".join(words)
    return (
        f'<figure style="margin:0.5em 0;max-width:{_WIDTH}px;font:13px system-ui,sans-serif;color:inherit">'
        f"{_waveform(samples, audio.sample_rate)}{player}"
        f'<figcaption style="opacity:0.75;margin-top:0.3em">{text}</figcaption></figure>'
    )


def _level(samples: Signal) -> str:
    if samples.size == 0:
        return "no samples"
    peak = float(np.max(np.abs(samples)))
    if peak == 0:
        return "silent"
    rms = math.sqrt(float(np.mean(np.square(samples, dtype=np.float64))))
    return f"peak {20 * math.log10(peak):.1f} dBFS, RMS {20 * math.log10(rms):.1f} dBFS"


def _player(samples: Signal, sample_rate: int) -> tuple[str, int]:
    """Return the player and how many frames it has: WAV of 16 bits, at most two channels, at a rate browsers play."""
    if samples.size == 0 or not 3000 <= sample_rate <= 384_000:
        return "", 0
    heard = samples[:, :2]
    frames = min(len(heard), _MOST_PLAYED // (2 * heard.shape[1]))
    pcm = np.rint(np.clip(heard[:frames], -1, 1) * 32767).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(heard.shape[1])
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.writeframes(pcm.tobytes())
    data = base64.b64encode(file.getvalue()).decode()
    return f'<audio controls preload="metadata" style="width:100%" src="data:audio/wav;base64,{data}"></audio>', frames


def _waveform(samples: Signal, sample_rate: int) -> str:
    """Return the picture: for each column of pixels the least and the largest sample of its stretch of time."""
    lanes = min(samples.shape[1], _MOST_LANES)
    height = lanes * _LANE + _AXIS
    duration = len(samples) / sample_rate
    parts = [
        f'<svg role="img" aria-label="Waveform, {duration:.2f} seconds" viewBox="0 0 {_WIDTH} {height}" '
        f'style="width:100%;height:auto;display:block" fill="none">'
    ]
    for lane in range(lanes):
        middle = lane * _LANE + _LANE / 2
        parts.append(f'<path d="M0 {middle:g}H{_WIDTH}" stroke="currentColor" stroke-opacity="0.25"/>')
        if len(samples):
            parts.append(f'<path d="{_envelope(samples[:, lane], middle)}" fill="#3b82c4" stroke="#3b82c4"/>')
    parts.append(_time_axis(duration, lanes * _LANE))
    parts.append("</svg>")
    return "".join(parts)


def _envelope(channel: Signal, middle: float) -> str:
    columns = min(len(channel), _WIDTH)
    edges = np.linspace(0, len(channel), columns, endpoint=False).astype(np.int64)
    scale = (_LANE - 6) / 2
    top = middle - np.clip(np.maximum.reduceat(channel, edges), -1, 1) * scale
    bottom = middle - np.clip(np.minimum.reduceat(channel, edges), -1, 1) * scale
    x = np.arange(columns) * (_WIDTH / columns)
    there = " ".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, top, strict=True))
    back = " ".join(f"{a:.1f} {b:.1f}" for a, b in zip(x[::-1], bottom[::-1], strict=True))
    return f"M{there} {back}Z"


def _time_axis(duration: float, y: float) -> str:
    """Return ticks at round times, at most about ten of them."""
    if duration <= 0:
        return ""
    rough = duration / 8
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    parts: list[str] = []
    for number in range(int(duration / step + 1e-9) + 1):
        x = _WIDTH * number * step / duration
        anchor = "start" if number == 0 else "end" if x > _WIDTH - 20 else "middle"
        parts.append(
            f'<path d="M{x:.1f} {y:g}v4" stroke="currentColor" stroke-opacity="0.5"/>'
            f'<text x="{x:.1f}" y="{y + 16:g}" font-size="11" text-anchor="{anchor}" fill="currentColor" '
            f'fill-opacity="0.75">{number * step:.{digits}f} s</text>'
        )
    return "".join(parts)
