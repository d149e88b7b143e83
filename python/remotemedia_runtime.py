"""The module name of v0.3; importing it warns once. New code imports `remotemedia.runtime`."""

from __future__ import annotations

import warnings

from remotemedia import __version__
from remotemedia.runtime import (
    audio_dict_to_numpy,
    execute_pipeline,
    execute_pipeline_with_input,
    get_runtime_version,
    is_available,
    numpy_to_audio_dict,
)

__all__ = [
    "__version__",
    "audio_dict_to_numpy",
    "execute_pipeline",
    "execute_pipeline_with_input",
    "get_runtime_version",
    "is_available",
    "numpy_to_audio_dict",
]

warnings.warn(
    "the module remotemedia_runtime is now remotemedia.runtime: the same functions, import them from there",
    DeprecationWarning,
    stacklevel=2,
)
