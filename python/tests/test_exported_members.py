"""What is exported is what is listed, and nothing of the generated code shows."""

from __future__ import annotations

import importlib
import inspect
import sys
from importlib.metadata import version
from types import ModuleType

import pytest
from support import must, run_python

import remotemedia as rm
import remotemedia.runtime

PUBLISHED = [
    "audio_dict_to_numpy",
    "execute_pipeline",
    "execute_pipeline_with_input",
    "get_runtime_version",
    "is_available",
    "numpy_to_audio_dict",
]


@pytest.mark.parametrize("name", ["remotemedia", "remotemedia.errors", "remotemedia.runtime", "remotemedia_ffi"])
def test_all_is_sorted_and_true(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__all__ == sorted(module.__all__)
    for member in module.__all__:
        assert hasattr(module, member), member


def test_nothing_public_is_unlisted() -> None:
    public = {name for name, member in vars(rm).items() if not name.startswith("_") and not _is_machinery(member)}
    # What a worker process runs, once something has needed it.
    public.discard("worker")
    assert public == {name for name in rm.__all__ if not name.startswith("_")}


def _is_machinery(member: object) -> bool:
    own = isinstance(member, ModuleType) and member.__name__.startswith("remotemedia.")
    return not own and getattr(member, "__module__", "") == "__future__"


def test_public_members_name_their_public_place_and_are_documented() -> None:
    for name in rm.__all__:
        member = getattr(rm, name)
        if inspect.isclass(member) or inspect.isfunction(member):
            assert member.__module__ in ("remotemedia", "remotemedia.errors"), name
            assert member.__doc__, name


def test_help_shows_nothing_generated() -> None:
    text = must(run_python("import remotemedia; help(remotemedia); help(remotemedia.Pipeline)"))
    assert "_uniffi" not in text
    assert "speech_segments" in text


def test_the_published_functions_are_the_same_from_three_modules() -> None:
    ffi = importlib.import_module("remotemedia_ffi")
    sys.modules.pop("remotemedia_runtime", None)
    with pytest.warns(DeprecationWarning, match=r"remotemedia\.runtime") as caught:
        old = importlib.import_module("remotemedia_runtime")
    assert len(caught) == 1
    assert caught[0].filename == __file__ or "importlib" in caught[0].filename
    assert sorted(remotemedia.runtime.__all__) == PUBLISHED
    for name in PUBLISHED:
        assert getattr(ffi, name) is getattr(remotemedia.runtime, name) is getattr(old, name)


def test_signatures_are_the_published_ones() -> None:
    def parameters(name: str) -> list[tuple[str, object]]:
        signature = inspect.signature(getattr(remotemedia.runtime, name))
        return [(one.name, one.default) for one in signature.parameters.values()]

    none = inspect.Parameter.empty
    assert parameters("execute_pipeline") == [("manifest_json", none), ("enable_metrics", False)]
    assert parameters("execute_pipeline_with_input") == [
        ("manifest_json", none),
        ("input_data", none),
        ("enable_metrics", False),
    ]
    assert parameters("numpy_to_audio_dict") == [("arr", none), ("sample_rate", none), ("channels", none)]
    assert parameters("audio_dict_to_numpy") == [("audio_dict", none)]
    assert inspect.iscoroutinefunction(remotemedia.runtime.execute_pipeline)
    assert inspect.iscoroutinefunction(remotemedia.runtime.execute_pipeline_with_input)


def test_versions_agree() -> None:
    ffi = importlib.import_module("remotemedia_ffi")
    assert remotemedia.runtime.get_runtime_version() == rm.__version__ == ffi.__version__ == version("remotemedia")
    assert remotemedia.runtime.is_available() is True


def test_every_node_of_the_registry_has_a_builder() -> None:
    import json

    from remotemedia._native import remotemedia as native

    # Other tests have registered classes of their own.
    catalog = json.loads(native.node_catalog())
    names = {entry["name"] for entry in catalog if entry["category"] != "python" or entry["name"] == "Python"}
    assert names == set(rm.nodes.__all__) - {"Node"}
    for name in names:
        assert getattr(rm.nodes, name).__doc__
