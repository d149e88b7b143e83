"""Media pipelines (speech, music, video) at native speed, on numpy arrays.

>>> import numpy as np
>>> import remotemedia as rm
>>> y = rm.resample(np.zeros(48000, np.float32), 48000, 16000)
>>> y.shape
(16000,)

`Pipeline` runs a manifest; `read`, `write`, `info`, `resample` and `speech_segments` are the everyday calls;
`remotemedia.nodes` builds nodes; `remotemedia.runtime` is the API published for v0.4.
"""

from __future__ import annotations

import sys as _sys

if _sys.implementation.name != "cpython":
    raise ImportError(f"remotemedia is tested on CPython alone, and this is {_sys.implementation.name}")
if not getattr(_sys, "_is_gil_enabled", lambda: True)():
    raise ImportError("remotemedia is not tested without the GIL; run this Python with PYTHON_GIL=1")

from remotemedia import errors, nodes, runtime, testing
from remotemedia._audio import Audio
from remotemedia._audio_io import AudioInfo, info, read, write
from remotemedia._dsp import ResampleStream, SpeechSegment, resample, speech_segments
from remotemedia._formats import AudioFormat, VideoFormat
from remotemedia._group import GroupOutput, SessionGroup
from remotemedia._lib import version as __version__
from remotemedia._log import log_to_python
from remotemedia._output import Output
from remotemedia._pipeline import Pipeline
from remotemedia._plan import CopyPlace, NodeLatency, PathLatency
from remotemedia._python_node import empty, node
from remotemedia._session import Session
from remotemedia._session_stream import SessionStream
from remotemedia._stream import AudioStream, stream
from remotemedia._verify import Certificate, VerifyCase, verify
from remotemedia._video import VideoFrame
from remotemedia.errors import (
    AssumedFormatWarning,
    BusyError,
    ClosedError,
    FormatError,
    FullError,
    InputTypeError,
    InputValueError,
    InternalError,
    IoError,
    ManifestError,
    ManifestWarning,
    NodeError,
    Problem,
    RemoteMediaError,
    RemoteMediaWarning,
    TimeoutError,
    UnhandledKindWarning,
    UnsupportedError,
    WorkerCrashedError,
    WorkerStartError,
)

__all__ = [
    "AssumedFormatWarning",
    "Audio",
    "AudioFormat",
    "AudioInfo",
    "AudioStream",
    "BusyError",
    "Certificate",
    "ClosedError",
    "CopyPlace",
    "FormatError",
    "FullError",
    "GroupOutput",
    "InputTypeError",
    "InputValueError",
    "InternalError",
    "IoError",
    "ManifestError",
    "ManifestWarning",
    "NodeError",
    "NodeLatency",
    "Output",
    "PathLatency",
    "Pipeline",
    "Problem",
    "RemoteMediaError",
    "RemoteMediaWarning",
    "ResampleStream",
    "Session",
    "SessionGroup",
    "SessionStream",
    "SpeechSegment",
    "TimeoutError",
    "UnhandledKindWarning",
    "UnsupportedError",
    "VerifyCase",
    "VideoFormat",
    "VideoFrame",
    "WorkerCrashedError",
    "WorkerStartError",
    "__version__",
    "empty",
    "errors",
    "info",
    "log_to_python",
    "node",
    "nodes",
    "read",
    "resample",
    "runtime",
    "speech_segments",
    "stream",
    "testing",
    "verify",
    "write",
]


def __dir__() -> list[str]:
    """Return what is meant to be used: completion shows nothing else."""
    return sorted(__all__)


def _finish_import() -> None:
    """Name the public classes and functions by their public place; look for the other distribution."""
    import os

    for name, member in list(globals().items()):
        if name in __all__ and getattr(member, "__module__", "").startswith("remotemedia._"):
            member.__module__ = "remotemedia"
    folder = os.path.dirname(__file__)
    if any(os.path.exists(os.path.join(folder, name)) for name in ("runtime.abi3.so", "runtime.pyd")):
        import warnings

        warnings.warn(
            "the distribution remotemedia-ffi is installed in the same folder as remotemedia; "
            "run: pip uninstall remotemedia-ffi",
            RemoteMediaWarning,
            stacklevel=3,
        )


_finish_import()
