"""Last words: what the interpreter of a worker wrote down of where its threads were."""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path

__all__ = ["readable"]

_HERE = str(Path(__file__).parent.parent.parent)
_is_thread = re.compile(r"(Current thread|Thread) 0x").match
_file_of = re.compile(r'\s*File "([^"]*)"').match


def readable(words: str) -> str:
    """Return what concerns the operation: its threads, without the frames that called it.

    ``words`` is what faulthandler writes. Only the last of several dumps is kept.
    """
    blocks = [_without_callers(block) for block in words.split("\n\n")]
    told = [block for block in blocks if block and not block.startswith("Extension modules:")]
    return "\n\n".join(_last_of_each(told))


def _last_of_each(blocks: list[str]) -> list[str]:
    kept: dict[str, str] = {}
    for block in blocks:
        kept[block.partition("\n")[0]] = block
    return list(kept.values())


def _without_callers(block: str) -> str:
    """Cut the frames from metalab's own on; nothing is left of a thread that is metalab's."""
    first, *frames = block.strip().split("\n")
    if not _is_thread(first):
        return block.strip()
    own = [n for n, frame in enumerate(frames) if _is_ours(frame)]
    if not own:
        return block.strip()
    called = frames[: own[0]]
    if any(_is_a_users(frame) for frame in called):
        return "\n".join([first, *called])
    return block.strip() if first.startswith("Current") else ""


def _is_ours(frame: str) -> bool:
    found = _file_of(frame)
    return found is not None and found[1].startswith(_HERE)


def _is_a_users(frame: str) -> bool:
    found = _file_of(frame)
    return found is not None and not found[1].startswith(_STANDARD)


_STANDARD = tuple(
    str(Path(sysconfig.get_path(name), "_")).removesuffix("_") for name in ("stdlib", "platstdlib")
)
