"""Nodes that say where they run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

PLANTED = "sitecustomize"


class Same:
    """Gives back what it gets."""

    def process(self, data: Any) -> Any:
        return os.getpid() if isinstance(data, str) and data == "pid" else data


class Flags:
    """Says how its interpreter was started."""

    def process(self, data: Any) -> dict[str, Any]:
        planted = getattr(sys.modules.get(PLANTED), "planted", False)
        return {
            "optimize": sys.flags.optimize,
            "isolated": sys.flags.isolated,
            "ignore_environment": sys.flags.ignore_environment,
            "utf8_mode": sys.flags.utf8_mode,
            "dev_mode": sys.flags.dev_mode,
            "warnoptions": sys.warnoptions,
            "xoptions": sorted(sys._xoptions),
            "planted": planted,
        }


class Says:
    """Writes as many bytes to standard error as it is told, in lines."""

    def process(self, data: int) -> int:
        sys.stderr.write(("x" * 99 + "\n") * (data // 100))
        sys.stderr.flush()
        return data


class Dies:
    """Dies, and leaves a daemon behind that holds its pipes."""

    def process(self, data: Any) -> Any:
        subprocess.Popen(["setsid", "sleep", "2"])
        os.kill(os.getpid(), signal.SIGKILL)
