"""How much room the package and its peers take where they are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import remotemedia as rm
from remotemedia._bench import peers
from remotemedia._bench.measure import Figure, Row

__all__ = ["rows"]

_ID = "size: what is installed"


def rows(effort: float) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Yield the id of the row and what measures it."""
    yield _ID, _size


def _size() -> Row:
    package = Path(rm.__file__).parent
    sizes = {"remotemedia": sum(path.stat().st_size for path in package.rglob("*") if _counts(path))}
    for name in ("numpy", *peers.PEERS.values()):
        size = _installed(name)
        if size is not None:
            sizes[name] = size
    figures = [Figure(name, float(size), float(size)) for name, size in sizes.items()]
    note = "without what each requires: remotemedia needs numpy alone; bytecode is not counted"
    return Row(_ID, "MB", figures, note=note)


def _installed(name: str) -> int | None:
    try:
        files = distribution(name).files or []
    except PackageNotFoundError:
        return None
    paths = [Path(str(file.locate())) for file in files]
    return sum(path.stat().st_size for path in paths if _counts(path))


def _counts(path: Path) -> bool:
    return path.suffix != ".pyc" and path.is_file()
