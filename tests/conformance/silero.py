"""Writes `silero.json`: what silero-vad 6.2.3 itself says of recordings of `examples/data`, run on onnxruntime.

    pip install numpy onnxruntime soundfile && pip download --no-deps silero-vad==6.2.3
    python tests/conformance/silero.py silero_vad-6.2.3-py3-none-any.whl [RECORDING...]

Recordings of 16 kHz, one channel; without any, those of the fixture. The package needs torch only for its tensors, so
that a stand-in does.
"""

import json
import sys
import tempfile
import types
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile

ROOT = Path(__file__).parents[2]
MODEL = "silero_vad/data/silero_vad_16k_op15.onnx"
CUT = (
    {"max_speech_ms": 2000},
    {"max_speech_ms": 5000, "min_silence_ms": 600, "pad_start_ms": 300, "pad_end_ms": 300},
    {"min_silence_ms": 0, "pad_start_ms": 200, "pad_end_ms": 200},
)
"""Parameters of `SpeechVAD` with segments that are cut, or whose padding meets."""


def probabilities(model: bytes, x: np.ndarray) -> list[float]:
    """The probability of each window of 512 samples, the last one filled up with zeros."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    x = np.pad(x, (0, -len(x) % 512))
    state, context, found = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32), []
    for start in range(0, len(x), 512):
        window = np.concatenate([context, x[None, start : start + 512]], axis=1)
        output, state = session.run(None, {"input": window, "state": state, "sr": np.array(16_000, np.int64)})
        context = window[:, -64:]
        found.append(float(output[0, 0]))
    return found


def segmenter(wheel: zipfile.ZipFile):
    """The package's `get_speech_timestamps_from_probs`."""
    stand_in = types.ModuleType("torch")
    stand_in.Tensor, stand_in.device, stand_in.no_grad = np.ndarray, str, lambda: lambda function: function
    sys.modules.update(torch=stand_in, torchaudio=types.ModuleType("torchaudio"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(wheel.extract("silero_vad/utils_vad.py", folder)).parent
        sys.path.insert(0, str(path))
        import utils_vad  # noqa: PLC0415

        return utils_vad.get_speech_timestamps_from_probs


def cut(segment, p: list[float], frames: int) -> list[dict[str, object]]:
    """Segments with the parameters of `CUT`."""
    found = []
    for params in CUT:
        spans = segment(
            p,
            sampling_rate=16_000,
            audio_length_samples=frames,
            min_silence_duration_ms=params.get("min_silence_ms", 100),
            speech_pad_ms=params.get("pad_start_ms", 30),
            max_speech_duration_s=params.get("max_speech_ms", float("inf")) / 1000,
        )
        found.append({"params": params, "segments": [[int(one["start"]), int(one["end"])] for one in spans]})
    return found


def main() -> None:
    """Read the wheel named on the command line."""
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        model, segment = wheel.read(MODEL), segmenter(wheel)
    given = [Path(name) for name in sys.argv[2:]]
    names = given or [ROOT / "examples/data" / name for name in ("jfk.wav", "librivox_ss_a.wav")]
    files = {}
    for path in names:
        x, rate = soundfile.read(path, dtype="float32")
        if rate != 16_000 or x.ndim != 1:
            raise SystemExit(f"{path}: {rate} Hz, {x.ndim} axes, expected 16,000 Hz mono")
        p = probabilities(model, x)
        spans = segment(p, sampling_rate=16_000, audio_length_samples=len(x))
        files[path.name] = {
            "segments": [[int(one["start"]), int(one["end"])] for one in spans],
            "cut": cut(segment, p, len(x)),
            "probabilities": [round(one, 7) for one in p],
        }
    if given:
        print(json.dumps({name: one["segments"] for name, one in files.items()}, indent=1))
        return
    text = json.dumps({"source": f"silero-vad 6.2.3, {MODEL}, onnxruntime {onnxruntime.__version__}", "files": files})
    (Path(__file__).parent / "silero.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
