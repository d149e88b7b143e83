"""PEP 517 and PEP 660 hooks: pip calls these, they call ``cargo xtask``.

The wheel itself is made by xtask, so there is nothing here to require: no setuptools, no maturin.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

Settings = dict[str, Any] | None


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """Nothing: Rust is needed, which no Python package brings."""
    return []


get_requires_for_build_sdist = get_requires_for_build_wheel
get_requires_for_build_editable = get_requires_for_build_wheel


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    """Build the wheel; ``--config-settings glibc=2.17`` builds it for older systems."""
    glibc = (config_settings or {}).get("glibc")
    return _xtask("build-wheel", wheel_directory, *(["--glibc", str(glibc)] if glibc else []))


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """Build the library into the source tree, and a wheel that points to it."""
    return _xtask("build-editable", wheel_directory)


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    """Build the source archive."""
    return _xtask("build-sdist", sdist_directory)


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Settings = None) -> str:
    """Write the dist-info folder without building the library."""
    return _xtask("dist-info", metadata_directory)


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def _xtask(command: str, folder: str, *options: str) -> str:
    """Run one xtask command with ``--out folder``; return the name that it printed first."""
    if not (ROOT / "xtask" / "Cargo.toml").is_file():
        raise SystemExit(
            "remotemedia: the Rust sources are not beside python/; "
            "use pip 21.3 or newer, and the whole repository or the source archive"
        )
    program = os.environ.get("CARGO", "cargo")
    words = [program, "run", "--quiet", "--package", "xtask", "--", command]
    words += ["--out", str(Path(folder).resolve()), *options]
    try:
        done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    except FileNotFoundError:
        raise SystemExit("remotemedia: cargo is missing: install Rust to build from source") from None
    if done.returncode != 0:
        raise SystemExit(f"remotemedia: `cargo xtask {command}` failed, see above")
    return Path(done.stdout.splitlines()[-1 if command == "dist-info" else 0]).name
