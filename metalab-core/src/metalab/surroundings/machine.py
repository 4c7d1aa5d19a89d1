"""The machine of this process: its processors, memory and graphics cards, asked of the system."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from metalab.execution.cpus import usable_cpus

__all__ = ["describe_machine", "gpu_names"]

_CPUS = Path("/proc/cpuinfo")
_CARDS = Path("/proc/driver/nvidia/gpus")
_QUERY = ("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
_SECONDS = 2
_HEAD = 4096  # the first processor's lines; to read those of all takes longer the more there are


def describe_machine() -> dict[str, Any]:
    """Describe the machine: ``cpu``, ``cpus``, ``usable_cpus``, ``memory`` in bytes, ``gpus``.

    What the system does not say is None; without graphics cards ``gpus`` is an empty list.
    """
    return {
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "usable_cpus": usable_cpus(),
        "memory": _memory(),
        "gpus": gpu_names(),
    }


def gpu_names() -> list[str] | None:
    """Return the model of each NVIDIA card, in the order of their places; None if unknown."""
    try:
        folders = sorted(_CARDS.iterdir())
        return [_model((folder / "information").read_text(errors="replace")) for folder in folders]
    except OSError:  # no driver, or one that says nothing there
        pass
    if shutil.which(_QUERY[0]) is None:
        return []
    try:
        done = subprocess.run(  # noqa: S603  fixed words
            _QUERY,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else None


def _model(information: str) -> str:
    fields = dict(line.partition(":")[::2] for line in information.split("\n"))
    return fields.get("Model", "").strip() or "unknown"


def _cpu() -> str | None:
    try:
        with _CPUS.open("rb") as file:
            head = os.read(file.fileno(), _HEAD).decode("utf-8", "replace")
    except OSError:  # another platform
        return None
    for line in head.split("\n"):
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return None


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # another platform
        return None
