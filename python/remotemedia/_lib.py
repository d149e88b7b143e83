"""The one door to the native module: its import, its types, its errors.

The generated module is untyped for strict checkers, so what the facade uses of it is written down here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, cast

from remotemedia import errors
from remotemedia._interpreter import take_raised
from remotemedia._native import remotemedia as _generated

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    class Buffers(Protocol):
        """Who has the buffers that an answer names."""

        def raw_buffer(self, buffer: int, owner: int) -> int: ...

    class RawServing(Protocol):
        """The channel of a worker process to its host."""

        def lend(self, number: int, payload_len: int) -> int: ...
        def reply_lent(self, number: int, head: bytes) -> None: ...
        def take_back(self, number: int) -> None: ...

    class NativeLane(Protocol):
        """Staging memory of a session; see ``_lane.py``."""

        def raw_handle(self) -> int: ...
        def raw_input(self, frames: int) -> int: ...
        def raw_output(self) -> int: ...
        def raw_grow(self) -> int: ...
        def raw_flush(self) -> int: ...
        def fail(self) -> None: ...

    class NativeSession(Protocol):
        """One live stream."""

        def raw_handle(self) -> int: ...
        def raw_buffer(self, buffer: int, owner: int) -> int: ...
        def raw_prepare(self) -> None: ...
        def raw_release(self) -> None: ...
        def raw_sources(self) -> list[str]: ...
        def raw_lane(self, dtype: int, channels: int) -> NativeLane: ...
        def raw_cost_ns(self, frames: int) -> float: ...
        def raw_metrics(self) -> str: ...
        def generation(self) -> int: ...
        def held_frames(self) -> int: ...
        def interrupt(self) -> int: ...
        def reset(self) -> None: ...
        def set_param(self, node: str, name: str, value_json: str) -> None: ...
        def shutdown(self) -> None: ...

    class NativeLive(Protocol):
        """A live stream."""

        def raw_handle(self) -> int: ...
        def raw_push(self, batch: bytes, to: int, pts_ticks: int, pts_den: int) -> bool: ...
        def is_finished(self) -> bool: ...
        async def ready(self) -> None: ...
        async def room(self) -> None: ...
        def raw_metrics(self) -> str: ...
        def generation(self) -> int: ...
        def dropped_items(self) -> int: ...
        def dropped_outputs(self) -> int: ...
        def end(self) -> None: ...
        def interrupt(self) -> int: ...
        def reset(self) -> None: ...
        def set_param(self, node: str, name: str, value_json: str) -> None: ...
        def shutdown(self) -> None: ...

    class NativeGroup(Protocol):
        """Many sessions."""

        def raw_handle(self) -> int: ...
        def raw_push(self, batch: bytes, streams: bytes) -> None: ...
        def flush(self, stream: int) -> None: ...
        def reset(self, stream: int) -> None: ...
        def interrupt(self, stream: int) -> None: ...
        def shutdown(self) -> None: ...

    class NativePipeline(Protocol):
        """A compiled manifest."""

        def raw_group(self, config: Any, streams: int) -> NativeGroup: ...

        def live(self, config: Any, queue: int, when_full: Any) -> NativeLive: ...

        def session(self, config: Any) -> NativeSession: ...

        def raw_session_later(self, config: Any) -> NativeSession: ...

        def raw_handle(self) -> int: ...
        def raw_ports(self) -> str: ...
        def raw_runs(self) -> int: ...
        def raw_verify(self, batch: bytes, rounds: int, seed: int, tolerance: float) -> str: ...
        def latency_json(self) -> str: ...
        def copies_json(self) -> str: ...
        def summary(self) -> str: ...
        def formats_json(self) -> str: ...
        def manifest_json(self) -> str: ...
        def warnings(self) -> Iterable[NativeProblem]: ...

    class NativeAudioBuffer(Protocol):
        """Decoded audio in native memory."""

        def frames(self) -> int: ...
        def sample_rate_hz(self) -> int: ...
        def channels(self) -> int: ...
        def raw_export(self, owner: int) -> int: ...

    class NativeAudioInfo(Protocol):
        """What the header of an audio file says."""

        sample_rate_hz: int
        channels: int
        frames: int
        container: str
        subtype: str

    class NativeAudioReader(Protocol):
        """An audio file that is read piece by piece."""

        def info(self) -> NativeAudioInfo: ...
        def read(self, frames: int) -> NativeAudioBuffer | None: ...

    class NativeProblem(Protocol):
        """One problem of a manifest."""

        code: str
        severity: str
        path: str
        reason: str
        found: str | None
        expected: str | None
        nearest: str | None
        fix: str | None
        node: str | None
        line: int | None
        column: int | None
        end_column: int | None
        excerpt: str | None


__all__ = ["NativeError", "native", "problem", "reraise", "version"]

native: Any = cast("Any", _generated)
"""The generated module."""

NativeError: tuple[type[Exception], ...] = (native.RemoteMediaError, native.InternalError)
"""What native calls raise: catch it, hand it to `reraise`."""

version: str = native.version()

_KINDS: dict[str, type[errors.RemoteMediaError]] = {
    "Manifest": errors.ManifestError,
    "Format": errors.FormatError,
    "InputType": errors.InputTypeError,
    "InputValue": errors.InputValueError,
    "Node": errors.NodeError,
    "WorkerStart": errors.WorkerStartError,
    "WorkerCrashed": errors.WorkerCrashedError,
    "Timeout": errors.TimeoutError,
    "Closed": errors.ClosedError,
    "Busy": errors.BusyError,
    "Full": errors.FullError,
    "Io": errors.IoError,
    "Unsupported": errors.UnsupportedError,
    "Internal": errors.InternalError,
}


class _Text(native._UniffiFfiConverterString):  # type: ignore[misc]
    """The one place where text goes to native code, whatever call it is for: only Unicode does."""

    @staticmethod
    def check_lower(value: object) -> object:
        _utf8(value)
        return value

    @staticmethod
    def lower(value: object) -> Any:
        with native._UniffiRustBuffer.alloc_with_builder() as builder:
            builder.write(_utf8(value))
            return builder.finalize()

    @staticmethod
    def write(value: object, buf: Any) -> None:
        text = _utf8(value)
        buf.write_i32(len(text))
        buf.write(text)


def _utf8(value: object) -> bytes:
    if not isinstance(value, str):
        raise errors.InputTypeError(f"a value of type {type(value).__name__} is given, expected str")
    try:
        # What a subclass makes of itself does not count.
        return str.encode(value)
    except UnicodeEncodeError as error:
        raise errors.InputValueError(f"the text has a lone surrogate at character {error.start}") from None


# Generated code finds it by this name.
native._UniffiFfiConverterString = _Text


def problem(raw: NativeProblem) -> errors.Problem:
    """Turn a native record into our own."""
    return errors.Problem(
        raw.code,
        raw.severity,
        raw.path,
        raw.reason,
        raw.found,
        raw.expected,
        raw.nearest,
        raw.fix,
        raw.node,
        raw.line,
        raw.column,
        raw.end_column,
        raw.excerpt,
    )


def translate(error: Exception) -> errors.RemoteMediaError:
    """Turn what a native call raised into the error users see."""
    info: Any = getattr(error, "info", None)
    if info is None:
        return errors.InternalError(f"{error}; please report this")
    kind = _KINDS.get(type(error).__name__, errors.InternalError)
    if kind is errors.IoError:
        return errors.io_kind(info.os_error)(
            info.reason, code=info.code, path=info.path, hint=info.hint, number=info.os_error
        )
    return kind(
        info.reason,
        code=info.code,
        node=info.node,
        path=info.path,
        hint=info.hint,
        item_index=info.item_index,
        problems=[problem(one) for one in info.problems],
    )


def reraise(error: Exception) -> NoReturn:
    """Raise what users see, without the native error behind it; or what has interrupted the call, such as Ctrl-C."""
    raised = take_raised()
    if raised is not None:
        raise raised
    raise translate(error) from None
