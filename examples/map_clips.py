"""Prepare a folder of recordings: every clip to 16 kHz mono at an even level, on all cores.

Usage: python map_clips.py FOLDER OUT
"""

import sys
from pathlib import Path

import remotemedia as rm

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data"
out = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("prepared")
out.mkdir(exist_ok=True)

paths = sorted(path for path in folder.iterdir() if path.suffix in (".wav", ".flac"))
pipe = rm.Pipeline(
    [
        rm.nodes.AudioChannels(channels=1),
        rm.nodes.AudioResample(target_rate=16000),
        rm.nodes.Gain(gain_db=-3.0),
    ]
)
# A generator: only as many clips are in memory as the cores need.
for path, clip in zip(paths, pipe.map((rm.read(path) for path in paths), progress=True), strict=True):
    rm.write(out / f"{path.stem}.wav", clip)
    print(f"{path.name}: {clip.duration:.2f} s at {clip.sample_rate} Hz")
