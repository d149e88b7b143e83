"""Scales frames of video with numpy alone."""

from __future__ import annotations

import numpy as np

import remotemedia as rm

height, width = 216, 384
down, across = np.mgrid[0:height, 0:width]
picture = np.stack([down * 255 // height, across * 255 // width, (down + across) % 256], axis=-1).astype(np.uint8)

pipe = rm.Pipeline([rm.nodes.VideoScale(width=192, height=108)])
frames = [rm.VideoFrame(np.roll(picture, 8 * step, axis=1)) for step in range(5)]
for small in pipe.run(*frames):
    print(small, f"mean {small.data.mean():.1f}")
