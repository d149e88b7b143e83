"""Memory for frames of audio that are alike, one after the other, between native code and a node of this process."""

from __future__ import annotations

import ctypes
from sys import getrefcount
from typing import TYPE_CHECKING, Any

import numpy as np

from remotemedia._arrays import address
from remotemedia._lib import native
from remotemedia.worker._wire import AUDIO, COPIED_BYTES

if TYPE_CHECKING:
    from remotemedia._audio import Audio
    from remotemedia.worker._wire import Form

__all__ = ["INPUT", "OUTPUT", "Frames", "forget"]

OUTPUT, INPUT = 1, 2
"""Where the result is, as native code is told."""

_FLOAT32 = np.dtype(np.float32)

_memory: Any = ctypes.PyDLL(native._UniffiLib._name).remotemedia_node_memory
_memory.argtypes = [ctypes.c_uint64] * 6
_memory.restype = None


def forget(stream: int) -> None:
    """Take the memory of a stream back from native code."""
    _memory(stream, 0, 0, 0, 0, 0)


class Frames:
    """The memory of one stream: native code writes head and input, the node's result goes to the output.

    The input is an array that the node may keep: then it is the node's, and the stream gets another one.
    """

    __slots__ = ("_alone", "_head_view", "form", "head", "input", "output", "rate", "shape")

    def __init__(self, head: bytes, form: Form) -> None:
        self.form, self.shape, self.rate = form, form.shape, form.numbers[0]
        self.head = bytearray(head)
        self._head_view = (ctypes.c_char * len(head)).from_buffer(self.head)
        self.output: np.ndarray[Any, Any] = np.empty(form.shape, _FLOAT32)
        self.input: np.ndarray[Any, Any] = np.empty(form.shape, _FLOAT32)
        self._alone = 0

    @staticmethod
    def suits(form: Form) -> bool:
        """Whether frames of this form are short ones of audio."""
        return form.kind == AUDIO and form.dtype == _FLOAT32 and 0 < form.payload_len <= COPIED_BYTES

    def renew(self, stream: int) -> None:
        """Take another input, and tell native code.

        An exception may come between any two steps: native code knows of no memory until all of it is kept here.
        """
        forget(stream)
        self.input = np.empty(self.shape, _FLOAT32)
        self._alone = self._references()
        head = ctypes.addressof(self._head_view)
        _memory(stream, head, len(self.head), address(self.input), address(self.output), self.input.nbytes)

    def given(self) -> np.ndarray[Any, Any]:
        """Return the input for a node: an array that nobody has had before, read-only."""
        array: np.ndarray[Any, Any] = self.input.view()
        array.flags.writeable = False
        return array

    def _references(self) -> int:
        return getrefcount(self.input)

    def is_looked_at(self) -> bool:
        """Whether somebody else holds the input, or an array over it."""
        return self._references() != self._alone

    def takes(self, audio: Audio) -> bool:
        """Put a result into the output, if it is of the same form."""
        samples = audio._samples
        if samples.shape != self.shape or audio._rate != self.rate or samples.dtype != _FLOAT32:
            return False
        self.output[...] = samples
        return True
