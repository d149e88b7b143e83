"""RemoteMedia inside of pipecat: resampler, voice activity, audio filter, and a processor that runs a manifest.

It needs ``pip install pipecat-ai`` and was tested with version 1.14.

Examples
--------
Every service of pipecat that resamples takes ours, in one line, before the pipeline is built::

    from remotemedia.integrations import pipecat as remotemedia_pipecat

    remotemedia_pipecat.install()
"""

from __future__ import annotations

from remotemedia.integrations.pipecat.filter import ManifestFilter
from remotemedia.integrations.pipecat.processor import ManifestProcessor, ResultFrame
from remotemedia.integrations.pipecat.resampler import StreamResampler, install, uninstall
from remotemedia.integrations.pipecat.vad import SpeechVADAnalyzer

__all__ = [
    "ManifestFilter",
    "ManifestProcessor",
    "ResultFrame",
    "SpeechVADAnalyzer",
    "StreamResampler",
    "install",
    "uninstall",
]
