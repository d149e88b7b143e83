"""Speech recognition in a worker process: the VAD finds speech, pocketsphinx says what it is.

    pip install "./python[asr]"      # in a checkout
    python examples/asr.py [FILE]

The recogniser has its own interpreter: its work never holds up this one, and if it crashes, this program gets an error
that says so. Its model is in the wheel of pocketsphinx.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import remotemedia as rm

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDING = Path(__file__).parent / "data" / "librivox_ss_a.flac"


@rm.node(input=rm.AudioFormat(16000, 1), output="json")
class SpeechRecognizer:
    """Writes down what is said in each piece of speech, with the time of each word in seconds from its start."""

    def setup(self) -> None:
        """Load the model. Each stream has a decoder of its own."""
        from pocketsphinx import Decoder  # type: ignore[import-untyped,import-not-found,unused-ignore]

        self._decoder: Any = Decoder(samprate=16000, loglevel="FATAL")

    def reset(self) -> None:
        """Forget what was heard."""
        self.setup()

    def process(self, audio: rm.Audio) -> dict[str, Any] | None:
        """Return the words of a piece of speech; None when there are none."""
        self._decoder.start_utt()
        pcm = np.round(audio.samples * 32767).clip(-32768, 32767).astype(np.int16)
        self._decoder.process_raw(pcm.tobytes(), full_utt=True)
        self._decoder.end_utt()
        words = [
            {
                "word": word.word.partition("(")[0],
                "start": word.start_frame / 100,
                "end": (word.end_frame + 1) / 100,
            }
            for word in self._decoder.seg() or ()
            if not word.word.startswith(("<", "["))
        ]
        return {"text": " ".join(word["word"] for word in words), "words": words} if words else None


PIPELINE = {
    "version": "v1",
    "metadata": {"name": "speech recognition"},
    "nodes": [
        {"id": "mono", "node_type": "AudioChannels", "params": {"channels": 1}},
        {"id": "rate", "node_type": "AudioResample", "params": {"target_rate": 16000}},
        {"id": "vad", "node_type": "SpeechVAD"},
        {
            "id": "cut",
            "node_type": "Segmenter",
            "params": {"pad_start_ms": 400, "pad_end_ms": 200},
        },
        {
            "id": "words",
            "node_type": "SpeechRecognizer",
            "execution": {"placement": "process", "frame_timeout_ms": 120_000},
        },
    ],
    "connections": [
        {"from": "mono", "to": "rate"},
        {"from": "rate", "to": "vad"},
        {"from": "vad", "to": "cut", "to_port": "in"},
        {"from": "vad", "from_port": "probability", "to": "cut", "to_port": "vad"},
        {"from": "cut", "from_port": "segments", "to": "words"},
    ],
    "outputs": ["words"],
}


def recognized(audio: rm.Audio) -> Iterator[tuple[float, dict[str, Any]]]:
    """Yield where each piece of speech starts, in seconds, and its words."""
    with rm.Pipeline(PIPELINE).session(input=rm.AudioFormat(audio.sample_rate, audio.channels)) as session:
        tenth = audio.sample_rate // 10
        frames = (audio[start : start + tenth] for start in range(0, audio.frames, tenth))
        for out in session.stream(frames):
            yield float(out.pts), out.data


def main() -> None:
    """Print the words of a file, each with its time."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDING
    for start, piece in recognized(rm.read(path)):
        print(f"{start:7.2f} s  {piece['text']}")
        for word in piece["words"]:
            print(f"    {start + word['start']:7.2f} - {start + word['end']:7.2f}  {word['word']}")


if __name__ == "__main__":
    main()
