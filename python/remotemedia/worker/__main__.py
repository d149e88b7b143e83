"""A worker process. The native library starts it, with the modules of its host."""

from __future__ import annotations

import json
import os
import signal
import sys

__all__: list[str] = []


def main() -> int:
    """Serve the node that the first line of standard input names, until the host says stop or is gone."""
    text = sys.stdin.readline()
    # Ctrl-C is for the host, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Standard input is open as long as the host lives. The node must not read from it.
    life_line = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]

    from remotemedia import _python_node
    from remotemedia._lib import native, version
    from remotemedia.errors import RemoteMediaError
    from remotemedia.worker import _log
    from remotemedia.worker._instances import Instances, Requests
    from remotemedia.worker._lent import Lender

    try:
        serving = native.RawServing(text, f"/dev/fd/{life_line}")
    except native.RemoteMediaError as error:
        sys.stderr.write(f"{error.info.reason}\n")
        return 2
    os.close(life_line)
    first = json.loads(text)
    _log.install(first["log_level"])
    # One request is being looked at, and one more must have room.
    most_kept = max(1, first["frames"] - 2)
    lender = _python_node.lender = Lender(serving)
    instances = Instances(serving.raw_handle(), first["class"], serving, bool(first["copy_inputs"]), most_kept, lender)
    python = ".".join(map(str, sys.version_info[:3]))
    instances.hello({"pid": os.getpid(), "version": version, "python": python})

    requests = Requests(serving.raw_handle())
    found, answer = requests.found, instances.answer
    while not instances.stopped:
        if not requests.next():
            try:
                serving.fail()
            except native.RemoteMediaError as error:
                raise RemoteMediaError(error.info.reason) from None
        answer(found[0], found[1], found[2])
    sys.stdout.flush()
    sys.stderr.flush()
    # Views may still look at shared memory: nothing is unmapped under them.
    serving.exit(0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
