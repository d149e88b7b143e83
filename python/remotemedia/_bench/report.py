"""The figures as a table for a terminal, as JSON and as Markdown."""

from __future__ import annotations

from typing import Any

from remotemedia._bench.measure import Figure, Row
from remotemedia._bench.seed import Claim

__all__ = ["as_json", "claims_table", "line", "markdown"]

_UNITS = {"us": 1e3, "ms": 1e6, "MB": 1e6}
_TIMES = ("us", "ms")


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    scaled = value / _UNITS[unit]
    return f"{scaled:,.0f}" if scaled >= 1000 else f"{scaled:.3g}"


def _figure(figure: Figure, unit: str) -> str:
    if unit not in _TIMES:
        return f"{figure.name}: {_number(figure.median, unit)} {unit}"
    cpu = "" if figure.cpu_median is None else f", CPU {_number(figure.cpu_median, unit)}"
    return f"{figure.name}: {_number(figure.median, unit)} {unit} (p99 {_number(figure.p99, unit)}{cpu})"


def line(row: Row) -> str:
    """Return a row for a terminal."""
    lines = [row.id, *(f"    {_figure(figure, row.unit)}" for figure in row.figures)]
    if row.ratio is not None:
        lines.append(f"    ratio {row.ratio:.2f} ({row.compares})" + (f", goal: {row.goal}" if row.goal else ""))
    elif row.goal:
        lines.append(f"    goal: {row.goal}")
    if row.note:
        lines.append(f"    {row.note}")
    return "\n".join(lines)


def claims_table(claims: list[Claim]) -> str:
    """Return the sentences of the published README as a Markdown table."""
    rows = [f"| {one.sentence} | {one.measured} | {'reached' if one.reached else 'not reached'} |" for one in claims]
    return "\n".join(["| published for v0.4 | measured | |", "| --- | --- | --- |", *rows])


def as_json(machine: dict[str, object], rows: list[Row], claims: list[Claim]) -> dict[str, Any]:
    """Return everything as a dict that `json.dumps` takes."""
    found = [{"sentence": one.sentence, "measured": one.measured, "reached": one.reached} for one in claims]
    return {"format": 1, "machine": machine, "rows": [row.to_dict() for row in rows], "seed_claims": found}


def markdown(machine: dict[str, object], rows: list[Row], claims: list[Claim]) -> str:
    """Return ``docs/benchmarks.md``."""
    peers: Any = machine["peers"]
    there = ", ".join(f"{name} {version}" for name, version in peers.items() if version)
    missing = ", ".join(name for name, version in peers.items() if not version)
    text = [
        "# Benchmarks",
        "",
        "Written by `cargo xtask bench`; `remotemedia bench` measures the same on your machine.",
        "",
        f"Measured on {machine['date']}: {machine['processor']}, {machine['cores']} cores, {machine['system']},",
        f"load {machine['load_before']} before; {machine['python']}, remotemedia {machine['remotemedia']},",
        f"numpy {machine['numpy']}.",
        "",
        f"Peers: {there or 'none'}." + (f" Not installed: {missing}." if missing else ""),
        "",
        "Contenders of a row take turns, round by round, after one round to warm up, with the garbage collector off.",
        "Rows of one thread are pinned to one core. The figures are medians of single calls and their 99th percentile,",
        "which is the slowest call where there are fewer than a hundred; the JSON has the number of calls. CPU is the",
        "process's time on all its threads a call, median of the rounds. A ratio is ours divided by the first peer, on",
        "the measure named; below 1 is faster. Before that peer is timed its result is compared with ours; where they",
        "are not equivalent there is no ratio. The notes say how good each resampler is, measured with tones.",
        "",
        "| row | contender | median | p99 | CPU | ratio |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        for index, figure in enumerate(row.figures):
            ratio = f"{row.ratio:.2f} ({row.compares})" if index == 0 and row.ratio is not None else ""
            p99 = figure.p99 if row.unit in _TIMES else None
            cells = [_number(value, row.unit) for value in (figure.median, p99, figure.cpu_median)]
            shown = [cell if cell == "-" else f"{cell} {row.unit}" for cell in cells]
            text.append(f"| {row.id if index == 0 else ''} | {figure.name} | {' | '.join(shown)} | {ratio} |")
    notes = [f"- {row.id}: {'; '.join(filter(None, (row.goal and f'goal: {row.goal}', row.note)))}." for row in rows]
    text += [
        "",
        "## Goals and notes",
        "",
        *(note for note, row in zip(notes, rows, strict=True) if row.goal or row.note),
    ]
    if claims:
        text += ["", "## What the README of v0.4 promised", "", claims_table(claims)]
        text += ["", "Against plain Python on lists, as the published README compares; pinned to one core, medians."]
    return "\n".join(text) + "\n"
