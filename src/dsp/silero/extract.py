"""Writes `weights.bin` from the PyPI package silero-vad: run once, by hand, when the package is to be updated.

    pip install numpy onnx && pip download --no-deps silero-vad==6.2.3
    python src/dsp/silero/extract.py silero_vad-6.2.3-py3-none-any.whl

The file holds float32, one tensor after another in the order of `TENSORS`, each in C order, a seventh smaller than they
are: `packed` says how. The basis of the
short-time Fourier transform is left out but for its window, after it was compared with window * cos and window * sin.
"""

import hashlib
import io
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

MODEL = "silero_vad/data/silero_vad_16k_op15.onnx"
# The package has other files of this kind with other weights.
MODEL_SHA256 = "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49"
BASIS = ("model.stft.forward_basis_buffer", (258, 1, 256))
TENSORS = [
    ("model.encoder.0.reparam_conv.weight", (128, 129, 3)),
    ("model.encoder.0.reparam_conv.bias", (128,)),
    ("model.encoder.1.reparam_conv.weight", (64, 128, 3)),
    ("model.encoder.1.reparam_conv.bias", (64,)),
    ("model.encoder.2.reparam_conv.weight", (64, 64, 3)),
    ("model.encoder.2.reparam_conv.bias", (64,)),
    ("model.encoder.3.reparam_conv.weight", (128, 64, 3)),
    ("model.encoder.3.reparam_conv.bias", (128,)),
    ("model.decoder.rnn.weight_ih", (512, 128)),
    ("model.decoder.rnn.weight_hh", (512, 128)),
    ("model.decoder.rnn.bias_ih", (512,)),
    ("model.decoder.rnn.bias_hh", (512,)),
    ("model.decoder.decoder.2.weight", (1, 128, 1)),
    ("model.decoder.decoder.2.bias", (1,)),
]


def constants(graph: onnx.GraphProto, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Gather the initialisers and constants of a graph and of all graphs inside of it, by name."""
    for tensor in graph.initializer:
        found[tensor.name] = numpy_helper.to_array(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                found[node.output[0]] = numpy_helper.to_array(attribute.t)
            if attribute.HasField("g"):
                constants(attribute.g, found)
            for inner in attribute.graphs:
                constants(inner, found)
    return found


def one(found: dict[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the one tensor whose name ends so, with its shape checked."""
    match = [tensor for key, tensor in found.items() if key == name or key.endswith(name)]
    if len(match) != 1 or match[0].shape != shape or match[0].dtype != np.float32:
        raise SystemExit(f"{name}: expected one float32 tensor of {shape}, found {[(t.shape, t.dtype) for t in match]}")
    return match[0]


def window(basis: np.ndarray) -> np.ndarray:
    """Return the window of the basis, which must be window * cos and window * sin."""
    window = basis[0, 0]
    angle = 2 * np.pi * np.arange(129)[:, None] * np.arange(256) / 256
    for rows, wave in ((basis[:129, 0], np.cos(angle)), (basis[129:, 0], np.sin(angle))):
        difference = np.abs(np.abs(rows) - np.abs(window * wave)).max()
        if difference > 1e-6:
            raise SystemExit(f"the basis is not that of a windowed transform: {difference}")
    return window


def packed(values: np.ndarray) -> bytes:
    """Return the values with their exponents apart, which alone can be compressed.

    First the number of bytes of the exponents, 32 bits; the exponents, a byte each, as a zlib stream; then three bytes
    of each value: 23 bits of the significand and the sign. All little-endian.
    """
    bits = values.astype("<f4").view("<u4")
    exponents = zlib.compress(((bits >> 23) & 0xFF).astype(np.uint8).tobytes(), 9)
    rest = (bits & 0x7FFFFF) | (bits >> 31 << 23)
    rest = rest.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3]
    return len(exponents).to_bytes(4, "little") + exponents + rest.tobytes()


def main() -> None:
    """Read the wheel named on the command line and write the weights beside this file."""
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        model = wheel.read(MODEL)
        licence = next(name for name in wheel.namelist() if name.endswith("licenses/LICENSE"))
        text = wheel.read(licence)
    if hashlib.sha256(model).hexdigest() != MODEL_SHA256:
        raise SystemExit(f"{MODEL} is not the file that this script knows")
    found = constants(onnx.load_model(io.BytesIO(model)).graph, {})
    parts = [window(one(found, *BASIS)), *(one(found, *tensor) for tensor in TENSORS)]
    data = packed(np.concatenate([part.ravel() for part in parts]))
    here = Path(__file__).parent
    (here / "weights.bin").write_bytes(data)
    (here / "LICENSE-silero-vad").write_bytes(text)
    print(f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
