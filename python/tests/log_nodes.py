"""Nodes that log."""

from __future__ import annotations

import logging
import os
import sys
import time
import warnings
from typing import Any

log = logging.getLogger(__name__)


class Says:
    def setup(self) -> None:
        log.info("setup %d %%", 50)

    def process(self, data: Any) -> None:
        if isinstance(data, dict):
            for level, text in data.items():
                getattr(log, level)(text)
        elif data == "print":
            # Two pipes, in whatever order they are read.
            print("on stdout", flush=True)
            print("on stderr", file=sys.stderr, flush=True)
        elif data == "warn":
            warnings.warn("careful", UserWarning, stacklevel=1)
        elif data == "exception":
            try:
                1 / 0  # noqa: B018
            except ZeroDivisionError:
                log.exception("it failed")
        elif data == "partial":
            print("no end", file=sys.stderr, end="", flush=True)
            log.info("a record")
        elif data == "long":
            log.info("\U0001f3b5" * 100_000)
        elif data == "broken":
            os.write(2, b"\x1enot json\n")
        elif data == "odd":
            log.info("a\nb\x1ec \U0001f3b5")
        elif data == "surrogate":
            log.info("\udce9")
        elif data == "much":
            for number in range(400):
                log.info("%d", number)
            log.error("at last")
        elif data == "die":
            for text in ("about to", "end"):
                log.error(text)
            os._exit(3)


class Hangs:
    def setup(self) -> None:
        for percent in (10, 20):
            log.error("%d %%", percent)
        time.sleep(60)

    def process(self, data: Any) -> None: ...
