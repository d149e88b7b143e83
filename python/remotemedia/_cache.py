"""The pipelines that the published functions compiled last, by manifest text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remotemedia._pipeline import compiled

if TYPE_CHECKING:
    from remotemedia._manifest import ManifestText
    from remotemedia._run import Compiled

__all__ = ["clear", "pipeline_of"]

_MOST = 32
# Insertion order is age: a hit is put back at the end. Each step is one dict operation, so threads need no lock;
# the worst a race does is compile the same text twice.
_pipelines: dict[ManifestText, Compiled] = {}


def clear() -> None:
    """Forget them: a name in a manifest may mean another node now."""
    _pipelines.clear()


def pipeline_of(manifest: ManifestText) -> Compiled:
    """Return the compiled pipeline of a manifest's text; the 32 used last are kept."""
    pipeline = _pipelines.pop(manifest, None)
    if pipeline is None:
        pipeline = compiled(manifest)
    _pipelines[manifest] = pipeline
    while len(_pipelines) > _MOST:
        try:
            _pipelines.pop(next(iter(_pipelines)), None)
        except (RuntimeError, StopIteration):  # Another thread was faster.
            break
    return pipeline
