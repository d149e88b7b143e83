"""`remotemedia demo`: one manifest over real recordings, a misspelt node, and a report to look at."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from remotemedia._audio import Audio
from remotemedia._audio_io import AudioInfo, info, read
from remotemedia._dsp import SpeechSegment, segments
from remotemedia._lib import version
from remotemedia._pipeline import Pipeline
from remotemedia.errors import ManifestError, RemoteMediaError

__all__ = ["MANIFEST", "Clip", "main"]

MANIFEST: dict[str, Any] = {
    "version": "v1",
    "metadata": {"name": "speech", "description": "Any rate and channels in; level and speech out"},
    "nodes": [
        {"id": "mono", "node_type": "AudioChannels", "params": {"channels": 1}},
        {"id": "resample", "node_type": "AudioResample", "params": {"target_rate": 16000}},
        {"id": "level", "node_type": "AudioLevel", "params": {"window_ms": 50}},
        {"id": "vad", "node_type": "SpeechVAD", "params": {"preset": "file"}},
    ],
    "connections": [
        {"from": "mono", "to": "resample"},
        {"from": "resample", "to": "level"},
        {"from": "level", "to": "vad"},
    ],
}
"""What every recording runs through."""

_RECORDINGS = {
    "jfk.wav": "US inaugural address of 1961, a work of the US federal government: public domain",
    "librivox_ss_a.flac": "Sense and Sensibility, read for LibriVox: public domain",
    "film_bbb_stereo.wav": "Film sound, (c) 2008 Blender Foundation, Big Buck Bunny, CC BY 3.0",
}
_MOST_FILES = 12


class Clip(NamedTuple):
    """A recording and what the pipeline found in it."""

    path: Path
    credit: str
    info: AudioInfo
    audio: Audio
    levels: list[dict[str, Any]]
    speech: list[SpeechSegment]
    nodes: list[dict[str, Any]]
    seconds: float


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="remotemedia demo", description="Finds speech in recordings and writes a report as one HTML file."
    )
    parser.add_argument("--data", metavar="DIR", type=Path, help="a folder of WAV and FLAC files")
    parser.add_argument("--report", metavar="PATH", type=Path, default=Path("remotemedia-demo.html"))
    try:
        options = parser.parse_args(arguments)
    except SystemExit as exit:
        return int(exit.code or 0)
    try:
        _check_report(options.report)
        _demo(options.data, options.report)
    except (RemoteMediaError, OSError) as error:
        print(f"remotemedia demo: {error}", file=sys.stderr)
        return 1
    return 0


def _check_report(report: Path) -> None:
    """Make the report's folder, and see that the report can be written: said now, not after the work."""
    if report.is_dir():
        raise IsADirectoryError(f"{report} is a folder, expected a file")
    report.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(report if report.exists() else report.parent, os.W_OK):
        raise PermissionError(f"{report} cannot be written")


def _demo(data: Path | None, report: Path) -> None:
    started = perf_counter()
    files = _files(data)
    pipe = Pipeline(MANIFEST)
    print(f"RemoteMedia {version}: one manifest, {len(files)} recording{'' if len(files) == 1 else 's'}")
    print(f"  {' -> '.join(node['node_type'] for node in MANIFEST['nodes'])}\n")
    clips = [_clip(pipe, path) for path in files]
    for clip in clips:
        _print(clip)
    mistake = _misspelt()
    print("A misspelt node is answered with:")
    print(f"  {mistake}\n")
    from remotemedia._report import render

    report.write_text(render(clips, str(mistake), MANIFEST), encoding="utf-8")
    print(f"Report: {report}")
    print(f"Done in {perf_counter() - started:.2f} s")


def _files(data: Path | None) -> list[Path]:
    if data is None:
        return [Path(__file__).parent / "_demo_data" / "librivox_ss_a.flac"]
    if not data.is_dir():
        raise NotADirectoryError(f"{data} is not a folder")
    known = [data / name for name in _RECORDINGS if (data / name).is_file()]
    files = known or sorted(path for path in data.iterdir() if path.suffix.lower() in (".wav", ".flac"))
    if not files:
        raise FileNotFoundError(f"there is no WAV or FLAC file in {data}")
    return files[:_MOST_FILES]


def _clip(pipe: Pipeline, path: Path) -> Clip:
    header = info(path)
    audio = read(path)
    started = perf_counter()
    result = pipe.run(audio, metrics=True)
    seconds = perf_counter() - started
    outputs = result["outputs"]
    return Clip(
        path=path,
        credit=_RECORDINGS.get(path.name, ""),
        info=header,
        audio=outputs["vad"],
        levels=outputs["level.events"],
        speech=segments(outputs["vad.events"]),
        nodes=result["metrics"]["node_metrics"],
        seconds=seconds,
    )


def _misspelt() -> ManifestError:
    nodes = [{**node} for node in MANIFEST["nodes"]]
    nodes[1]["node_type"] = "AudioResampel"
    try:
        Pipeline({**MANIFEST, "nodes": nodes})
    except ManifestError as error:
        return error
    raise RemoteMediaError("a misspelt node was accepted; please report this")


def _print(clip: Clip) -> None:
    channels = {1: "mono", 2: "stereo"}.get(clip.info.channels, f"{clip.info.channels} channels")
    print(f"{clip.path.name}: {clip.info.duration:.2f} s, {clip.info.sample_rate} Hz {channels}")
    if clip.credit:
        print(f"  {clip.credit}")
    print("  speech     start       end   probability")
    for number, one in enumerate(clip.speech, 1):
        bar = "#" * round(one.probability * 20)
        print(f"  {number:>6}  {one.start:>6.2f} s  {one.end:>6.2f} s          {one.probability:.2f}  {bar}")
    if not clip.speech:
        print("    none")
    types = {node["id"]: node["node_type"] for node in MANIFEST["nodes"]}
    print("  node        type             calls       time")
    for node in clip.nodes:
        name, calls = node["node_id"], node["execution_count"]
        print(f"  {name:<10}  {types[name]:<14}  {calls:>6}  {node['total_duration_us'] / 1000:>6.2f} ms")
    print(f"  {clip.seconds * 1000:.1f} ms for {clip.info.duration:.2f} s: {times_real_time(clip)}\n")


def times_real_time(clip: Clip) -> str:
    """Return how much faster than the recording the run was, in words."""
    return f"{clip.info.duration / clip.seconds:,.0f} times real time"
