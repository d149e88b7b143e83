"""The calls of the README published for v0.4, as printed there."""

from __future__ import annotations

import asyncio
import json
import warnings
from typing import Any

import numpy as np

from remotemedia.runtime import (
    audio_dict_to_numpy,
    execute_pipeline,
    execute_pipeline_with_input,
    get_runtime_version,
    is_available,
    numpy_to_audio_dict,
)


async def main() -> None:
    manifest: dict[str, Any] = {
        "version": "v1",
        "metadata": {"name": "audio_processing"},
        "nodes": [
            {
                "id": "resample",
                "node_type": "AudioResample",
                "params": {"target_rate": 16000},
            }
        ],
        "connections": [],
    }
    manifest_json = json.dumps(manifest)

    # Basic pipeline execution: nothing goes in, so nothing comes out.
    print(await execute_pipeline(manifest_json))

    # With input data. Text is not what a resampler takes: it passes, with one warning.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = await execute_pipeline_with_input(manifest_json, input_data=["Hello, world!"], enable_metrics=True)
        print(result["outputs"], result["metrics"]["node_metrics"][0]["node_id"])

        # A bare array is taken as 48 kHz, with one warning.
        audio_frame = np.zeros(960, dtype=np.float32)
        frame: np.ndarray[Any, Any] = await execute_pipeline_with_input(manifest_json, [audio_frame])
        print(f"Received numpy array: {frame.shape}")

    # Audio dicts: one second of 440 Hz, with its rate.
    t = np.linspace(0, 1, 48000, dtype=np.float32)
    audio = np.sin(2 * np.pi * 440 * t)
    audio_dict = numpy_to_audio_dict(audio, sample_rate=48000, channels=1)
    result = await execute_pipeline_with_input(manifest_json, [audio_dict])
    if result.get("type") == "audio":
        audio_array = audio_dict_to_numpy(result)
        max_amplitude = np.max(np.abs(audio_array))
        print(f"{audio_array.shape[0]} samples at {result['sample_rate']} Hz, max amplitude {max_amplitude:.3f}")


if is_available():
    print("Using Rust-accelerated runtime", get_runtime_version())
asyncio.run(main())
