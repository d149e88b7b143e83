"""Records of a worker's loggers on their way to the log of its host."""

from __future__ import annotations

import json
import logging
import os

from remotemedia._json import whole_text
from remotemedia._log import LEVELS, level_name

__all__ = ["install"]

_MOST_CHARACTERS = 5_000
"""A line that the host reads whole has room for so many, however they are written."""


class _ToHost(logging.Handler):
    """Writes records to standard error, which the host always reads: as in RFC 7464, JSON behind a separator."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            if len(text) > _MOST_CHARACTERS:
                text = f"{text[:_MOST_CHARACTERS]}... ({len(text)} characters)"
            value = {"level": level_name(record.levelno), "logger": whole_text(record.name), "text": whole_text(text)}
            line = json.dumps(value)
            os.write(2, b"\x1e%s\n" % line.encode())
        except Exception:
            self.handleError(record)


def install(level: str) -> None:
    """Send what is logged at a level of the host's or above, and warnings, to the host."""
    root = logging.getLogger()
    root.addHandler(_ToHost())
    root.setLevel(LEVELS[level])
    logging.captureWarnings(True)
