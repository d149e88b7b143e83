"""What another language's example has found, against what Python finds: every bit of it.

Usage: same_output.py MANIFEST RECORDING FOLDER. The folder holds, for each result of the manifest, `NODE.PORT.f32` with
the samples (little-endian, interleaved) or `NODE.PORT.jsonl` with one JSON value a line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import remotemedia as rm

manifest, recording, folder = (Path(argument) for argument in sys.argv[1:])
expected = rm.Pipeline(manifest).run(rm.read(recording))
names = {name if "." in name else f"{name}.out": value for name, value in expected.items()}
found = {path.stem: path for path in folder.iterdir()}
assert found.keys() == names.keys(), f"results {sorted(found)}, expected {sorted(names)}"
for name, value in names.items():
    if isinstance(value, rm.Audio):
        theirs = found[name].read_bytes()
        assert theirs == value.samples.astype("<f4").tobytes(), f"{name}: the samples differ"
        assert value.frames > 0, f"{name}: no samples"
    else:
        events = [json.loads(line) for line in found[name].read_text(encoding="utf-8").splitlines()]
        assert events == value, f"{name}: the events differ"
        assert events, f"{name}: no events"
    print(f"{name}: the same as in Python")
