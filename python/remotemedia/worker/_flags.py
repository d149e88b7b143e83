"""The flags of this interpreter, for the workers that it starts."""

from __future__ import annotations

import sys

__all__ = ["flags"]

_LETTERS = {
    "debug": "d",
    "dont_write_bytecode": "B",
    "no_site": "S",
    "verbose": "v",
    "bytes_warning": "b",
    "quiet": "q",
    "optimize": "O",
}
"""What is given as often as its value says."""

_ALONE = ("importtime", "showrefcount")
"""What would only write to the worker's output."""


def flags() -> list[str]:
    """Return the options that start an interpreter like this one, as `multiprocessing` passes them on."""
    is_set = sys.flags
    found = [f"-{letter * int(getattr(is_set, name))}" for name, letter in _LETTERS.items() if getattr(is_set, name)]
    if is_set.isolated:
        found.append("-I")
    else:
        found += ["-E"] * bool(is_set.ignore_environment) + ["-s"] * bool(is_set.no_user_site)
        # Since Python 3.11.
        found += ["-P"] * bool(getattr(is_set, "safe_path", False))
    warnings = list(sys.warnoptions)
    # Those that other flags bring with them.
    brought = (
        {1: "default::BytesWarning"}.get(is_set.bytes_warning, "error::BytesWarning") if is_set.bytes_warning else ""
    )
    for one in (brought, "default" if is_set.dev_mode else ""):
        if one in warnings:
            warnings.remove(one)
    found += [f"-W{one}" for one in warnings]
    for name, value in sys._xoptions.items():
        if name not in _ALONE:
            found.append(f"-X{name}" if value is True else f"-X{name}={value}")
    return found
