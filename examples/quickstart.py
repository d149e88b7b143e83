"""Where somebody speaks in a recording, and the recording at another rate, softer. No JSON."""

from __future__ import annotations

from pathlib import Path

import remotemedia as rm

clip = Path(__file__).parent / "data" / "jfk.wav"
audio = rm.read(clip, sample_rate=16000, mono=True)
for s in rm.speech_segments(audio):
    print(f"speech from {s.start:.2f} to {s.end:.2f} s, probability {s.probability:.2f}")

pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=8000), rm.nodes.Gain(gain_db=-6.0)])
quiet = pipe.run(audio)
rm.write("quiet.wav", quiet, subtype="PCM_16")
print(quiet)
