"""The API published for v0.4: the same names, arguments and defaults.

These functions, and only they, are lenient: a bare array that reaches a node which needs a sample rate is taken as
48 kHz (one `AssumedFormatWarning`), and an item of a kind that a node does not take passes it unchanged
(one `UnhandledKindWarning`). `remotemedia.Pipeline` is strict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remotemedia import _run
from remotemedia._arrays import as_array, check_audio, to_float32
from remotemedia._audio import MAX_CHANNELS, hertz, whole_number
from remotemedia._cache import pipeline_of
from remotemedia._inputs import audio_dict_samples
from remotemedia._lib import version
from remotemedia._manifest import published_text
from remotemedia._words import counted
from remotemedia.errors import FormatError, InputTypeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    import numpy as np

__all__ = [
    "audio_dict_to_numpy",
    "execute_pipeline",
    "execute_pipeline_with_input",
    "get_runtime_version",
    "is_available",
    "numpy_to_audio_dict",
]


async def execute_pipeline(
    manifest_json: str | Mapping[str, object] | PathLike[str], enable_metrics: bool = False
) -> Any:
    """Run a pipeline whose sources make their own data.

    Parameters
    ----------
    manifest_json : str, dict or path object
        JSON text of the manifest; a dict or a path object is accepted too.
    enable_metrics : bool
        Return ``{"outputs": ..., "metrics": {...}}``.

    Returns
    -------
    object
        What the pipeline gave; None when nothing came out.

    Raises
    ------
    RemoteMediaError
        `ManifestError` with every problem of the manifest, or what failed while it ran.

    Examples
    --------
    >>> import asyncio
    >>> from remotemedia.runtime import execute_pipeline
    >>> nodes = [{"id": "resample", "node_type": "AudioResample", "params": {"target_rate": 16000}}]
    >>> print(asyncio.run(execute_pipeline({"version": "v1", "metadata": {"name": "a"}, "nodes": nodes})))
    None
    """
    pipeline = pipeline_of(published_text(manifest_json))
    return await _run.run_async(pipeline, (), lenient=True, metrics=bool(enable_metrics), timeout=None)


async def execute_pipeline_with_input(
    manifest_json: str | Mapping[str, object] | PathLike[str],
    input_data: Sequence[Any],
    enable_metrics: bool = False,
) -> Any:
    """Run a pipeline on the items of one stream.

    Parameters
    ----------
    manifest_json : str, dict or path object
        JSON text of the manifest; a dict or a path object is accepted too.
    input_data : list
        The items, in order: arrays (also of torch and jax), audio dicts, str, bytes, JSON values, `Audio`,
        `VideoFrame`. Arrays are read in place: do not write to them until the await ends.
    enable_metrics : bool
        Return ``{"outputs": ..., "metrics": {...}}``.

    Returns
    -------
    object
        For one item its result, for several a list, for none or when nothing came out None. What comes out is of the
        kind that went in. Several result ports: a dict by ``node`` (its port ``out``) or ``node.port``.

    Raises
    ------
    RemoteMediaError
        `ManifestError`, `FormatError`, `InputTypeError`, `InputValueError`, `NodeError`, ...

    Examples
    --------
    >>> import asyncio, numpy as np
    >>> from remotemedia.runtime import execute_pipeline_with_input
    >>> nodes = [{"id": "same", "node_type": "PassThrough"}]
    >>> manifest = {"version": "v1", "metadata": {"name": "a"}, "nodes": nodes}
    >>> asyncio.run(execute_pipeline_with_input(manifest, [np.arange(3)]))
    array([0, 1, 2])
    """
    if isinstance(input_data, (str, bytes, dict)) or not hasattr(input_data, "__len__"):
        raise InputTypeError(f"input_data is of type {type(input_data).__name__}, expected a list of items")
    pipeline = pipeline_of(published_text(manifest_json))
    try:
        items = tuple(input_data)
    except TypeError:  # An array without axes.
        raise InputTypeError("input_data is an array without axes, expected a list of items") from None
    return await _run.run_async(pipeline, items, lenient=True, metrics=bool(enable_metrics), timeout=None)


def get_runtime_version() -> str:
    """Return the version of the native library, the same as ``remotemedia.__version__``."""
    return version


def is_available() -> bool:
    """Return True: the native library is part of this package, and importing it has worked."""
    return True


def numpy_to_audio_dict(arr: object, sample_rate: int, channels: int) -> dict[str, Any]:
    """Return an array as an audio dict.

    Parameters
    ----------
    arr : array_like
        ``(samples,)``, interleaved when there are several channels, or ``(frames, channels)``. Floats as they are,
        int16, int32 and uint8 scaled to -1 to 1.
    sample_rate : int
        Frames per second in Hz, 1 to 1,536,000.
    channels : int
        1 to 64.

    Returns
    -------
    dict
        ``{"type": "audio", "samples": [float, ...], "sample_rate": ..., "channels": ...}``, interleaved.

    Raises
    ------
    FormatError, InputTypeError, InputValueError
        When dtype, shape and channels do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from remotemedia.runtime import numpy_to_audio_dict
    >>> numpy_to_audio_dict(np.array([0.0, 0.5], np.float32), sample_rate=16000, channels=1)
    {'type': 'audio', 'samples': [0.0, 0.5], 'sample_rate': 16000, 'channels': 1}
    """
    array = as_array(arr)
    rate = hertz("sample_rate", sample_rate)
    count = whole_number("channels", channels, MAX_CHANNELS)
    check_audio(array, None if array.ndim == 1 else count)
    if array.size % count:
        raise FormatError(f"{counted(array.size, 'interleaved sample')}, expected a multiple of {count} (the channels)")
    samples = to_float32(array).ravel().tolist()
    return {"type": "audio", "samples": samples, "sample_rate": rate, "channels": count}


def audio_dict_to_numpy(audio_dict: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the samples of an audio dict as float32: ``(samples,)`` for mono, else ``(frames, channels)``.

    Raises
    ------
    InputTypeError, InputValueError, FormatError
        Naming the key that is missing or wrong.

    Examples
    --------
    >>> from remotemedia.runtime import audio_dict_to_numpy
    >>> audio_dict_to_numpy({"samples": [0.0, 0.5, 0.25, 1.0], "sample_rate": 44100, "channels": 2})
    array([[0.  , 0.5 ],
           [0.25, 1.  ]], dtype=float32)
    """
    if not isinstance(audio_dict, dict):
        raise InputTypeError(f"the audio dict is of type {type(audio_dict).__name__}, expected dict")
    samples, _, channels = audio_dict_samples(audio_dict)
    flat = to_float32(samples).reshape(-1)
    array = flat if channels == 1 else flat.reshape(-1, channels)
    return array.copy() if array.base is not None else array
