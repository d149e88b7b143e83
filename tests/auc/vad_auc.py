"""How well the voice detectors tell speech from noise: the area under the ROC curve over 17 conditions.

    apt-get download asterisk-core-sounds-{en,es,fr,it,ru}-g722 asterisk-moh-opsound-g722
    pip install av onnxruntime remotemedia && pip install --no-deps silero-vad==6.2.3
    python tests/auc/vad_auc.py FOLDER

FOLDER has the packages; nothing of them is in this repository (CC BY-SA 3.0). One speaker of each language,
prompts of at least 2 s with pauses between them, 95 s each. A frame of 10 ms is speech where the clean signal is within 30 dB of the loud parts,
and no speech where it is 50 dB below them for 50 ms around; what lies between is not scored. Studio speech flatters every detector: the figures rank them, they do not say how good they are on a telephone.
"""

import io
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np

import remotemedia as rm

RATE = 16_000
SECONDS = 95
LEVELS_DB = (20, 10, 5, 0)
HOP = 160


def decode(path: Path) -> np.ndarray:
    """Decode raw G.722."""
    with av.open(io.BytesIO(path.read_bytes()), format="g722") as container:
        frames = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32) / 32768 if frames else np.zeros(0, np.float32)


def prompts(folder: Path, rng: np.random.Generator) -> np.ndarray:
    """Prompts of a speaker with pauses of 0.3 to 1.2 s, up to the length wanted."""
    parts, total = [], 0
    # Sentences: single letters and digits are another task.
    files = [path for path in sorted(folder.rglob("*.g722")) if path.stat().st_size > 2 * 8_000]
    for index in rng.permutation(len(files)):
        if "silence" in str(files[index]):
            continue
        for part in (decode(files[index]), np.zeros(int(rng.uniform(0.3, 1.2) * RATE), np.float32)):
            parts.append(part)
            total += len(part)
        if total >= SECONDS * RATE:
            return np.concatenate(parts)[: SECONDS * RATE]
    raise SystemExit(f"{folder}: {total / RATE:.0f} s of prompts, expected {SECONDS}")


def truth(clean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which frames of 10 ms are speech, and which are scored."""
    level = np.sqrt(np.mean(clean[: len(clean) // HOP * HOP].reshape(-1, HOP) ** 2, axis=1))
    loud = np.percentile(level, 95)
    speech = level > loud * 10 ** (-30 / 20)
    around = np.max([np.roll(level, shift) for shift in range(-5, 6)], axis=0)
    return speech, speech | (around < loud * 10 ** (-50 / 20))


def noises(length: int, music: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Four kinds of noise."""
    white = rng.standard_normal(length)
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    clicks = np.zeros(length)
    clicks[rng.integers(0, length, length // 4000)] = rng.standard_normal(length // 4000) * 20
    impulsive = np.convolve(clicks, np.exp(-np.arange(400) / 60) * rng.standard_normal(400))[:length]
    return {"white": white, "pink": np.fft.irfft(spectrum, length), "music": np.resize(music, length), "impulsive": impulsive}


def auc(score: np.ndarray, speech: np.ndarray) -> float:
    """The probability that a frame of speech has a higher score than one without."""
    order = np.argsort(score, kind="stable")
    ranks = np.empty(len(score))
    values, start = score[order], 0
    while start < len(values):
        end = np.searchsorted(values, values[start], side="right")
        ranks[order[start:end]] = (start + end + 1) / 2
        start = end
    positive = speech.sum()
    return float((ranks[speech].sum() - positive * (positive + 1) / 2) / (positive * (len(speech) - positive)))


def ours(model: str, rate: int = RATE):
    """`SpeechVAD`, at its own rate or at another one."""
    hop = HOP * rate // RATE
    nodes = [{"id": "vad", "node_type": "SpeechVAD", "params": {"model": model}}]
    pipe = rm.Pipeline({"version": "v1", "metadata": {"name": "auc"}, "nodes": nodes, "outputs": ["vad.probability"]})

    def score(x: np.ndarray) -> np.ndarray:
        found = np.zeros(len(x) // HOP)
        for one in pipe.run(rm.Audio(rm.resample(x, RATE, rate), rate)):
            found[-(-one["sample"] // hop) : -(-one["end_sample"] // hop)] = one["probability"]
        return found

    return score


def rms(x: np.ndarray) -> np.ndarray:
    """The level alone."""
    return np.sqrt(np.mean(x[: len(x) // HOP * HOP].reshape(-1, HOP) ** 2, axis=1))


def onnx():
    """The package's own network."""
    import onnxruntime

    folder = Path(find_spec("silero_vad").submodule_search_locations[0])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "data/silero_vad_16k_op15.onnx"), options)

    def score(x: np.ndarray) -> np.ndarray:
        found = np.zeros(len(x) // HOP)
        state, context = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32)
        for at in range(0, len(x) - 511, 512):
            window = np.concatenate([context, x[None, at : at + 512]], axis=1)
            p, state = session.run(None, {"input": window, "state": state, "sr": np.array(RATE, np.int64)})
            context = window[:, -64:]
            found[-(-at // HOP) : -(-(at + 512) // HOP)] = p[0, 0]
        return found

    return score


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as place:
        for package in sorted(Path(sys.argv[1]).glob("asterisk-*.deb")):
            subprocess.run(["dpkg-deb", "-x", package, Path(place) / package.name.split("_")[0]], check=True)
        speakers = sorted(Path(place).glob("asterisk-core-sounds-*"))
        clean = np.concatenate([prompts(speaker, rng) for speaker in speakers])
        music = np.concatenate([decode(one) for one in sorted(Path(place).rglob("moh/*.g722"))[:3]])
    speech, scored = truth(clean)
    active = clean[: len(speech) * HOP].reshape(-1, HOP)[speech]
    conditions = {"clean": clean}
    for name, noise in noises(len(clean), music, rng).items():
        for level in LEVELS_DB:
            gain = np.sqrt(np.mean(active**2) / np.mean(noise**2)) * 10 ** (-level / 20)
            conditions[f"{name}_{level}"] = np.clip(clean + gain * noise, -1, 1).astype(np.float32)
    detectors = {"silero": ours("silero"), "onnxruntime": onnx(), "silero, 8 kHz": ours("silero", 8000)}
    detectors |= {"earshot": ours("earshot"), "earshot, 8 kHz": ours("earshot", 8000), "rms": rms}
    print(f"{len(clean) / RATE:.0f} s, {speech.mean():.0%} speech, {scored.mean():.0%} scored\n\n| condition | " + " | ".join(detectors) + " |")
    print("|---" * (len(detectors) + 1) + "|")
    table = []
    for name, x in conditions.items():
        table.append([auc(score(x)[: len(speech)][scored], speech[scored]) for score in detectors.values()])
        print(f"| {name} | " + " | ".join(f"{one:.4f}" for one in table[-1]) + " |")
    print("| mean | " + " | ".join(f"{one:.4f}" for one in np.mean(table, axis=0)) + " |")


if __name__ == "__main__":
    main()
