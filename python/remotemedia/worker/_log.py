"""Records of a worker's loggers on their way to the log of its host."""

from __future__ import annotations

import json
import logging
import os

from remotemedia._json import whole_text
from remotemedia._log import LEVELS, level_name

__all__ = ["install"]

_MOST_BYTES = 8 << 10
"""What the host logs of a record, as of a line."""

_SHOWN_BYTES = _MOST_BYTES - 40
"""What is left of a longer one, so that there is room to say how much is not."""


class _ToHost(logging.Handler):
    """Writes records to standard error, which the host always reads: as in RFC 7464, JSON behind a separator."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = _shortened(whole_text(self.format(record)))
            value = {"level": level_name(record.levelno), "logger": whole_text(record.name), "text": text}
            line = json.dumps(value)
            os.write(2, b"\x1e%s\n" % line.encode())
        except Exception:
            self.handleError(record)


def _shortened(text: str) -> str:
    encoded = text.encode()
    if len(encoded) <= _MOST_BYTES:
        return text
    shown = encoded[:_SHOWN_BYTES].decode(errors="ignore")
    return f"{shown}... ({len(encoded) - len(shown.encode())} bytes more)"


def install(level: str) -> None:
    """Send what is logged at a level of the host's or above, and warnings, to the host."""
    root = logging.getLogger()
    root.addHandler(_ToHost())
    root.setLevel(LEVELS[level])
    logging.captureWarnings(True)
