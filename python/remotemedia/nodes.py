"""Typed builders of every node, for `remotemedia.Pipeline([...])`.

Written by `cargo xtask generate` from the node registry: change the node in Rust, not this file.
"""

from __future__ import annotations

from typing import Literal

from remotemedia._node import Node, make_node

__all__ = [
    "AudioChannels",
    "AudioLevel",
    "AudioResample",
    "EnergyVAD",
    "Gain",
    "Node",
    "PassThrough",
    "SpeechVAD",
    "TextCase",
    "VideoScale",
]


def AudioChannels(*, channels: int, id: str | None = None) -> Node:
    """Changes the number of channels.

    To mono: the mean. From mono: copies. 5.1 to stereo: ITU-R BS.775. More channels than before:
    the new ones are silent.

    Outputs: `out` (audio).

    Parameters
    ----------
    channels : int
        Channels of the output: 1 is mono, 2 stereo. From 1 to 64.
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node("AudioChannels", id, channels=channels)


def AudioLevel(*, window_ms: int = 100, id: str | None = None) -> Node:
    """Measures RMS and peak in dBFS over all channels, one event a window.

    The audio goes through untouched.

    Outputs: `out` (audio), `events` (json).

    Parameters
    ----------
    window_ms : int, default 100
        Length of a window in milliseconds; every window gives one event. From 1 to 60000.
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node("AudioLevel", id, window_ms=window_ms)


def AudioResample(
    *,
    target_rate: int,
    source_rate: int | None = None,
    quality: Literal["high", "very_high"] | None = None,
    id: str | None = None,
) -> Node:
    """Changes the sample rate.

    The output is aligned in time with the input and has exactly ceil(frames * target / source)
    frames. Samples that are not finite count as silence.

    Outputs: `out` (audio).

    Parameters
    ----------
    target_rate : int
        Sample rate of the output in Hz. From 1 to 1536000.
    source_rate : int, optional
        Sample rate that the input must have, in Hz. Any, if it is left out. From 1 to 1536000.
    quality : {"high", "very_high"}, optional
        `high`: noise, images and aliases below -130 dB. `very_high`: below -150 dB, computed in
        f64. high: As good as soxr HQ. very_high: As good as soxr VHQ.
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node("AudioResample", id, target_rate=target_rate, source_rate=source_rate, quality=quality)


def EnergyVAD(
    *,
    threshold_db: float = -40.0,
    window_ms: int = 20,
    min_speech_ms: int = 60,
    min_silence_ms: int = 300,
    id: str | None = None,
) -> Node:
    """Finds activity by its level: cheap, and blind to what makes the sound.

    Events say where segments start and end; the audio goes through untouched.

    Outputs: `out` (audio), `events` (json).

    Parameters
    ----------
    threshold_db : float, default -40.0
        Windows at or above this RMS level in dBFS are active. From -120.0 to 0.0.
    window_ms : int, default 20
        Length of a window in milliseconds. From 1 to 1000.
    min_speech_ms : int, default 60
        Shorter activity is not reported, in milliseconds. From 0 to 60000.
    min_silence_ms : int, default 300
        Shorter silence does not end a segment, in milliseconds. From 0 to 60000.
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node(
        "EnergyVAD",
        id,
        threshold_db=threshold_db,
        window_ms=window_ms,
        min_speech_ms=min_speech_ms,
        min_silence_ms=min_silence_ms,
    )


def Gain(*, gain_db: float = 0.0, id: str | None = None) -> Node:
    """Multiplies audio by a gain.

    Nothing is clipped before a conversion to integers.

    Outputs: `out` (audio).

    Parameters
    ----------
    gain_db : float, default 0.0
        Gain in dB. 0 changes nothing, -6.02 halves. From -120.0 to 60.0.
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node("Gain", id, gain_db=gain_db)


def PassThrough(*, id: str | None = None) -> Node:
    """Passes everything through untouched.

    Outputs: `out` (audio, video, array, text, json, binary, control).

    Parameters
    ----------
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node("PassThrough", id)


def SpeechVAD(
    *,
    preset: Literal["conversation", "file"] | None = None,
    enter: float | None = None,
    exit: float | None = None,
    min_speech_ms: int | None = None,
    min_silence_ms: int | None = None,
    pad_start_ms: int | None = None,
    pad_end_ms: int | None = None,
    max_speech_ms: int | None = None,
    id: str | None = None,
) -> Node:
    """Finds speech with the earshot network, at any rate, channels and chunk size.

    Events say where segments start and end, in samples of the input; the audio goes through
    untouched.

    Outputs: `out` (audio), `events` (json).

    Parameters
    ----------
    preset : {"conversation", "file"}, optional
        `conversation`: quick to start, slow to end, for live talk. `file`: tight segments, for
        recordings. conversation: For live talk: 64 ms of speech, 550 ms of silence, 300 ms before.
        file: For recordings, as silero-vad segments files: 250 ms of speech, 100 ms of silence, 30
        ms both sides.
    enter : float, optional
        Speech starts at this probability. From 0.01 to 0.99.
    exit : float, optional
        Silence starts below this probability. At most `enter`. From 0.01 to 0.99.
    min_speech_ms : int, optional
        Shorter speech is not reported, in milliseconds. From 0 to 60000.
    min_silence_ms : int, optional
        Shorter silence does not end a segment, in milliseconds. From 0 to 60000.
    pad_start_ms : int, optional
        Added before a segment, in milliseconds. From 0 to 5000.
    pad_end_ms : int, optional
        Added after a segment, in milliseconds. From 0 to 5000.
    max_speech_ms : int, optional
        A longer segment is cut, in milliseconds. 0: never. From 0 to 3600000.
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node(
        "SpeechVAD",
        id,
        preset=preset,
        enter=enter,
        exit=exit,
        min_speech_ms=min_speech_ms,
        min_silence_ms=min_silence_ms,
        pad_start_ms=pad_start_ms,
        pad_end_ms=pad_end_ms,
        max_speech_ms=max_speech_ms,
    )


def TextCase(*, mode: Literal["upper", "lower", "title"], id: str | None = None) -> Node:
    """Changes text to upper, lower or title case.

    Outputs: `out` (text).

    Parameters
    ----------
    mode : {"upper", "lower", "title"}
        The case to change to, by the rules of Unicode. upper: All upper case. lower: All lower
        case. title: The first letter of each word upper case, the rest lower case.
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node("TextCase", id, mode=mode)


def VideoScale(
    *,
    width: int,
    height: int,
    filter: Literal["nearest", "box", "bilinear", "lanczos3"] | None = None,
    id: str | None = None,
) -> Node:
    """Scales video frames to a size, plane by plane, antialiased.

    Outputs: `out` (video).

    Parameters
    ----------
    width : int
        Width of the output in pixels. From 1 to 32768.
    height : int
        Height of the output in pixels. From 1 to 32768.
    filter : {"nearest", "box", "bilinear", "lanczos3"}, optional
        The filter. All but `nearest` are antialiased when they scale down. nearest: The nearest
        pixel: hard edges. box: The mean over the area. bilinear: Linear, antialiased: the same
        result as Pillow's `BILINEAR`. lanczos3: Lanczos of three lobes: the sharpest.
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node("VideoScale", id, width=width, height=height, filter=filter)
