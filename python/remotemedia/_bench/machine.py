"""What the figures were measured on."""

from __future__ import annotations

import datetime
import os
import platform
import sys
from importlib.metadata import version

import remotemedia as rm
from remotemedia._bench import peers

__all__ = ["cores", "describe"]


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def describe() -> dict[str, object]:
    """Return processor, cores, system, versions and date."""
    return {
        "date": datetime.date.today().isoformat(),
        "processor": _processor(),
        "cores": cores(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {sys.version.split()[0]}",
        "remotemedia": rm.__version__,
        "numpy": version("numpy"),
        "peers": peers.versions(),
    }
