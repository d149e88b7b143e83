"""The end of a session whose rest nobody wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remotemedia._session import Session

__all__ = ["discard"]


def discard(session: Session | None) -> None:
    """Throw away what a session holds back, and close it."""
    if session is not None:
        # Not `reset`: a call may be under way in another thread.
        session.interrupt()
        session.close()
