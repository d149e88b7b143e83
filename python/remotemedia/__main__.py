"""The command line: `remotemedia` and `python -m remotemedia`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0 fine, 1 the work failed, 2 wrong usage."""
    given = sys.argv[1:] if arguments is None else arguments
    _occupy_standard_streams()
    try:
        if given[:1] == ["demo"]:
            from remotemedia._demo import main as demo

            return _printing(demo, given[1:])
        if given[:1] == ["bench"]:
            from remotemedia._bench import main as bench

            return _printing(bench, given[1:])
        from remotemedia._lib import native

        if sys.stdout is not None:
            sys.stdout.flush()
        if given[:1] == ["doctor"]:
            from remotemedia.worker import _local

            given = [*given, *_about_python()]
            _local.name_interpreter()
        if "--allow-python" in given:
            _python_possible()
        return _native(native, [_argument(one) for one in given])
    except KeyboardInterrupt:
        return 130


def _occupy_standard_streams() -> None:
    """Put something in the place of standard streams that are closed: the next file that is opened would be taken for
    them. What can be neither read nor written fails as a closed one would.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_WRONLY if descriptor == 0 else os.O_RDONLY)


class _LostError(Exception):
    """Standard output takes nothing: ``args[0]`` is why."""


class _Output:
    """Standard output whose failures are told from those of other files."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return int(self._tried(lambda: self._stream.write(text)))

    def flush(self) -> None:
        self._tried(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _tried(self, call: Callable[[], Any]) -> Any:
        if self._stream is None:
            raise _LostError(OSError("it is closed"))
        try:
            return call()
        except OSError as error:
            raise _LostError(error) from None


def _printing(command: Callable[[list[str]], int], arguments: list[str]) -> int:
    """Run a command that prints from Python."""
    stream: Any = sys.stdout
    output: Any = _Output(stream)
    sys.stdout = output
    try:
        code = command(arguments)
        output.flush()
        return code
    except _LostError as lost:
        error = lost.args[0]
        if stream is not None:
            # What waits to be printed would fail once more at the end of the process.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):  # The reader, such as `head`, has seen enough.
            return 0
        print(f"error: standard output cannot be written: {error.strerror or error}", file=sys.stderr)
        return 1
    finally:
        sys.stdout = stream


def _argument(text: str) -> str:
    """Return an argument as native code takes it; a file whose name is not Unicode is not found there."""
    from remotemedia._json import whole_text

    return whole_text(text)


def _native(native: Any, given: list[str]) -> int:
    """Run a command of the core. Ctrl-C ends the process there and then: Python could not act before it returns."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        return int(native.cli_main(given))
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return int(native.cli_main(given))
    finally:
        signal.signal(signal.SIGINT, before)


def _python_possible() -> None:
    """Get ready for nodes that are written in Python: modules are found in the present folder, too."""
    from remotemedia.worker import _local

    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    _local.install()
    _local.name_interpreter()


def _about_python() -> list[str]:
    """Return what `doctor` should say of this Python, as its hidden options."""
    from importlib.metadata import PackageNotFoundError, version

    found = [
        f"ok:Python:{sys.implementation.name} {sys.version.split()[0]}",
        f"ok:numpy:{version('numpy')}",
        f"ok:package:{__file__.rpartition('/')[0]}",
    ]
    try:
        other = version("remotemedia-ffi")
    except PackageNotFoundError:
        pass
    else:
        found.append(f"problem:remotemedia-ffi:{other} is installed too; run: pip uninstall remotemedia-ffi")
    return [f"--also={one}" for one in found]


if __name__ == "__main__":
    sys.exit(main())
