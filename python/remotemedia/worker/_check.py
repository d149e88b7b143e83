"""What `remotemedia doctor` runs in a worker process."""

from __future__ import annotations

__all__ = ["Echo"]


class Echo:
    """Gives back what it gets."""

    def process(self, data: object) -> object:
        return data
