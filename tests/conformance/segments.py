"""Writes `segments.txt`: what silero-vad 6.2.1 itself makes of probabilities, with random settings.

    pip download --no-deps silero-vad==6.2.1
    python tests/conformance/segments.py silero_vad-6.2.1-py3-none-any.whl [STREAMS SEED]

With a number of streams and a seed, others than those of the fixture, on stdout. The package's function gets its
probabilities from a model that has them written down, and needs torch only to look at the audio, of which nothing
but the length matters here: stand-ins do for both.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
HEAD = """\
# What silero-vad 6.2.1 itself (get_speech_timestamps) makes of probabilities. segments.py writes this.
# A stream:      p RATE LENGTH PROBABILITIES (two digits for each window of 32 ms, in 256ths)
# With settings: s ENTER EXIT (256ths) MIN_SPEECH MIN_SILENCE PAD MAX_SPEECH (ms, 0: none) START-END ... (samples)
"""


class Sound:
    """Audio without samples."""

    def __init__(self, length: int) -> None:
        self.shape = (length,)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice) -> Sound:
        return Sound(len(range(*part.indices(len(self)))))


class Model:
    """Says what it is told to say."""

    def __init__(self, probabilities: list[float]) -> None:
        self.rest = iter(probabilities)

    def reset_states(self) -> None:
        """Nothing is kept."""

    def __call__(self, _sound: Sound, _rate: int) -> types.SimpleNamespace:
        probability = next(self.rest)
        return types.SimpleNamespace(item=lambda: probability)


def function(wheel: str) -> Callable[..., list[dict[str, int]]]:
    """The package's `get_speech_timestamps`."""
    torch: Any = types.ModuleType("torch")
    torch.Tensor, torch.device, torch.no_grad = Sound, str, lambda: lambda function: function
    torch.is_tensor = lambda sound: isinstance(sound, Sound)
    torch.nn = types.SimpleNamespace(functional=types.SimpleNamespace(pad=lambda sound, _room: sound))
    packaging: Any = types.ModuleType("packaging")
    packaging.version = types.ModuleType("packaging.version")
    sys.modules.update(torch=torch, torchaudio=types.ModuleType("torchaudio"), packaging=packaging)
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, str(Path(archive.extract("silero_vad/utils_vad.py", folder)).parent))
        import utils_vad

        return utils_vad.get_speech_timestamps


def stream(chance: random.Random) -> tuple[int, int, list[int]]:
    """A rate, a length and probabilities: speech with pauses of all lengths, not all of it clear."""
    levels: list[int] = []
    jitter = chance.choice([0, 0, 20, 120])
    longest = chance.choice([4, 12, 40])
    for _ in range(chance.randint(1, 16)):
        level = chance.choice([0, 10, 100, 128, 150, 250, 255])
        run = [level + chance.randint(-jitter, jitter) for _ in range(chance.randint(1, longest))]
        levels.extend(min(max(one, 0), 255) for one in run)
    rate = chance.choice([8_000, 16_000])
    hop = rate * 32 // 1000
    return rate, len(levels) * hop - chance.choice([0, 0, chance.randrange(hop)]), levels


def settings(chance: random.Random) -> tuple[int, ...]:
    """Thresholds in 256ths, then times in milliseconds."""
    enter = chance.choice([128, 128, 100, 200, chance.randint(3, 253)])
    times = [[0, 32, 64, 100, 250, 250, 700], [0, 32, 98, 100, 100, 250, 600, 2000], [0, 30, 30, 30, 100, 250, 1000]]
    most = 0
    if chance.random() < 0.8:
        # Only times whose samples silero-vad, which counts in seconds, has without a rounding error.
        choice = [chance.randint(1, 9_000), chance.randint(200, 2_500), 32 * chance.randint(4, 99)]
        exact = [ms for ms in choice if all(rate * (ms / 1000) == rate // 1000 * ms for rate in (8_000, 16_000))]
        most = chance.choice([*exact, 960])
    return (
        enter,
        chance.choice([enter, max(enter - 38, 3), chance.randint(1, enter)]),
        *map(chance.choice, times),
        most,
    )


def lines(segment: Callable[..., list[dict[str, int]]], streams: int, seed: int) -> list[str]:
    """The table, without its head."""
    chance = random.Random(seed)
    given = [(*stream(chance), 3) for _ in range(streams)]
    recordings = json.loads((HERE / "silero.json").read_text(encoding="utf-8"))["files"]
    for one in recordings.values():
        levels = [min(int(probability * 256), 255) for probability in one["probabilities"]]
        given.append((16_000, len(levels) * 512, levels, 20))
    found = []
    for rate, length, levels, count in given:
        found.append(f"p {rate} {length} {bytes(levels).hex()}")
        for _ in range(count):
            chosen = settings(chance)
            enter, leave, speech, silence, pad, most = chosen
            spans = segment(
                Sound(length),
                Model([level / 256 for level in levels]),
                threshold=enter / 256,
                neg_threshold=leave / 256,
                sampling_rate=rate,
                min_speech_duration_ms=speech,
                min_silence_duration_ms=silence,
                speech_pad_ms=pad,
                max_speech_duration_s=most / 1000 if most else float("inf"),
            )
            words = [*map(str, chosen), *(f"{span['start']}-{span['end']}" for span in spans)]
            found.append(" ".join(["s", *words]))
    return found


def main() -> None:
    """Read the wheel named on the command line."""
    wheel, *rest = sys.argv[1:]
    streams, seed = map(int, rest) if rest else (100, 7)
    text = HEAD + "\n".join(lines(function(wheel), streams, seed)) + "\n"
    if rest:
        sys.stdout.write(text)
    else:
        (HERE / "segments.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
