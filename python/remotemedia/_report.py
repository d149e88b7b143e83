"""The demo's report: one HTML file without anything from outside."""

from __future__ import annotations

import base64
import json
import tempfile
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from remotemedia._audio_io import read, write
from remotemedia._demo import times_real_time
from remotemedia._lib import version
from remotemedia._words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remotemedia._demo import Clip

__all__ = ["render"]

_COLUMNS = 900
_HALF = 50


def render(clips: Sequence[Clip], mistake: str, manifest: Mapping[str, Any]) -> str:
    """Return the page."""
    page = Template((files("remotemedia") / "_demo_data" / "report.html").read_text(encoding="utf-8"))
    return page.substitute(
        version=escape(version),
        chain=" &rarr; ".join(escape(node["node_type"]) for node in manifest["nodes"]),
        clips="\n".join(_clip(clip, manifest) for clip in clips),
        mistake=escape(mistake),
        manifest=escape(json.dumps(manifest, indent=2)),
    )


def _clip(clip: Clip, manifest: Mapping[str, Any]) -> str:
    duration = clip.info.duration
    channels = {1: "mono", 2: "stereo"}.get(clip.info.channels, f"{clip.info.channels} channels")
    spoken = sum(one.duration for one in clip.speech)
    loudest = max((level["peak_db"] for level in clip.levels if level["peak_db"] is not None), default=None)
    facts = [
        f"{duration:.2f} s",
        f"{clip.info.sample_rate:,} Hz {channels}",
        f"{counted(len(clip.speech), 'segment')}, {spoken:.2f} s of speech",
        "silence" if loudest is None else f"peak {loudest:.1f} dB",
        f"<strong>{times_real_time(clip)}</strong>",
    ]
    credit = f'<p class="credit">{escape(clip.credit)}</p>' if clip.credit else ""
    return f"""<article>
<h2>{escape(clip.path.name)}</h2>
<p class="facts">{" &middot; ".join(facts)}</p>
<div class="wave" role="img" aria-label="Waveform with {len(clip.speech)} marked segments of speech">
<svg viewBox="0 -{_HALF} {_COLUMNS} {2 * _HALF}" preserveAspectRatio="none"><path d="{_outline(clip)}"/></svg>
{"".join(_mark(number, one.start, one.end, duration) for number, one in enumerate(clip.speech, 1))}
<i class="head"></i></div>
<div class="axis">{"".join(_ticks(duration))}</div>
<audio controls preload="metadata" src="{_sound(clip.path)}"></audio>
<div class="tables">
<table><caption>Speech</caption>
<thead><tr><th></th><th>start</th><th>end</th><th>probability</th></tr></thead>
<tbody>{"".join(_segment(number, one) for number, one in enumerate(clip.speech, 1)) or _NONE}</tbody></table>
<table><caption>Nodes: {clip.seconds * 1000:.1f} ms in all</caption>
<thead><tr><th>node</th><th>type</th><th>calls</th><th>time</th></tr></thead>
<tbody>{"".join(_node(node, manifest) for node in clip.nodes)}</tbody></table>
</div>
{credit}</article>"""


_NONE = '<tr><td colspan="4">none</td></tr>'


def _outline(clip: Clip) -> str:
    """Return the highest and lowest sample of each column as one closed path."""
    samples = np.asarray(clip.audio.samples, np.float32)
    if samples.size == 0:
        return "M0 0"
    columns = np.array_split(samples, min(_COLUMNS, samples.size))
    loudest = max(float(np.abs(samples).max()), 1e-6)
    scale = _HALF / loudest * 0.96
    width = _COLUMNS / len(columns)
    tops = [f"{index * width:.0f} {-float(column.max()) * scale:.1f}" for index, column in enumerate(columns)]
    lows = [f"{index * width:.0f} {-float(column.min()) * scale:.1f}" for index, column in enumerate(columns)]
    return f"M{'L'.join(tops)}L{'L'.join(reversed(lows))}Z"


def _mark(number: int, start: float, end: float, duration: float) -> str:
    left, width = start / duration * 100, (end - start) / duration * 100
    return f'<b style="left:{left:.2f}%;width:{width:.2f}%"><span>{number}</span></b>'


def _ticks(duration: float) -> list[str]:
    step = next(step for step in (0.5, 1, 2, 5, 10, 30, 60, 300, 3600) if duration / step <= 8 or step == 3600)
    return [
        f'<span style="left:{position / duration * 100:.2f}%">{position:g} s</span>'
        for position in np.arange(0, duration, step).tolist()
        if position / duration < 0.97
    ]


def _segment(number: int, one: Any) -> str:
    place = f'data-start="{one.start:.3f}" data-end="{one.end:.3f}"'
    play = f'<button type="button" {place} aria-label="Play segment {number}">&#9654; {number}</button>'
    bar = f'<meter min="0" max="1" value="{one.probability:.2f}"></meter> {one.probability:.2f}'
    return f"<tr><td>{play}</td><td>{one.start:.2f} s</td><td>{one.end:.2f} s</td><td>{bar}</td></tr>"


def _node(node: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    types = {one["id"]: one["node_type"] for one in manifest["nodes"]}
    name = str(node["node_id"])
    return (
        f"<tr><td>{escape(name)}</td><td>{escape(types[name])}</td><td>{node['execution_count']}</td>"
        f"<td>{node['total_duration_us'] / 1000:.2f} ms</td></tr>"
    )


def _sound(path: Path) -> str:
    """Return the recording as a data URI; WAV is packed as FLAC, of half the size."""
    if path.suffix.lower() == ".flac":
        data = path.read_bytes()
    else:
        with tempfile.TemporaryDirectory() as folder:
            packed = Path(folder) / "sound.flac"
            write(packed, read(path), subtype="PCM_16")
            data = packed.read_bytes()
    return f"data:audio/flac;base64,{base64.b64encode(data).decode()}"
