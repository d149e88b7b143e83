"""Tests of your own nodes: a node alone, and through the certificate that built-in nodes have.

>>> import numpy as np, remotemedia as rm
>>> from remotemedia.testing import run_node
>>> class Louder:
...     def process(self, audio):
...         return rm.Audio(2 * audio.samples, audio.sample_rate)
>>> [out.samples for out in run_node(Louder, rm.Audio(np.ones(2, np.float32), 16000))]
[array([2., 2.], dtype=float32)]
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from remotemedia._pipeline import Pipeline
from remotemedia._python_node import node
from remotemedia._verify import Certificate, verify

if TYPE_CHECKING:
    from remotemedia._audio import Audio

__all__ = ["certify", "run_node"]


def run_node(class_: type, *items: object, **params: object) -> list[Any]:
    """Run a node alone, without any pipeline: setup, every item, flush, close.

    Parameters
    ----------
    class_ : type
        The class, decorated or not.
    *items : object
        What it gets, as it is.
    **params : object
        The arguments of its constructor.

    Returns
    -------
    list
        Everything that it gave, in order.
    """
    instance: Any = class_(**params)
    results: list[Any] = []
    try:
        _called(instance, "setup")
        for item in items:
            results += _results(instance.process(item))
        if hasattr(instance, "flush"):
            results += _results(instance.flush())
    finally:
        _called(instance, "close")
    return results


def certify(
    class_: type, *, audio: Audio | None = None, rounds: int = 4, tolerance: float = 0.0, **params: object
) -> Certificate:
    """Feed a node in many ways and compare: a stream cut in any way must give what the whole gives.

    Parameters
    ----------
    class_ : type
        The class. One that is not decorated is registered under its own name.
    audio : Audio, optional
        What to feed; signals of our own when left out.
    rounds : int
        Random chunkings of each signal.
    tolerance : float
        The most that a sample may differ.
    **params : object
        The arguments of its constructor.

    Returns
    -------
    Certificate

    Examples
    --------
    >>> import remotemedia as rm
    >>> class Quiet:
    ...     def process(self, audio):
    ...         return rm.Audio(0.5 * audio.samples, audio.sample_rate)
    >>> rm.testing.certify(Quiet, rounds=1).passed
    True
    """
    name = getattr(class_, "__remotemedia_node__", None)
    if name is None:
        node(class_)
        name = getattr(class_, "__remotemedia_node__", class_.__name__)
    return verify(Pipeline([{"node_type": name, "params": params}]), audio=audio, rounds=rounds, tolerance=tolerance)


def _called(instance: Any, method: str) -> None:
    found = getattr(instance, method, None)
    if found is not None:
        value = found()
        if inspect.iscoroutine(value):
            asyncio.run(value)


def _results(value: Any) -> list[Any]:
    """Return what a node gave as a list: nothing, one thing, or what a generator or a coroutine gives."""
    if inspect.isgenerator(value):
        return [one for one in value if one is not None]
    if inspect.isasyncgen(value):
        return asyncio.run(_gathered(value))
    if inspect.isawaitable(value):
        value = asyncio.run(_awaited(value))
    return [] if value is None else [value]


async def _gathered(values: Any) -> list[Any]:
    return [one async for one in values if one is not None]


async def _awaited(value: Any) -> Any:
    return await value
