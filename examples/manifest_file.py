"""A pipeline from a JSON file: what it expects, what it gives, and what happens when it is wrong."""

from __future__ import annotations

from pathlib import Path

import remotemedia as rm

here = Path(__file__).parent

pipe = rm.Pipeline(here / "manifests" / "two_branches.json")
print(pipe)
audio = rm.read(here / "data" / "film_bbb_stereo.wav")
results = pipe.run(audio)
for name, result in results.items():
    print(f"{name}: {result}")

speech = rm.Pipeline(here / "manifests" / "speech.json")
results = speech.run(audio)
print(sorted(results), f"{len(results['level.events'])} levels")

try:
    rm.Pipeline({"version": "v1", "nodes": [{"id": "a", "node_type": "AudioResampel"}]})
except rm.ManifestError as error:
    print(error)
