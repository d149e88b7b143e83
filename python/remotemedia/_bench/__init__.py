"""`remotemedia bench`: ours and the peers that are installed, interleaved in one run."""

from remotemedia._bench.command import main

__all__ = ["main"]
