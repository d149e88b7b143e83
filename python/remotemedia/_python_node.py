"""Nodes written in Python: the decorator, and what it tells the native library."""

from __future__ import annotations

import functools
import inspect
import itertools
import json
import operator
import os
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, TypeVar, cast, overload

import numpy as np

from remotemedia import _json
from remotemedia._arrays import dtype_code, element_type
from remotemedia._audio import whole_number
from remotemedia._formats import AudioFormat, VideoFormat
from remotemedia._lib import NativeError, native, reraise
from remotemedia._node import NAME, PARAMS
from remotemedia.errors import InputTypeError, InputValueError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from remotemedia._arrays import Array
    from remotemedia.worker._lent import Lender

__all__ = ["empty", "node"]

Kind = Literal["audio", "video", "array", "text", "json", "binary"]
Declared = AudioFormat | VideoFormat | Kind
_Class = TypeVar("_Class", bound=type)

_TYPES: dict[Any, str] = {int: "integer", float: "number", str: "string", bool: "boolean"}
_numbers = itertools.count(1)

lender: Lender | None = None
"""In a worker process, who lends memory that the host sees."""
_KINDS = ("audio", "video", "array", "text", "json", "binary")


@overload
def node(class_: _Class, /) -> _Class: ...
@overload
def node(
    *,
    name: str | None = None,
    input: Declared | None = None,
    output: Declared | Literal["same"] | None = None,
    latency_frames: int | None = None,
    stateless: bool = False,
    changeable: Sequence[str] = (),
) -> Callable[[_Class], _Class]: ...
def node(
    class_: Any = None,
    /,
    *,
    name: str | None = None,
    input: Declared | None = None,
    output: Declared | Literal["same"] | None = None,
    latency_frames: int | None = None,
    stateless: bool = False,
    changeable: Sequence[str] = (),
) -> Any:
    """Make a class a node that manifests can name.

    The class has ``process(self, data)``: a function, a generator, or either of them ``async``. What it returns or
    yields goes on; None is nothing. If it has them, these are called too: ``setup()`` before the first frame,
    ``flush()`` at the end of the stream (its result goes on), ``reset()`` before another stream (without it the next
    stream gets a new object), ``set_param(name, value)``, ``close()``.

    ``data`` is an `Audio`, a `VideoFrame`, an array, str, bytes, or a JSON value. Arrays are read-only and lent for the
    call: keep ``x.copy()``. The arguments of the constructor are the node's parameters; their annotations and defaults
    become its schema.

    Parameters
    ----------
    name : str, optional
        The name in manifests; the name of the class when left out.
    input, output : AudioFormat, VideoFormat or {"audio", "video", "array", "text", "json", "binary"}, optional
        What it takes and gives, checked with the rest of the pipeline; anything when left out. ``output="same"``: what
        it takes.
    latency_frames : int, optional
        How many audio frames it looks ahead, at the rate of ``input``.
    stateless : bool
        No result depends on an earlier frame: frames of one run may go to several workers.
    changeable : sequence of str
        Parameters that `Session.set_param` may change: ``set_param(name, value)`` is called.

    Raises
    ------
    InputTypeError, InputValueError
        For a class without ``process``, or a name that a built-in node has.

    Examples
    --------
    >>> import numpy as np, remotemedia as rm
    >>> @rm.node
    ... class Invert:
    ...     '''Turns the signal upside down.'''
    ...     def __init__(self, amount: float = 1.0) -> None:
    ...         self.amount = amount
    ...     def process(self, audio):
    ...         return rm.Audio(-self.amount * audio.samples, audio.sample_rate)
    >>> pipe = rm.Pipeline([{"node_type": "Invert", "params": {"amount": 0.5}}])
    >>> pipe.run(rm.Audio(np.ones(3, np.float32), 16000)).samples
    array([-0.5, -0.5, -0.5], dtype=float32)

    In a list of nodes the class itself, or an object of it, says the same. The object only tells the parameters: every
    stream gets one of its own.

    >>> rm.Pipeline([Invert(amount=0.5)]).run(rm.Audio(np.ones(3, np.float32), 16000)).samples
    array([-0.5, -0.5, -0.5], dtype=float32)
    """

    def register(class_: _Class) -> _Class:
        _register(class_, name, input, output, latency_frames, stateless, changeable)
        return class_

    return register if class_ is None else register(class_)


def empty(shape: SupportsIndex | Sequence[SupportsIndex], dtype: DTypeLike) -> Array:
    """Return an array for the result of a node, not initialised, like `numpy.empty`.

    In a worker process it is in memory that the host sees: a result that was written there, and that is returned whole,
    as an array or in an `Audio` or `VideoFrame`, is sent without a copy. If the node keeps the array, or a view of it,
    a copy is sent, so it may be used again; so it is of what a generator yields. Arrays of at most 64 KiB, those beyond
    ``max_in_flight`` at a time, and all in other places than a worker are ordinary ones.

    Parameters
    ----------
    shape : int or sequence of int
        The length of each axis.
    dtype : dtype
        The element type: one of numbers or bool.

    Raises
    ------
    InputTypeError
        For an element type that is no number.
    InputValueError
        In a worker, for more than ``execution.max_frame_bytes``.

    Examples
    --------
    >>> import numpy as np, remotemedia as rm
    >>> class Dark:
    ...     def process(self, frame):
    ...         out = rm.empty(frame.data.shape, np.uint8)
    ...         np.right_shift(frame.data, 1, out=out)
    ...         return rm.VideoFrame(out, "rgb24")
    >>> frame = rm.VideoFrame(np.full((2, 2, 3), 200, np.uint8), "rgb24")
    >>> int(Dark().process(frame).data.max())
    100
    """
    # Numbers of numpy's would overflow in silence.
    whole = operator.index
    try:
        axes = (whole(shape),) if isinstance(shape, SupportsIndex) else tuple(whole(axis) for axis in shape)
    except TypeError:
        raise InputTypeError(f"the shape is {_json.quoted(shape)}, expected whole numbers") from None
    if any(axis < 0 for axis in axes):
        raise InputValueError(f"the shape is {axes}, expected no negative numbers")
    element = element_type(dtype, "numbers or bool")
    if dtype_code(element) is None:
        raise InputTypeError(f"the dtype is {element}, expected numbers or bool")
    lent = None if lender is None else lender.empty(axes, element)
    try:
        return np.empty(axes, element) if lent is None else lent
    except ValueError as error:  # More axes, or more elements, than numpy has.
        raise InputValueError(f"the shape is {_json.quoted(axes)}: {error}") from None


def _register(
    class_: Any,
    name: str | None,
    input: Declared | None,
    output: Declared | Literal["same"] | None,
    latency_frames: int | None,
    stateless: bool,
    changeable: Sequence[str],
) -> None:
    from remotemedia import _cache
    from remotemedia.worker import _instances, _local

    if not isinstance(class_, type) or not callable(getattr(class_, "process", None)):
        raise InputTypeError(f"node() decorates {class_!r}, expected a class with a method process(self, data)")
    if name is not None:
        _json.checked_names(name=name)
    if not isinstance(cast("object", changeable), (list, tuple, set, frozenset)):
        raise InputTypeError(f"changeable is {_json.quoted(changeable)}, expected a list of names of parameters")
    for one in changeable:
        _json.checked_names(changeable=one)
    module = class_.__module__
    file = getattr(sys.modules.get(module), "__file__", None) if module == "__main__" else None
    # What came from standard input has the name of a file that is none.
    file = os.path.abspath(file) if file and os.path.isfile(file) else None
    if latency_frames is not None:
        latency_frames = whole_number("latency_frames", latency_frames, 2**31 - 1, least=0)
        if not isinstance(input, AudioFormat):
            raise InputValueError("latency_frames needs an input of rm.AudioFormat, whose rate it counts at")
    key = f"{module}:{class_.__qualname__}#{next(_numbers)}"
    definition = {
        "key": key,
        "name": name or class_.__name__,
        "description": inspect.getdoc(class_) or f"The class `{class_.__qualname__}` of `{module}`.",
        "module": module,
        "class": class_.__qualname__,
        "file": file,
        "params": _schema(class_),
        "input": _format("input", input),
        "output": output if output == "same" else _format("output", output),
        "latency_frames": latency_frames,
        "latency_rate": input.sample_rate if isinstance(input, AudioFormat) else None,
        "stateless": bool(stateless),
        "changeable": list(changeable),
    }
    try:
        native.raw_register_node(json.dumps(definition))
    except NativeError as error:
        reraise(error)
    setattr(class_, NAME, definition["name"])
    _keep_params(class_)
    _instances.registered[key] = class_
    _local.install()
    _cache.clear()


def _keep_params(class_: Any) -> None:
    """Let each object of a class keep what its constructor got: it may stand in a list of nodes."""
    init = class_.__init__
    if init is object.__init__:
        setattr(class_, PARAMS, {})
        return
    signature = inspect.signature(init)

    @functools.wraps(init)
    def keeping(self: Any, /, *args: Any, **named: Any) -> None:
        # The outermost constructor comes first, and is the one that a manifest would call.
        if PARAMS not in getattr(self, "__dict__", {PARAMS: None}):
            try:
                given = signature.bind(self, *args, **named).arguments
            except TypeError:
                pass  # The constructor itself says what is wrong.
            else:
                self.__dict__[PARAMS] = _by_name(signature, given)
        init(self, *args, **named)

    class_.__init__ = keeping


def _by_name(signature: inspect.Signature, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a constructor got, by name; None when something has none."""
    params: dict[str, Any] = {}
    for argument in list(signature.parameters.values())[1:]:
        if argument.name not in given:
            continue
        if argument.kind is argument.VAR_POSITIONAL:
            return None
        value = given[argument.name]
        params.update(value if argument.kind is argument.VAR_KEYWORD else {argument.name: value})
    return params


def _format(what: str, format: object) -> object:
    if format is None:
        return None
    if isinstance(format, AudioFormat):
        return {"kind": "audio", "sample_rate_hz": format.sample_rate, "channels": format.channels}
    if isinstance(format, VideoFormat):
        return "video"
    if isinstance(format, str) and format in _KINDS:
        return format
    raise InputValueError(
        f"{what} is {format!r}, expected rm.AudioFormat, rm.VideoFormat or one of {', '.join(_KINDS)}"
    )


def _schema(class_: type) -> dict[str, object]:
    """Return the JSON schema of the constructor's arguments."""
    init: Any = cast("Any", class_).__init__
    if init is object.__init__:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    try:
        hints = typing.get_type_hints(init)
    except Exception:
        hints = {}
    properties: dict[str, object] = {}
    required: list[str] = []
    arguments = list(inspect.signature(init).parameters.values())[1:]
    for argument in arguments:
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            continue
        if argument.kind is argument.POSITIONAL_ONLY:
            raise InputTypeError(f"the parameter `{argument.name}` of {class_.__name__} has no name in a manifest")
        schema = _of_type(hints.get(argument.name))
        if argument.default is argument.empty:
            required.append(argument.name)
        else:
            schema["default"] = _default(class_, argument)
        properties[argument.name] = schema
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _default(class_: type, argument: inspect.Parameter) -> object:
    try:
        return json.loads(_json.dumps(argument.default))
    except _json.NotJsonError:
        raise InputTypeError(
            f"the default of `{argument.name}` of {class_.__name__} is {argument.default!r}, expected a JSON value"
        ) from None


def _of_type(hint: Any) -> dict[str, object]:
    """Return the schema of an annotation; one that JSON has no word for takes anything."""
    if isinstance(hint, type) and hint in _TYPES:
        return {"type": _TYPES[hint]}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal and all(isinstance(one, str) for one in arguments):
        return {"enum": list(arguments)}
    if origin is typing.Union or origin is types.UnionType:
        parts = [_of_type(one) for one in arguments if one is not type(None)]
        if len(parts) != len(arguments) and len(parts) == 1:
            kind = parts[0].get("type")
            return {"type": [kind, "null"]} if kind else {"anyOf": [*parts, {"type": "null"}]}
        return {}
    if hint is list or origin in (list, tuple, Sequence):
        return {"type": "array"}
    if hint is dict or origin in (dict, Mapping):
        return {"type": "object"}
    return {}
