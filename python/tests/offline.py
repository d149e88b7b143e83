"""The core of the package, for a process without a network: run by `cargo xtask test` in an empty network namespace.

Not a test of pytest: it prints what it saw and ends with 0, or with an error.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import tempfile
from pathlib import Path

import numpy as np


def main() -> None:
    """Use everything, and see to it that nothing asks for a connection."""
    asked: list[str] = []

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        # asyncio's own pair of sockets wakes its loop; it is no network.
        if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto"):
            asked.append(f"{event} {arguments}")

    sys.addaudithook(audit)
    import remotemedia as rm
    from remotemedia.runtime import execute_pipeline_with_input

    x = (0.1 * np.sin(np.arange(96_000) * 0.05)).astype(np.float32)
    assert rm.resample(x, 48_000, 16_000).shape == (32_000,)
    audio = rm.Audio(x, 48_000)
    pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=16_000), rm.nodes.AudioLevel(), rm.nodes.SpeechVAD()])
    assert len(pipe.map([audio] * 4)) == 4
    rm.speech_segments(audio)
    manifest = json.dumps({"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}]})
    assert asyncio.run(execute_pipeline_with_input(manifest, ["x"])) == "x"
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("wav", "flac"):
            rm.write(Path(folder) / f"a.{suffix}", audio)
            assert rm.read(Path(folder) / f"a.{suffix}").frames == 96_000
    assert asked == [], asked
    interfaces = [name for _, name in socket.if_nameindex()]
    print(f"everything works with the network interfaces {interfaces or 'none'}, and no connection was asked for")


if __name__ == "__main__":
    main()
