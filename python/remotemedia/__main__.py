"""The command line: `remotemedia` and `python -m remotemedia`."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0 fine, 1 the work failed, 2 wrong usage."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        if given[:1] == ["demo"]:
            from remotemedia._demo import main as demo

            return demo(given[1:])
        if given[:1] == ["bench"]:
            from remotemedia._bench import main as bench

            return bench(given[1:])
        from remotemedia._lib import native

        sys.stdout.flush()
        if given[:1] == ["doctor"]:
            from remotemedia.worker import _local

            given = [*given, *_about_python()]
            _local.name_interpreter()
        if "--allow-python" in given:
            _python_possible()
        code = _native(native, given)
        if given in (["--help"], ["-h"], ["help"]):
            print(
                "\nIn this package also:\n  demo      Find speech in a recording and write a report"
                "\n  bench     Time RemoteMedia and the peers that are installed"
            )
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # The reader, such as `head`, has seen enough.
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


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
    import os

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
