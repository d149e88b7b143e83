"""The tree of errors: kinds, bases, copies, and every native kind mapped."""

from __future__ import annotations

import asyncio
import builtins
import copy
import json
import pickle

import pytest

import remotemedia as rm
from remotemedia import _lib

TREE = {
    rm.ManifestError: ("Manifest", ValueError),
    rm.FormatError: ("Format", ValueError),
    rm.InputTypeError: ("InputType", TypeError),
    rm.InputValueError: ("InputValue", ValueError),
    rm.NodeError: ("Node", RuntimeError),
    rm.WorkerStartError: ("WorkerStart", rm.RemoteMediaError),
    rm.WorkerCrashedError: ("WorkerCrashed", rm.RemoteMediaError),
    rm.TimeoutError: ("Timeout", builtins.TimeoutError),
    rm.ClosedError: ("Closed", rm.RemoteMediaError),
    rm.BusyError: ("Busy", rm.RemoteMediaError),
    rm.FullError: ("Full", rm.RemoteMediaError),
    rm.IoError: ("Io", OSError),
    rm.UnsupportedError: ("Unsupported", rm.RemoteMediaError),
    rm.InternalError: ("Internal", rm.RemoteMediaError),
}


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_kinds_bases_and_copies(kind: type[rm.RemoteMediaError]) -> None:
    name, base = TREE[kind]
    problem = rm.Problem("RM0103", "error", "/nodes/0", "RM0103: wrong", nearest="Gain")
    error = kind(
        "it failed; do this", code="RM9999", node="n", path="/p", hint="do this", item_index=3, problems=[problem]
    )
    assert error.kind == name
    assert isinstance(error, (rm.RemoteMediaError, base))
    assert issubclass(kind, base)
    assert str(error) == "it failed; do this"
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is kind
        assert twin.to_dict() == error.to_dict()
        assert twin.problems == (problem,)
    described = json.loads(json.dumps(error.to_dict()))
    assert described["kind"] == name
    assert described["problems"][0]["nearest"] == "Gain"
    assert kind("short").code.startswith("RM")


def test_timeout_is_also_asyncios() -> None:
    assert issubclass(rm.TimeoutError, asyncio.TimeoutError)


def test_every_native_kind_is_mapped() -> None:
    native = {name for name in vars(_lib.native.RemoteMediaError) if name[0].isupper()}
    assert native == {kind for kind, _ in TREE.values()} == set(_lib._KINDS)


def test_what_is_not_ours_becomes_internal() -> None:
    error = _lib.translate(_lib.native.InternalError("boom"))
    assert isinstance(error, rm.InternalError)
    assert "please report" in str(error)
