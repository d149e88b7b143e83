"""The command line: `remotemedia` and `python -m remotemedia`."""

from __future__ import annotations

import sys

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
        code = int(native.cli_main(given))
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


if __name__ == "__main__":
    sys.exit(main())
