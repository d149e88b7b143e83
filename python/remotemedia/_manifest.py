"""Everything that can stand for a manifest, as its JSON text."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, cast

from remotemedia import _json
from remotemedia._formats import AudioFormat, Format, VideoFormat
from remotemedia._node import Node, node_of
from remotemedia._numbers import plain
from remotemedia._paths import python_name
from remotemedia.errors import InputTypeError, ManifestError, Problem, io_kind

__all__ = ["ManifestText", "chain", "manifest_text", "published_text"]

_MAX_BYTES = 64 * 1024 * 1024


class ManifestText(NamedTuple):
    """The JSON text of a manifest, and where it comes from."""

    text: str
    file: str = ""
    """The name of the file it stands in."""
    written: bool = True
    """Whether a person wrote the text: then problems have a line."""


def published_text(manifest: object) -> ManifestText:
    """Return the text for the published functions: a str is JSON text; dicts and paths are accepted too."""
    if isinstance(manifest, str):
        return _text(manifest)
    if isinstance(manifest, os.PathLike):
        return _read(cast("os.PathLike[str]", manifest))
    if isinstance(manifest, Mapping):
        return _made(dict(cast("Mapping[str, object]", manifest)))
    raise InputTypeError(
        f"the manifest is of type {type(manifest).__name__}, expected JSON text, a dict or a path object"
    )


def manifest_text(manifest: object, input: Format | None) -> ManifestText:
    """Return the text for `remotemedia.Pipeline`: a path, a dict, JSON text, a list of nodes or one node."""
    if input is not None and not isinstance(cast("object", input), (AudioFormat, VideoFormat)):
        raise InputTypeError(
            f"input is of type {type(input).__name__}, expected remotemedia.AudioFormat or remotemedia.VideoFormat"
        )
    if isinstance(manifest, str):
        first = manifest.lstrip()[:1]
        given = _text(manifest) if first in ("{", "[") else _read(manifest)
    elif isinstance(manifest, os.PathLike):
        given = _read(cast("os.PathLike[str]", manifest))
    elif isinstance(manifest, Mapping):
        return _made(_declare(dict(cast("Mapping[str, object]", manifest)), input))
    elif (node := node_of(manifest)) is not None:
        return _made(_declare(chain([node]), input))
    elif isinstance(manifest, Sequence) and not isinstance(manifest, (bytes, bytearray, memoryview)):
        return _made(_declare(chain(cast("Sequence[object]", manifest)), input))
    else:
        raise InputTypeError(
            f"the manifest is of type {type(manifest).__name__}, expected a path, a dict, JSON text or a list of nodes"
        )
    return given if input is None and given.text.lstrip()[:1] != "[" else _declared(given, input)


def chain(nodes: Sequence[object]) -> dict[str, object]:
    """Return the manifest of nodes connected one after the other; ids come from the types where none are given."""
    entries: list[dict[str, object]] = []
    numbers: dict[str, int] = {}
    taken = {name for name in map(_own_id, nodes) if name is not None}
    for index, node in enumerate(nodes):
        entry = _entry(node, index)
        if "id" not in entry:
            entry = {"id": _new_id(entry.get("node_type"), taken, numbers), **entry}
            taken.add(cast("str", entry["id"]))
        entries.append(entry)
    ids = [entry["id"] for entry in entries]
    connections = [{"from": first, "to": second} for first, second in pairwise(ids)]
    return {"version": "v1", "metadata": {"name": "pipeline"}, "nodes": entries, "connections": connections}


def _own_id(node: object) -> str | None:
    name: object = None
    if isinstance(node, Node):
        name = node.id
    elif isinstance(node, Mapping):
        name = cast("Mapping[str, object]", node).get("id")
    return name if isinstance(name, str) else None


def _entry(node: object, index: int) -> dict[str, object]:
    if isinstance(node, Mapping):
        return dict(cast("Mapping[str, object]", node))
    try:
        found = node_of(node)
    except InputTypeError as error:
        raise InputTypeError(f"node {index} of the list: {error}", item_index=index) from None
    if found is not None:
        return found.to_dict()
    raise InputTypeError(
        f"node {index} of the list is of type {type(node).__name__}, expected one of remotemedia.nodes, a class "
        "decorated with remotemedia.node, an object of one, or a dict",
        item_index=index,
    )


def _new_id(node_type: object, taken: set[str], numbers: dict[str, int]) -> str:
    """Return an id that is not taken; ``numbers`` has the last one of each word, so that none is tried twice."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", str(node_type)).lower()
    name = words
    while name in taken:
        numbers[words] = numbers.get(words, 1) + 1
        name = f"{words}_{numbers[words]}"
    return name


def _declare(manifest: dict[str, object], input: Format | None) -> dict[str, object]:
    if input is None:
        return manifest
    if manifest.get("input") is not None:
        raise _problem("/input", "the manifest declares its input already", "leave input= out")
    return {**manifest, "input": input.to_dict()}


def _declared(given: ManifestText, input: Format | None) -> ManifestText:
    import json

    try:
        value: Any = json.loads(given.text)
    except (ValueError, RecursionError):
        return given  # The native parser says what is wrong, and where.
    if isinstance(value, list):
        return _made(_declare(chain(cast("list[object]", value)), input))
    return _made(_declare(cast("dict[str, object]", value), input)) if isinstance(value, dict) else given


def _made(manifest: dict[str, object]) -> ManifestText:
    try:
        return ManifestText(_json.dumps(plain(manifest)), written=False)
    except _json.NotJsonError as error:
        raise _problem(error.path, error.reason, None) from None


def _text(given: str) -> ManifestText:
    # What a subclass makes of itself does not count.
    text = str.__str__(given)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        reason = f"the manifest has a lone surrogate at character {error.start}, which is no Unicode"
        raise _problem("", reason, "decode it with the encoding that it has, UTF-8 for JSON") from None
    return ManifestText(text)


def _read(path: str | os.PathLike[str]) -> ManifestText:
    name = python_name(path)
    try:
        with open(name, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        number = getattr(error, "errno", None)
        raise io_kind(number)(
            f"cannot read the manifest {_json.quoted(name)}: {reason}; JSON text begins with {{ or [",
            path=name,
            number=number,
        ) from None
    if len(data) > _MAX_BYTES:
        raise _problem("", f"the manifest {name!r} is larger than 64 MiB", None)
    try:
        return ManifestText(data.decode("utf-8-sig"), file=_json.whole_text(name))
    except UnicodeDecodeError as error:
        raise _problem("", f"the manifest {name!r} is not UTF-8 at byte {error.start}", "save it as UTF-8") from None


def _problem(path: str, reason: str, fix: str | None) -> ManifestError:
    place = f" (at {path})" if path else ""
    text = f"RM0100: {reason}{place}" if fix is None else f"RM0100: {reason}{place}; {fix}"
    problem = Problem("RM0100", "error", path, text, fix=fix)
    return ManifestError(text, path=path or None, hint=fix, problems=[problem])
