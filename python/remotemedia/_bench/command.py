"""The command: which rows, and where the figures go."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import remotemedia as rm
from remotemedia._bench import (
    calls,
    frames,
    machine,
    nodes,
    peers,
    pictures,
    report,
    resample,
    seed,
    sessions,
    size,
    sound,
    vad,
    workers,
)
from remotemedia._bench.measure import Row

__all__ = ["main"]


def _rows(effort: float) -> Iterator[tuple[str, Callable[[], Row]]]:
    yield from calls.rows(effort)
    yield from sessions.rows(effort)
    yield from size.rows(effort)
    yield from resample.rows(effort)
    yield from frames.rows(effort)
    yield from vad.rows(effort)
    yield from sound.rows(effort)
    yield from nodes.rows(effort)
    yield from workers.rows(effort)


def _start_threads() -> None:
    """Start the library's threads while nothing is pinned: it takes as many as the cores it sees at that time."""
    rm.Pipeline([rm.nodes.PassThrough()]).map([np.zeros(48_000, np.float32)] * 64)


def main(arguments: list[str]) -> int:
    """Run the benchmark and return its exit code: 0 fine, 1 a row failed, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="remotemedia bench", description="Time RemoteMedia and its peers in one run.")
    parser.add_argument("--only", metavar="WORD", help="only rows whose name has this word in it")
    parser.add_argument("--quick", action="store_true", help="few rounds: shows that it works, not how fast it is")
    parser.add_argument("--list", action="store_true", help="name the rows and end")
    parser.add_argument("--seed-claims", action="store_true", help="also run the sentences of the README of v0.4")
    parser.add_argument("--json", metavar="PATH", type=Path, help="write everything as JSON")
    parser.add_argument("--markdown", metavar="PATH", type=Path, help="write the tables as Markdown")
    parser.add_argument("--pictures", metavar="FOLDER", type=Path, help="draw the resamplers as SVG files, and end")
    try:
        options = parser.parse_args(arguments)
    except SystemExit as exit:
        return int(exit.code or 0)
    if options.pictures is not None:
        if not peers.is_installed("soxr") or not options.pictures.is_dir():
            print("error: --pictures wants soxr installed and a folder that exists", file=sys.stderr)
            return 2
        print("\n".join(str(path) for path in pictures.draw(options.pictures)))
        return 0
    effort = 0.02 if options.quick else 1.0
    chosen = [(id, measure) for id, measure in _rows(effort) if not options.only or options.only in id]
    if not chosen and not options.seed_claims:
        print(f"error: no row has {options.only!r} in its name; --list names them", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(id for id, _ in chosen))
        return 0
    for path in (options.json, options.markdown):
        # Said now, not after minutes of measuring.
        if path is None:
            continue
        if path.is_dir() or not path.parent.is_dir():
            print(f"error: {str(path)!r} cannot be written: expected a file in a folder that exists", file=sys.stderr)
            return 2
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            print(f"error: {str(path)!r} cannot be written: it is not allowed", file=sys.stderr)
            return 2
    about = machine.describe()
    for module, distribution in peers.PEERS.items():
        if not peers.is_installed(module):
            print(f"{distribution} is not installed, its rows are shorter: pip install {distribution}")
    _start_threads()
    rows: list[Row] = []
    failed = 0
    for id, measure in chosen:
        try:
            rows.append(measure())
        except Exception as error:
            failed += 1
            print(f"{id}\n    FAILED: {type(error).__name__}: {error}", file=sys.stderr)
        else:
            print(report.line(rows[-1]), flush=True)
    claims: list[seed.Claim] = []
    if options.seed_claims:
        try:
            claims = seed.claims(effort)
        except Exception as error:
            failed += 1
            print(f"seed claims\n    FAILED: {type(error).__name__}: {error}", file=sys.stderr)
    if claims:
        print(report.claims_table(claims))
    if options.json is not None:
        options.json.write_text(json.dumps(report.as_json(about, rows, claims), indent=1) + "\n", encoding="utf-8")
    if options.markdown is not None:
        options.markdown.write_text(report.markdown(about, rows, claims), encoding="utf-8")
    return 1 if failed else 0
