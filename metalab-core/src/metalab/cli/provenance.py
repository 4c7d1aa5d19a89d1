"""Where a run comes from, as text: its code, checkout, machine, settings and packages."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from metalab.cli.text import columns, put_bytes, size
from metalab.errors import StoreError
from metalab.identity.values import to_jsonable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from metalab.results import Run

__all__ = ["provenance_lines", "show_patch"]

_DIGITS = 12
_UNKNOWN = "unknown"
_TOLD = frozenset(["git", "machine", "packages", "imported", "variables", "plugins", "command"])


def provenance_lines(run: Run) -> Iterator[str]:
    """Yield what is known of where a run comes from; what has no record is said to be unknown."""
    made = run.provenance
    extra = made.extra
    head = {
        "run": run.run_id,
        "code": made.code_hash,
        "worker": made.executor_id,
        "host": made.host,
        "python": made.python_version,
        "metalab": made.metalab_version,
        "command": shlex.join(map(str, extra["command"])) if "command" in extra else None,
        **{n: v for n, v in extra.items() if n not in _TOLD | {"python", "metalab", "host"}},
    }
    yield from _pairs(head)
    yield from _section("checkout", _checkout(extra.get("git")))
    yield from _section("machine", _machine(extra.get("machine")))
    yield from _section("variables", extra.get("variables"))
    yield from _section("plugins", _plugins(extra.get("plugins")))
    yield from _section("packages", extra.get("packages"))
    libraries = extra.get("imported")
    told = {"": ", ".join(map(str, libraries))} if isinstance(libraries, list) else None
    yield from _section("imported when it was launched", told)


def show_patch(run: Run) -> None:
    """Print the changes of the checkout as they are; raises StoreError if there are none."""
    patch = run.patch()
    if patch is None:
        raise StoreError(f"{run.run_id[:8]}: {_why_there_is_none(run.provenance.extra.get('git'))}")
    put_bytes(patch)


def _why_there_is_none(git: Any) -> str:
    if not isinstance(git, dict):
        return "its launch was made from no checkout that git knows"
    if not git.get("dirty"):
        return f"its checkout was unchanged; the code is that of commit {git.get('commit')}"
    if git.get("diff") is None:
        return "its checkout was changed, but not what in it was kept"
    return "the store has lost what was changed in its checkout"


def _section(title: str, values: Mapping[str, Any] | None) -> Iterator[str]:
    yield ""
    if not values:
        yield f"{title}: {_UNKNOWN if values is None else 'none'}"
        return
    yield f"{title}:"
    yield from (f"  {line}" for line in _pairs(values))


def _pairs(values: Mapping[str, Any]) -> list[str]:
    rows = [[name, _shown(value)] for name, value in values.items()]
    return columns(rows).splitlines() if rows else []


def _shown(value: Any) -> str:
    if value is None:
        return _UNKNOWN
    return value if isinstance(value, str) else json.dumps(to_jsonable(value))


def _checkout(git: Any) -> dict[str, Any] | None:
    if not isinstance(git, dict):
        return None
    told = {"folder": git.get("root"), "commit": git.get("commit"), "branch": git.get("branch")}
    told["changes"] = _changes(git)
    untracked = git.get("untracked")
    if isinstance(untracked, dict):
        names = (f"{name} ({str(digest)[:_DIGITS]})" for name, digest in untracked.items())
        return {**told, "untracked": ", ".join(names) or "none"}
    return {**told, "untracked": None}


def _changes(git: Mapping[str, Any]) -> str | None:
    diff = git.get("diff")
    if git.get("dirty") is False:
        return "none"
    if not isinstance(diff, dict):
        return "some, of which no record was kept"
    told = f"{size(diff.get('bytes', 0))}, {str(diff.get('sha256'))[:_DIGITS]}; --diff shows them"
    return f"the first {told}" if diff.get("truncated") else told


def _machine(machine: Any) -> dict[str, Any] | None:
    if not isinstance(machine, dict):
        return None
    told = dict(machine)
    if isinstance(told.get("memory"), int):
        told["memory"] = size(told["memory"])
    if isinstance(told.get("gpus"), list):
        told["gpus"] = ", ".join(map(str, told["gpus"])) or "none"
    return told


def _plugins(plugins: Any) -> dict[str, Any] | None:
    if not isinstance(plugins, list):
        return None
    named = [{key: str(value) for key, value in each.items()} for each in plugins]
    return {
        f"{each['group']} {each['name']}": f"{each['distribution']} {each['version']}"
        for each in named
    }
