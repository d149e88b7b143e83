"""A manifest compiled once, run as often as wanted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from remotemedia import _run
from remotemedia._audio import whole_number
from remotemedia._formats import Format
from remotemedia._group import SessionGroup
from remotemedia._lib import NativeError, native, problem, reraise
from remotemedia._manifest import ManifestText, manifest_text
from remotemedia._map import Progress, map_clips, map_clips_async
from remotemedia._node import Node
from remotemedia._plan import CopyPlace, NodeLatency, PathLatency
from remotemedia._results import warn
from remotemedia._session import open_session, session_config
from remotemedia.errors import ClosedError, ManifestWarning, Problem
from remotemedia.worker import _script

if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType

    from remotemedia._formats import AudioFormat
    from remotemedia._lib import NativePipeline
    from remotemedia._session import Session

__all__ = ["Pipeline", "compiled"]


def compiled(manifest: ManifestText, allow_python: bool = False) -> _run.Compiled:
    """Return the compiled pipeline of a manifest; what has no effect in it is warned of."""
    try:
        pipeline: NativePipeline = native.Pipeline.raw_compile(
            manifest.text, manifest.written, manifest.file, allow_python
        )
        for one in map(problem, pipeline.warnings()):
            warn(str(one), ManifestWarning)
    except NativeError as error:
        reraise(error)
    if (runs := pipeline.raw_runs()) != _run.NATIVELY:
        _python_possible(runs)
    if runs == _run.ELSEWHERE and (refusal := _script.refusal()) is not None:
        return cast("_run.Compiled", _run.Unusable(type(refusal), str(refusal)))
    return _run.Compiled(pipeline, runs)


def _python_possible(runs: int) -> None:
    """Get ready for nodes that are written in Python."""
    from remotemedia.worker import _local

    _local.install()
    if runs == _run.ELSEWHERE:
        _local.name_interpreter()


class Pipeline:
    """A manifest, checked and compiled: immutable, shared freely between threads, pickled as its text.

    Parameters
    ----------
    manifest : path, dict, str or sequence of nodes
        A path to a JSON file, a dict, JSON text (its first character is ``{`` or ``[``), or a list of nodes, connected
        one after the other: those of `remotemedia.nodes`, and classes decorated with `remotemedia.node`, or objects of
        them.
    input : AudioFormat or VideoFormat, optional
        Declares what goes in, for a manifest that does not; bare arrays need it.
    allow_python : bool
        Whether the manifest may name code: the node type ``Python`` with the import path of a class, or another
        interpreter for workers. Running it runs that code, so only where you trust whoever wrote it.

    Raises
    ------
    ManifestError
        With every problem of the manifest in `problems`.
    IoError
        When the file cannot be read. Where the system has refused it, it is the builtin error as well, such as
        `FileNotFoundError`.

    Examples
    --------
    >>> import numpy as np, remotemedia as rm
    >>> pipe = rm.Pipeline([rm.nodes.AudioChannels(channels=1), rm.nodes.AudioResample(target_rate=16000)])
    >>> pipe.run(rm.Audio(np.zeros((960, 2), np.float32), 48000))
    Audio(320 frames, 16000 Hz, 1 channel, float32, 0.020 s)
    """

    __slots__ = ("__weakref__", "_allow_python", "_compiled", "_text")

    _compiled: _run.Compiled
    _text: str
    _allow_python: bool

    def __init__(
        self,
        manifest: str | PathLike[str] | Mapping[str, object] | Sequence[Node | Mapping[str, object]],
        *,
        input: Format | None = None,
        allow_python: bool = False,
    ) -> None:
        given = manifest_text(manifest, input)
        self._text = given.text
        self._allow_python = bool(allow_python)
        self._compiled = compiled(given, self._allow_python)

    def run(self, *items: object, metrics: bool = False, timeout: float | None = None) -> Any:
        """Run and wait for the result; Ctrl-C stops it.

        Parameters
        ----------
        *items : object
            The items of one stream, in order: arrays, `Audio`, `VideoFrame`, str, bytes, JSON values, and the
            published dicts. One list is one JSON item; pass ``*frames`` for many items.
            Arrays are read in place: do not write to them until the call has returned.
        metrics : bool
            Return ``{"outputs": ..., "metrics": {...}}``.
        timeout : float, optional
            Seconds until `TimeoutError`.

        Returns
        -------
        object
            Of one result port: its value, or a list with one entry per item when there were several; None when
            nothing came. Of several: a dict by ``node`` (its port ``out``) or ``node.port``. Events are a flat list.
            Kinds come back as they went in; arrays are writable, and what passed through untouched is a view of
            the caller's own memory.

        Raises
        ------
        FormatError, InputTypeError, InputValueError
            When the input does not fit; `item_index` says which.
        NodeError, TimeoutError, InternalError
            When the work failed.

        Examples
        --------
        >>> import remotemedia as rm
        >>> rm.Pipeline([rm.nodes.TextCase(mode="upper")]).run("a", "b")
        ['A', 'B']
        """
        return _run.run(self._compiled, items, lenient=False, metrics=metrics, timeout=timeout)

    async def run_async(self, *items: object, metrics: bool = False, timeout: float | None = None) -> Any:
        """Like `run`, for asyncio: the event loop stays free, and cancelling the task stops the work.

        Examples
        --------
        >>> import asyncio, remotemedia as rm
        >>> asyncio.run(rm.Pipeline([rm.nodes.TextCase(mode="title")]).run_async("good morning"))
        'Good Morning'
        """
        return await _run.run_async(self._compiled, items, lenient=False, metrics=metrics, timeout=timeout)

    def map(
        self,
        clips: Iterable[object],
        threads: int | None = None,
        *,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> list[Any]:
        """Run independent clips on all cores and wait for all results, in the order of the clips.

        Parameters
        ----------
        clips : iterable
            Each is one item, as `run` takes it, and a stream of its own. A generator is read only as far as is
            needed to keep the threads busy.
        threads : int, optional
            How many clips are computed at a time, at most as many as there are cores. All cores when left out.
        progress : bool or callable, optional
            True draws a bar on stderr, when it is a terminal or a notebook. A function is called as
            ``progress(done, total)``; ``total`` is None for a generator.
        timeout : float, optional
            Seconds for each clip, from when it starts to wait for a thread.

        Returns
        -------
        list
            What `run` would return for each clip.

        Raises
        ------
        RemoteMediaError
            The error of the first clip that failed; `item_index` is its number. The others are stopped.

        Examples
        --------
        >>> import numpy as np, remotemedia as rm
        >>> clips = [rm.Audio(np.zeros(seconds * 48000, np.float32), 48000) for seconds in (1, 2, 3)]
        >>> [clip.frames for clip in rm.Pipeline([rm.nodes.AudioResample(target_rate=16000)]).map(clips)]
        [16000, 32000, 48000]
        """
        return map_clips(self._compiled, clips, threads, progress, _run.milliseconds(timeout))

    async def map_async(
        self,
        clips: Iterable[object],
        threads: int | None = None,
        *,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> list[Any]:
        """Like `map`, for asyncio: the event loop stays free, and cancelling the task stops the work."""
        return await map_clips_async(self._compiled, clips, threads, progress, _run.milliseconds(timeout))

    def session(
        self,
        sample_rate: int | None = None,
        channels: int | None = None,
        *,
        input: AudioFormat | None = None,
        constant_frames: bool = False,
        queue: int = 64,
        when_full: Literal["wait", "drop_oldest", "drop_newest", "latest"] = "wait",
        metrics: bool = False,
    ) -> Session:
        """Open a session: one live stream, fed frame by frame.

        Parameters
        ----------
        sample_rate, channels : int, optional
            What bare arrays are. Not needed where the manifest declares it, or for `Audio`.
        input : AudioFormat, optional
            The same in one value.
        constant_frames : bool
            One frame out per frame in from the first on, with the delay of the nodes at its start (their times are
            negative), instead of output that is aligned in time with the input.
        queue : int
            For `Session.push` and `Session.next`: how many items, and how many results, may wait.
        when_full : {"wait", "drop_oldest", "drop_newest", "latest"}
            What happens beyond that: `push` waits, the oldest or the newest one is dropped, or only the newest one is
            kept. Drops are counted, in `Session.dropped` and on the next `Output`.
        metrics : bool
            Collect figures for `Session.metrics`.

        Returns
        -------
        Session
            A context manager, also for ``async with``.

        Raises
        ------
        FormatError
            When the input does not fit the pipeline.

        Examples
        --------
        >>> import numpy as np, remotemedia as rm
        >>> pipe = rm.Pipeline([rm.nodes.Gain(gain_db=-6)])
        >>> with pipe.session(sample_rate=16000, channels=1) as session:
        ...     session.process(np.ones(320, np.int16)).dtype
        dtype('int16')
        """
        config = session_config(sample_rate, channels, input, constant_frames, metrics)
        return open_session(self._compiled, config, queue, when_full)

    def session_group(
        self,
        streams: int,
        sample_rate: int | None = None,
        channels: int | None = None,
        *,
        input: AudioFormat | None = None,
    ) -> SessionGroup:
        """Open many sessions that one caller drives, thousands if need be.

        Parameters
        ----------
        streams : int
            How many.
        sample_rate, channels, input
            As for `session`.

        Returns
        -------
        SessionGroup

        Raises
        ------
        FormatError
            When the input does not fit the pipeline.
        """
        streams = whole_number("streams", streams, 1_000_000)
        return SessionGroup(self._compiled, session_config(sample_rate, channels, input), streams)

    def close(self) -> None:
        """End the workers of the pipeline, when nobody uses them any more: sessions that are open go on.

        Later calls raise `ClosedError`. A pipeline that is collected is closed. It is a context manager.

        Examples
        --------
        >>> import remotemedia as rm
        >>> with rm.Pipeline([rm.nodes.TextCase(mode="upper")]) as pipe:
        ...     pipe.run("a")
        'A'
        """
        self._compiled = cast("_run.Compiled", _run.Unusable(ClosedError, "the pipeline is closed"))

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def formats(self) -> dict[str, dict[str, object] | None]:
        """What each port carries, by ``node.port``, as far as the declared formats tell; else None."""
        formats: dict[str, dict[str, object] | None] = json.loads(self._compiled.native.formats_json())
        return formats

    @property
    def latency(self) -> list[PathLatency] | None:
        """How much later than its input each result comes; None when the declared formats do not tell.

        The length of what is pushed at a time comes on top.

        Examples
        --------
        >>> import remotemedia as rm
        >>> nodes = [rm.nodes.AudioResample(target_rate=16000), rm.nodes.Chunk(ms=20)]
        >>> for path in rm.Pipeline(nodes, input=rm.AudioFormat(48000, 1)).latency:
        ...     print(path.source, path.result, path.nodes[0].node, path.max_ms > 20)
        audio_resample chunk audio_resample True
        """
        paths = json.loads(self._compiled.native.latency_json())
        if paths is None:
            return None
        return [PathLatency(**{**path, "nodes": [NodeLatency(**node) for node in path["nodes"]]}) for path in paths]

    @property
    def copies(self) -> list[CopyPlace]:
        """Every place where a session copies or converts media, with the reason.

        Examples
        --------
        >>> import remotemedia as rm
        >>> pipe = rm.Pipeline([rm.nodes.Chunk(ms=20)], input=rm.AudioFormat(48000, 1))
        >>> [copy.place for copy in pipe.copies]
        ['input', 'chunk', 'result chunk']
        """
        return [CopyPlace(**copy) for copy in json.loads(self._compiled.native.copies_json())]

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest as a dict of its own."""
        manifest: dict[str, Any] = json.loads(self._text)
        return manifest

    @property
    def warnings(self) -> list[Problem]:
        """What has no effect in the manifest, such as unknown keys."""
        return [problem(one) for one in self._compiled.native.warnings()]

    def __str__(self) -> str:
        """Return a summary of one screen."""
        return self._compiled.native.summary()

    def __repr__(self) -> str:
        nodes = self.manifest["nodes"]
        return f"Pipeline({' '.join(str(node['node_type']) for node in nodes[:8])}{' ...' if len(nodes) > 8 else ''})"

    def __copy__(self) -> Pipeline:
        return self

    def __deepcopy__(self, memo: object) -> Pipeline:
        return self

    def __reduce__(self) -> tuple[object, tuple[str, bool]]:
        return _again, (self._text, self._allow_python)


def _again(text: str, allow_python: bool) -> Pipeline:
    """Return the pipeline of a manifest that was pickled."""
    return Pipeline(text, allow_python=allow_python)
