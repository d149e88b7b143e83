"""The classes of a program that was started as a script, in its workers."""

from __future__ import annotations

import ast
import os
import runpy
from typing import Any

from remotemedia.errors import UnsupportedError

__all__ = ["refusal", "script"]

GUARD = 'if __name__ == "__main__":'

_loaded: dict[str, _Script] = {}
_loading: str | None = None


class _Script:
    """The names that a script has defined."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.__dict__.update(names)


def script(file: str) -> _Script:
    """Run a script under another name, as multiprocessing does, so that its main part is not run; once.

    Raises
    ------
    UnsupportedError
        For a script whose main part would be run: it has no guard, or does not keep it.
    """
    global _loading
    if file not in _loaded:
        with open(file, "rb") as source:
            tree = ast.parse(source.read(), file)
        if not any(map(_is_guard, tree.body)) and any(map(_works, tree.body)):
            raise _unguarded(file)
        _loading = file
        try:
            _loaded[file] = _Script(runpy.run_path(file, run_name="__remotemedia_worker__"))
        finally:
            _loading = None
    return _loaded[file]


def refusal() -> UnsupportedError | None:
    """Return why a pipeline cannot run here: a worker only looks for the classes of a script."""
    return None if _loading is None else _unguarded(_loading)


def _unguarded(file: str) -> UnsupportedError:
    name = os.path.basename(file)
    return UnsupportedError(
        f"a worker imports the script {name} to find the node's class, and would run all of it; "
        f"put what {name} runs below `{GUARD}`, or the class into a module, a file of its own"
    )


def _is_guard(statement: ast.stmt) -> bool:
    """Say whether a statement asks for the name of the module."""
    if not isinstance(statement, ast.If):
        return False
    return any(isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(statement.test))


def _works(statement: ast.stmt) -> bool:
    """Say whether a statement calls something: more than an import or a definition does."""
    if isinstance(statement, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    return any(isinstance(part, (ast.Call, ast.Await)) for part in ast.walk(statement))
