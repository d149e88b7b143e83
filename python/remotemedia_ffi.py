"""The names published for v0.4 under this module; new code imports `remotemedia.runtime`."""

from __future__ import annotations

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
