"""Typed builders of every node, for `remotemedia.Pipeline([...])`.

Written by `cargo xtask generate` from the node registry: change the node in Rust, not this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from remotemedia._node import Node, make_node

__all__ = [
    "AudioChannels",
    "AudioLevel",
    "AudioResample",
    "Chunk",
    "EnergyVAD",
    "Gain",
    "Gate",
    "JitterBuffer",
    "Merge",
    "Mix",
    "Node",
    "PassThrough",
    "Python",
    "Segmenter",
    "SpeechVAD",
    "Tee",
    "TextCase",
    "VideoScale",
]


def __dir__() -> list[str]:
    """Return the names of the nodes: completion shows nothing else."""
    return [name for name in __all__ if name != "Node"]


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
    quality: Literal["low_latency", "high", "very_high"] = "high",
    ratio_ppm: float | None = None,
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
    quality : {"low_latency", "high", "very_high"}, default "high"
        `high`: noise, images and aliases below -130 dB. `very_high`: below -150 dB, computed in
        f64. `low_latency`: a short filter that holds back 1.3 ms from 48 to 16 kHz. low_latency: As
        GStreamer by default, or better: aliases below -92 dB from 1.125 of the lower Nyquist
        frequency on. high: As good as soxr HQ. very_high: As good as soxr VHQ.
    ratio_ppm : float, optional
        Moves the ratio by so many parts in a million, to reconcile two clocks: more than 0 gives
        more frames. Can be set while running if it was given at the start, be it 0. Costs ten times
        as much as a fixed ratio. From -50000 to 50000.
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node(
        "AudioResample",
        id,
        target_rate=target_rate,
        source_rate=source_rate,
        quality=quality,
        ratio_ppm=ratio_ppm,
    )


def Chunk(
    *,
    frames: int | None = None,
    ms: int | None = None,
    last: Literal["short", "pad"] = "short",
    id: str | None = None,
) -> Node:
    """Gives the same audio in pieces of exactly one length, for models and codecs that want a fixed frame.

    Outputs: `out` (audio).

    Parameters
    ----------
    frames : int, optional
        Frames in a piece. This or `ms`. From 1 to 1048576.
    ms : int, optional
        Length of a piece in milliseconds; must be whole frames at the rate of the stream. This or
        `frames`. From 1 to 60000.
    last : {"short", "pad"}, default "short"
        The rest at the end of the stream. `short`: as long as it is. `pad`: filled up with silence.
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node("Chunk", id, frames=frames, ms=ms, last=last)


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

    Outputs: `out` (audio), `events` (json), `probability` (json).

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


def Gate(*, threshold: float = 0.5, pre_roll_ms: int = 200, hold_ms: int = 300, id: str | None = None) -> Node:
    """Passes audio while a VAD hears speech, with a little before and after it.

    `vad` is connected to the VAD's output `probability`. What does not pass is left out: times jump
    over it, and whatever joins audio later fills it with silence.

    Outputs: `out` (audio).

    Parameters
    ----------
    threshold : float, default 0.5
        Audio passes where the VAD gives at least this probability. From 0.01 to 1.0.
    pre_roll_ms : int, default 200
        Passed before that, in milliseconds. Audio is held back for as long. From 0 to 5000.
    hold_ms : int, default 300
        Passed after that, in milliseconds. From 0 to 60000.
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node("Gate", id, threshold=threshold, pre_roll_ms=pre_roll_ms, hold_ms=hold_ms)


def JitterBuffer(*, delay_ms: int = 60, max_gap_ms: int = 60000, id: str | None = None) -> Node:
    """Puts packets in the order of their times and gives audio without gaps, later by a fixed delay.

    What has not come by then is silence, and counted in `events` (`underrun`); what comes later
    still is dropped, and counted too (`late`). Time is that of the packets: no clock is read.

    Outputs: `out` (audio), `events` (json).

    Parameters
    ----------
    delay_ms : int, default 60
        How much later than the newest audio the output is, in milliseconds: a packet may be late by
        as much. From 0 to 5000.
    max_gap_ms : int, default 60000
        A jump in time of more than this is an error, in milliseconds. Shorter ones become silence.
        From 1 to 600000.
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node("JitterBuffer", id, delay_ms=delay_ms, max_gap_ms=max_gap_ms)


def Merge(*, max_skew_ms: int = 10000, id: str | None = None) -> Node:
    """Puts the channels of up to eight streams side by side, in the order of the inputs.

    Two mono streams become one of two channels. One that ends before the others is silence from
    there.

    Outputs: `out` (audio).

    Parameters
    ----------
    max_skew_ms : int, default 10000
        How far inputs may lie apart, in milliseconds. From 1 to 60000.
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node("Merge", id, max_skew_ms=max_skew_ms)


def Mix(*, missing: Literal["wait", "silence"] = "wait", max_skew_ms: int = 10000, id: str | None = None) -> Node:
    """Adds up to eight streams of one format, frame by frame of the same time.

    Nothing is scaled or clipped: put a Gain before or after it. The mix ends with its last input.

    Outputs: `out` (audio), `events` (json).

    Parameters
    ----------
    missing : {"wait", "silence"}, default "wait"
        What happens when an input does not keep up. `wait`: its audio is waited for, and an error
        when it is too far behind. `silence`: it is silence then, and what comes of it later is left
        out and counted in `events`. wait: Its audio is waited for; when it is too far behind, that
        is an error. silence: It is silence when it is too far behind; what comes of it later is
        left out.
    max_skew_ms : int, default 10000
        How far inputs may lie apart, in milliseconds. From 1 to 60000.
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node("Mix", id, missing=missing, max_skew_ms=max_skew_ms)


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


def Python(*, class_: str, params: Mapping[str, object] | None = None, id: str | None = None) -> Node:
    """A class of yours, written in Python.

    The manifest names code, so it needs `allow_python`.

    Outputs: `out` (audio, video, array, text, json, binary).

    Parameters
    ----------
    class_ : str
        The class, as `package.module:Class`. Its module is imported, which runs code.
    params : Mapping[str, object], optional
        What its constructor gets, by name.
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node("Python", id, **{"class": class_}, params=params)


def Segmenter(
    *,
    preset: Literal["conversation", "file"] = "conversation",
    enter: float | None = None,
    exit: float | None = None,
    min_speech_ms: int | None = None,
    min_silence_ms: int | None = None,
    pad_start_ms: int | None = None,
    pad_end_ms: int | None = None,
    max_speech_ms: int | None = None,
    id: str | None = None,
) -> Node:
    """Cuts audio into stretches of speech.

    `vad` is connected to the output `probability` of a VAD. `segments` gives each stretch as one
    piece of audio, whole, at its exact time; `events` says where they start and end; `out` is the
    audio, untouched.

    Outputs: `out` (audio), `events` (json), `segments` (audio).

    Parameters
    ----------
    preset : {"conversation", "file"}, default "conversation"
        `conversation`: quick to start, slow to end, for live talk. `file`: tight segments, for
        recordings. conversation: For live talk: 64 ms of speech, 550 ms of silence, 300 ms before.
        file: For recordings, just as silero-vad segments files: 250 ms of speech, 100 ms of
        silence, 30 ms both sides.
    enter : float, optional
        Speech starts at this probability: 0.5, if it is left out. From 0.01 to 0.99.
    exit : float, optional
        Silence starts below this probability. At most `enter`; 0.15 less than that, if it is left
        out. From 0.01 to 0.99.
    min_speech_ms : int, optional
        Shorter speech is not reported, in milliseconds; as the preset says, if it is left out. From
        0 to 60000.
    min_silence_ms : int, optional
        Shorter silence does not end a segment, in milliseconds; as the preset says, if it is left
        out. From 0 to 60000.
    pad_start_ms : int, optional
        Added before a segment, in milliseconds; as the preset says, if it is left out. From 0 to
        5000.
    pad_end_ms : int, optional
        Added after a segment, in milliseconds; as the preset says, if it is left out. From 0 to
        5000.
    max_speech_ms : int, optional
        A longer segment is cut, in milliseconds. 0, and if it is left out: never. From 0 to
        3600000.
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node(
        "Segmenter",
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


def SpeechVAD(
    *,
    model: Literal["silero", "earshot"] = "silero",
    preset: Literal["conversation", "file"] = "conversation",
    enter: float | None = None,
    exit: float | None = None,
    min_speech_ms: int | None = None,
    min_silence_ms: int | None = None,
    pad_start_ms: int | None = None,
    pad_end_ms: int | None = None,
    max_speech_ms: int | None = None,
    id: str | None = None,
) -> Node:
    """Finds speech with the Silero network, at any rate, channels and chunk size.

    Events say where segments start and end, in samples of the input; the audio goes through
    untouched.

    Outputs: `out` (audio), `events` (json), `probability` (json).

    Parameters
    ----------
    model : {"silero", "earshot"}, default "silero"
        The network. `silero`: the most exact one, above all in music and noise; answers every 32
        ms. `earshot`: about as costly, answers every 16 ms and 32 ms late, hears music as speech
        more often. silero: Silero VAD, version 6. earshot: The network of the crate earshot.
    preset : {"conversation", "file"}, default "conversation"
        `conversation`: quick to start, slow to end, for live talk. `file`: tight segments, for
        recordings. conversation: For live talk: 64 ms of speech, 550 ms of silence, 300 ms before.
        file: For recordings, just as silero-vad segments files: 250 ms of speech, 100 ms of
        silence, 30 ms both sides.
    enter : float, optional
        Speech starts at this probability: 0.5, if it is left out. From 0.01 to 0.99.
    exit : float, optional
        Silence starts below this probability. At most `enter`; 0.15 less than that, if it is left
        out. From 0.01 to 0.99.
    min_speech_ms : int, optional
        Shorter speech is not reported, in milliseconds; as the preset says, if it is left out. From
        0 to 60000.
    min_silence_ms : int, optional
        Shorter silence does not end a segment, in milliseconds; as the preset says, if it is left
        out. From 0 to 60000.
    pad_start_ms : int, optional
        Added before a segment, in milliseconds; as the preset says, if it is left out. From 0 to
        5000.
    pad_end_ms : int, optional
        Added after a segment, in milliseconds; as the preset says, if it is left out. From 0 to
        5000.
    max_speech_ms : int, optional
        A longer segment is cut, in milliseconds. 0, and if it is left out: never. From 0 to
        3600000.
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
        model=model,
        preset=preset,
        enter=enter,
        exit=exit,
        min_speech_ms=min_speech_ms,
        min_silence_ms=min_silence_ms,
        pad_start_ms=pad_start_ms,
        pad_end_ms=pad_end_ms,
        max_speech_ms=max_speech_ms,
    )


def Tee(*, id: str | None = None) -> Node:
    """Gives everything on two outputs: `out`, and `tap` for whoever looks on.

    The memory is shared, not copied. (Any output may lead to several nodes without it; `tap` gives
    the second way a name.)

    Outputs: `out` (audio, video, array, text, json, binary, control), `tap` (audio, video, array,
    text, json, binary, control).

    Parameters
    ----------
    id : str, optional
        Name of the node in the manifest; made from its type when left out.

    Returns
    -------
    Node
        An entry for `remotemedia.Pipeline([...])`.
    """
    return make_node("Tee", id)


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
    filter: Literal["nearest", "box", "bilinear", "lanczos3"] = "bilinear",
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
    filter : {"nearest", "box", "bilinear", "lanczos3"}, default "bilinear"
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
