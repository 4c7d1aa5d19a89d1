"""Times and memory sizes as Slurm's commands read and write them."""

from __future__ import annotations

import math
import re
from datetime import timedelta

__all__ = ["memory_text", "read_memory", "read_time", "time_text"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_LONGEST = 100 * 365 * _DAY
_MEGABYTES = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024 * 1024}
_TIMES = "'90' (minutes), '30:00', '12:00:00', '2-12' (days and hours), '1-06:30:00'"

_is_time = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", re.ASCII).fullmatch
_is_size = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?)(?:i?B)?", re.ASCII | re.IGNORECASE).fullmatch


def read_time(value: str | int | timedelta, what: str = "time") -> int:
    """Return the seconds of a time limit: text in a form of sbatch's, minutes, or a timedelta.

    Raises ValueError for text that sbatch would refuse, and for no time at all, which Slurm
    takes for no limit.
    """
    seconds = _seconds(value, what)
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f"{what}={value!r}: a time limit is more than none, and under 100 years")
    return seconds


def _seconds(value: str | int | timedelta, what: str) -> int:
    if isinstance(value, timedelta):
        return math.ceil(value.total_seconds())
    if isinstance(value, str):
        return _parsed(value.strip(), f"{what}={value!r}")
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what}={value!r} is no time: give text such as {_TIMES}, or minutes")
    return value * _MINUTE


def _parsed(text: str, where: str) -> int:
    found = _is_time(text)
    if not found:
        raise ValueError(f"{where} is no time that sbatch reads: use {_TIMES}")
    days, first, second, third = (int(each or 0) for each in found.groups())
    if found[1] is None and found[4] is None:  # without days and without hours
        return first * _MINUTE + second
    return days * _DAY + first * _HOUR + second * _MINUTE + third


def time_text(seconds: int) -> str:
    """Write seconds as Slurm does: ``01:30:00``, or ``2-12:00:00`` from a day on."""
    days, rest = divmod(seconds, _DAY)
    hours, rest = divmod(rest, _HOUR)
    clock = f"{hours:02}:{rest // _MINUTE:02}:{rest % _MINUTE:02}"
    return f"{days}-{clock}" if days else clock


def read_memory(value: str | int, what: str = "memory") -> int:
    """Return the megabytes of a size: text such as ``"4G"``, or megabytes; 0 is all of a node.

    Parts of a megabyte count as a whole one. Raises ValueError for text that is no size.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"{what}={value!r} is no size: give text such as '4G', or megabytes")
    if isinstance(value, int):
        megabytes: float = value
    elif found := _is_size(value.strip()):
        megabytes = float(found[1]) * _MEGABYTES[found[2].upper() or "M"]
    else:
        raise ValueError(f"{what}={value!r} is no size: use '500M', '4G', '1.5T' or megabytes")
    if not 0 <= megabytes < 1 << 40:
        raise ValueError(f"{what}={value!r}: no node has that much memory")
    return math.ceil(megabytes)


def memory_text(megabytes: int) -> str:
    """Write megabytes as sbatch reads them: ``4G``, ``1500M``, ``0`` for all of a node."""
    if megabytes == 0:
        return "0"
    if megabytes % 1024 == 0:
        return f"{megabytes // 1024}G"
    return f"{megabytes}M"
