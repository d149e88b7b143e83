"""Words in messages."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: ``1 channel``, ``2 channels``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
