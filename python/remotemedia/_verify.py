"""The certificate: a stream cut in any way gives what the whole gives."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from remotemedia._audio import Audio, whole_number
from remotemedia._inputs import Inputs
from remotemedia._json import checked, quoted
from remotemedia._lib import NativeError, native, reraise
from remotemedia._node import Node
from remotemedia._numbers import index_of, number_of
from remotemedia._pipeline import Pipeline
from remotemedia.errors import InputTypeError, InputValueError

if TYPE_CHECKING:
    from os import PathLike

    from remotemedia._lib import NativePipeline

__all__ = ["Certificate", "VerifyCase", "verify"]


class VerifyCase(NamedTuple):
    """What one way of feeding has shown."""

    what: str
    """The input, and how it was fed."""
    difference: float
    """The largest difference of a sample."""
    failure: str | None
    """What differs, in words; None when nothing does."""


class Certificate(NamedTuple):
    """What `verify` has found."""

    passed: bool
    """Whether every way of feeding gave the same."""
    largest_difference: float
    """The largest difference of a sample in any case."""
    cases: list[VerifyCase]
    """Every way of feeding."""
    skipped: list[str]
    """Inputs that the pipeline does not take, and why."""

    def __str__(self) -> str:
        """Return one line, and the failures."""
        failed = [case for case in self.cases if case.failure]
        lines = [f"{case.what}: {case.failure}" for case in failed[:10]]
        outcome = "passed" if self.passed else "failed"
        lines.append(
            f"{outcome}: {len(self.cases) - len(failed)} of {len(self.cases)} ways of feeding give the same, "
            f"largest difference of a sample {self.largest_difference:g}"
        )
        return "\n".join(lines)


def verify(
    subject: Pipeline | str | PathLike[str] | Mapping[str, object] | Sequence[Node | Mapping[str, object]] | Node,
    *,
    audio: Audio | None = None,
    rounds: int = 12,
    seed: int = 1,
    tolerance: float = 0.0,
) -> Certificate:
    """Feed a pipeline in many ways and compare what comes out, by time.

    Random chunks of six habits, usual frame sizes, a second stream after flush, after reset, after interrupt, and with
    ``constant_frames``: all must give what the whole stream gives at once. Times, counts and events are compared
    exactly.

    Parameters
    ----------
    subject : Pipeline, node or manifest
        A `Pipeline`, a node of `remotemedia.nodes`, or whatever `Pipeline` takes.
    audio : Audio, optional
        What to feed. Without it: signals of our own, in several formats.
    rounds : int
        Random chunkings of each signal.
    seed : int
        The same seed, the same chunkings.
    tolerance : float
        The most that a sample may differ.

    Returns
    -------
    Certificate

    Raises
    ------
    UnsupportedError
        When the pipeline takes none of the inputs tried.

    Examples
    --------
    >>> import remotemedia as rm
    >>> print(rm.verify(rm.nodes.AudioResample(target_rate=16000), rounds=2))
    passed: 55 of 55 ways of feeding give the same, largest difference of a sample 0
    """
    times = index_of(rounds)
    if times is None or not 0 < times < 10_000:
        raise InputValueError(f"rounds is {rounds!r}, expected a whole number from 1 to 9999")
    seed = whole_number("seed", seed, 2**63 - 1, least=-(2**63))
    most = number_of(tolerance)
    if most is None:
        raise InputTypeError(f"tolerance is {quoted(tolerance)}, expected a number")
    if not 0 <= most < float("inf"):
        raise InputValueError(f"tolerance is {tolerance}, expected a number from 0")
    if audio is not None and not isinstance(audio, Audio):
        raise InputTypeError(f"audio is of type {type(audio).__name__}, expected Audio")
    inputs = Inputs(() if audio is None else (audio,))
    try:
        pipeline = _pipeline(subject)
        report = json.loads(pipeline.raw_verify(inputs.for_call(), times, seed, float(most)))
    except NativeError as error:
        reraise(error)
    cases = [VerifyCase(**case) for case in report["cases"]]
    return Certificate(report["passed"], report["largest_difference"], cases, report["skipped"])


def _pipeline(
    subject: Pipeline | str | PathLike[str] | Mapping[str, object] | Sequence[Node | Mapping[str, object]] | Node,
) -> NativePipeline:
    if isinstance(subject, Pipeline):
        return subject._compiled.native
    if isinstance(subject, Node):
        # A node on its own, with what it needs before it.
        pipeline: NativePipeline = native.Pipeline.of_node(subject.node_type, checked("params", dict(subject.params)))
        return pipeline
    return Pipeline(subject)._compiled.native
