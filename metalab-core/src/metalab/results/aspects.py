"""Aspects: what is known of a run, as flat facts by name that can be compared with another's."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from metalab.records import Provenance
    from metalab.results.run import Run

__all__ = ["ASPECTS", "DECIDERS", "UNKNOWN", "Beginning", "Facts", "facts_of", "shared_aspects"]


class _Unknown(Enum):
    UNKNOWN = "unknown"


UNKNOWN: Final = _Unknown.UNKNOWN
"""What stands for a fact of which there is no record."""


@attrs.frozen
class Facts:
    """What is known of one aspect, by name; ``are_all`` says that there is nothing else."""

    values: Mapping[str, Any] = attrs.Factory(dict)
    are_all: bool = True


DECIDERS = {"context": "fingerprint", "code": "hash"}
"""Facts by aspect that, where they are equal, say that all others are."""

_NOTHING = Facts(are_all=False)

ASPECTS = (
    *("params", "context", "seeds", "code", "environment", "variables", "packages", "git"),
    *("metrics", "status", "place", "duration"),
)
"""The aspects of a run, in the order in which they are told."""


@attrs.frozen
class Beginning:
    """Something of which no more than the beginning is kept, by its sha256."""

    sha256: str


_PLACE = ("started", "user", "command", "main", "directory", "executor")
_SCHEDULER = "SLURM_"  # what a job is called differs from job to job


def shared_aspects(left: Run, right: Run) -> frozenset[str]:
    """Return the aspects that two runs have alike, recorded or not, since one launch made both."""
    one, other = left.provenance, right.provenance
    keys = ("launch", "started")
    known = [[each.extra.get(key) for key in keys] for each in (one, other)]
    if known[0] != known[1] or None in known[0]:
        return frozenset()
    here = {"environment"} if one.host is not None and one.host == other.host else set()
    return frozenset({"variables", "packages", "git", *here})


def facts_of(run: Run) -> dict[str, Facts]:
    """Return the facts of every aspect of a run."""
    made = run.provenance
    return {
        "params": Facts(run.params),
        "context": _context(run),
        "seeds": Facts({"seed": run.seed, "replicate": run.replicate}),
        "code": _code(run),
        "environment": _environment(made),
        "variables": _chosen(made.extra, lambda name: not _is_scheduler(name)),
        "packages": _recorded(made.extra, "packages"),
        "git": _git(made),
        "metrics": Facts(run.metrics),
        "status": Facts({"status": run.status.value, "error": (run.error or {}).get("type")}),
        "place": _place(made),
        "duration": Facts({"milliseconds": _known(run.duration_ms)}),
    }


def _known(value: Any) -> Any:
    return UNKNOWN if value is None else value


def _recorded(extra: Mapping[str, Any], name: str) -> Facts:
    found = extra.get(name)
    return Facts(found) if isinstance(found, dict) else _NOTHING


def _chosen(extra: Mapping[str, Any], is_wanted: Callable[[str], bool]) -> Facts:
    found = _recorded(extra, "variables")
    return Facts({n: v for n, v in found.values.items() if is_wanted(n)}, found.are_all)


def _context(run: Run) -> Facts:
    fingerprint = run.record.context_fingerprint
    told = run.manifest.get("context")
    if not fingerprint:
        return _NOTHING
    if isinstance(told, dict) and told.get("fingerprint") == fingerprint and "value" in told:
        # The fingerprint decides: a large value stands in the manifest by its own.
        return Facts({"fingerprint": fingerprint, **_flat(told["value"], "context")})
    return Facts({"fingerprint": fingerprint}, are_all=False)


def _flat(value: Any, path: str) -> dict[str, Any]:
    if isinstance(value, dict) and value and not any(key.startswith("$") for key in value):
        found: dict[str, Any] = {}
        for key, each in value.items():
            found |= _flat(each, f"{path}.{key}")
        return found
    return {path: value}


def _code(run: Run) -> Facts:
    ran = run.provenance.code_hash
    if not ran:
        return _NOTHING
    told = run.manifest.get("code")
    # What was planned need not be what a worker has loaded.
    if isinstance(told, dict) and told.get("hash") == ran and isinstance(told.get("parts"), dict):
        return Facts({"hash": ran, **told["parts"]})
    return Facts({"hash": ran}, are_all=False)


def _environment(made: Provenance) -> Facts:
    extra = made.extra
    facts: dict[str, Any] = {
        "python": _known(made.python_version),
        "metalab": _known(made.metalab_version),
        "implementation": _known(extra.get("implementation")),
        "platform": _known(extra.get("platform")),
    }
    machine = extra.get("machine")
    for name in ("cpu", "cpus", "usable_cpus", "memory", "gpus"):
        facts[name] = _known(machine.get(name)) if isinstance(machine, dict) else UNKNOWN
    plugins = extra.get("plugins")
    facts["plugins"] = list(map(_plugin, plugins)) if isinstance(plugins, list) else UNKNOWN
    return Facts(facts)


def _plugin(found: Mapping[str, Any]) -> str:
    return f"{found.get('name')} ({found.get('distribution')} {found.get('version')})"


def _is_scheduler(name: str) -> bool:
    return name.startswith(_SCHEDULER)


def _git(made: Provenance) -> Facts:
    git = made.extra.get("git")
    if not isinstance(git, dict):
        return _NOTHING
    facts = {name: _known(git.get(name)) for name in ("commit", "dirty")}
    facts["branch"] = git.get("branch")
    facts["changes"] = None if git.get("dirty") is False else _changed(git.get("diff"))
    untracked = git.get("untracked")
    facts["untracked"] = untracked if isinstance(untracked, dict) else UNKNOWN
    return Facts(facts)


def _changed(diff: Any) -> Any:
    if not isinstance(diff, dict) or "sha256" not in diff:
        return UNKNOWN
    return Beginning(diff["sha256"]) if diff.get("truncated") else diff["sha256"]


def _place(made: Provenance) -> Facts:
    jobs = _chosen(made.extra, _is_scheduler)
    known = {
        "launch": _known(made.extra.get("launch")),
        "worker": _known(made.executor_id),
        "host": _known(made.host),
        **{name: _known(made.extra.get(name)) for name in _PLACE},
    }
    return Facts({**known, **jobs.values}, jobs.are_all)
