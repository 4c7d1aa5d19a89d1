"""Names on disk: any text becomes one portable file name, and no two texts share one.

A name holds only lower-case ASCII letters, digits, ``.``, ``_``, ``-`` and ``%`` (and ``~``
where it was too long), so a file system that ignores case, normalises Unicode, drops
trailing dots or reserves device names cannot make two of them meet.
"""

from __future__ import annotations

from hashlib import blake2b
from urllib.parse import unquote

__all__ = [
    "ending",
    "experiment_folder",
    "experiment_of_folder",
    "file_name",
    "part_name",
    "split_part",
    "writer_name",
]

_LONGEST = 100
_LONGEST_ENDING = 40
_STEM = 60
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789._-")
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)


def file_name(text: str, *, longest: int = _LONGEST) -> str:
    """Return the file name of a text: itself, where it is short and plain.

    Names longer than ``longest`` bytes become a stem, ``~`` and 16 hex digits of the
    text's hash.
    """
    return _finished(_quoted(text), text, longest)


def ending(extension: str) -> str:
    """Return what an extension, given without its dot, adds to a file's name."""
    return f".{file_name(extension, longest=_LONGEST_ENDING)}" if extension else ""


def experiment_folder(experiment_id: str) -> str:
    """Return the folder name of an experiment id ``name:version``: ``<name>_<version>``.

    Raises ValueError if the id is no such pair.
    """
    name, colon, version = experiment_id.partition(":")
    if not (name and colon):
        raise ValueError(f"{experiment_id!r} is no experiment id; write name:version")
    folder = f"{_quoted(name)}_{_quoted(version, also=b'_')}"
    return _finished(folder, experiment_id, _LONGEST)


def experiment_of_folder(folder: str) -> str | None:
    """Return the experiment id that a folder name spells out, or None if it does not."""
    name, underscore, version = folder.rpartition("_")
    experiment_id = f"{unquote(name)}:{unquote(version)}"
    if not (name and underscore) or experiment_folder(experiment_id) != folder:
        return None
    return experiment_id


def writer_name(launch: str, task: str, host: str, token: str) -> str:
    """Return the name of a writer's files: ``<launch>.<task>.<host>.<token>``.

    The dots inside the parts are quoted, so that the parts can be read off again.
    """
    parts = (_short(part) for part in (launch, task, host.partition(".")[0] or "localhost"))
    return ".".join((*parts, token))


def part_name(writer: str, part: int) -> str:
    """Return the stem of the files of one part of a writer."""
    return writer if part == 1 else f"{writer}-{part}"


def split_part(name: str) -> tuple[str, int]:
    """Take the name of a writer's file apart: the writer and the part."""
    stem = name.removesuffix(".gz")
    for ending in (".jsonl", ".log", ".tar"):
        stem = stem.removesuffix(ending)
    writer, dash, part = stem.rpartition("-")
    if dash and part.isdecimal() and part.isascii() and not part.startswith("0"):
        return writer, int(part)
    return stem, 1


def _short(text: str) -> str:
    return _finished(_quoted(text, also=b"."), text, longest=40)


def _quoted(text: str, also: bytes = b"") -> str:
    raw = text.encode("utf-8", "surrogatepass")
    return "".join(
        chr(byte) if byte in _PLAIN and byte not in also else f"%{byte:02x}" for byte in raw
    )


def _finished(quoted: str, text: str, longest: int) -> str:
    """Rule out what some file systems treat specially, and what is too long."""
    if not quoted:
        return "%"
    if quoted.startswith(".") or quoted.partition(".")[0] in _DEVICES:
        quoted = f"%{ord(quoted[0]):02x}{quoted[1:]}"
    if quoted.endswith("."):
        quoted = f"{quoted[:-1]}%2e"
    if len(quoted) <= longest:
        return quoted
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{quoted[: min(_STEM, longest - 17)]}~{digest}"
