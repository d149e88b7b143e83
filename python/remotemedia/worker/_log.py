"""Records of a worker's loggers on their way to the log of its host."""

from __future__ import annotations

import json
import logging
import os

__all__ = ["install"]

_LEVELS = ((logging.ERROR, "ERROR"), (logging.WARNING, "WARN"), (logging.INFO, "INFO"), (logging.DEBUG, "DEBUG"))
_NUMBERS = {"TRACE": 5, "DEBUG": logging.DEBUG, "INFO": logging.INFO, "WARN": logging.WARNING, "ERROR": logging.ERROR}
_MOST_CHARACTERS = 5_000
"""A line that the host reads whole has room for so many, however they are written."""


class _ToHost(logging.Handler):
    """Writes records to standard error, which the host always reads: as in RFC 7464, JSON behind a separator."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            if len(text) > _MOST_CHARACTERS:
                text = f"{text[:_MOST_CHARACTERS]}... ({len(text)} characters)"
            level = next((name for least, name in _LEVELS if record.levelno >= least), "TRACE")
            value = {"level": level, "logger": record.name, "text": text}
            # JSON has no lone surrogates.
            line = json.dumps({key: text.encode("utf-8", "backslashreplace").decode() for key, text in value.items()})
            os.write(2, b"\x1e%s\n" % line.encode())
        except Exception:
            self.handleError(record)


def install(level: str) -> None:
    """Send what is logged at a level of the host's or above, and warnings, to the host."""
    root = logging.getLogger()
    root.addHandler(_ToHost())
    root.setLevel(_NUMBERS.get(level, logging.INFO))
    logging.captureWarnings(True)
