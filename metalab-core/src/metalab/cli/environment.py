"""The checks of ``metalab doctor`` that need no store: interpreter, versions, plugins."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from metalab.cli.conformity import problem_of
from metalab.cli.finding import Finding, State
from metalab.errors import PluginError
from metalab.execution.choice import executor_class
from metalab.plugins import EXECUTORS, EXTENSION_POINTS, SERIALIZERS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_environment"]

# What metalab uses where it is there: the distribution, what for, and what brings it.
_SOFT = {
    "numpy": ("arrays as params, metrics and artifacts", "metalab[numpy]"),
    "pandas": ("data frames", "metalab[pandas]"),
    "rich": ("progress bars and tables on a terminal", "metalab[rich]"),
    "matplotlib": ("figures", "metalab[plot]"),
}


def check_environment() -> Iterator[Finding]:
    """Check what every command depends on."""
    yield _python()
    yield _metalab()
    yield from _plugins()
    yield from _absent_plugins()
    yield from _executors()
    yield from _soft_dependencies()


def _python() -> Finding:
    name, number = platform.python_implementation(), platform.python_version()
    return Finding(
        "python",
        State.OK,
        f"{name} {number} ({sys.executable}) on {platform.platform()}",
        {"version": number, "executable": sys.executable, "platform": platform.platform()},
    )


def _metalab() -> Finding:
    found = _version("metalab-core")
    if found is None:
        text = "runs from source that is not installed: no plugin is found; pip install metalab"
        return Finding("metalab", State.WRONG, text, {"version": None})
    return Finding("metalab", State.OK, found, {"version": found})


def _plugins() -> Iterator[Finding]:
    """Load each plugin; those of one distribution that load are one finding."""
    loaded: dict[tuple[str, str], list[str]] = {}
    problems: dict[str, None] = {}
    for point in EXTENSION_POINTS:
        for info in point.installed():
            problem = problem_of(point, info.name)
            if problem is None:
                loaded.setdefault((info.distribution, info.version), []).append(info.name)
            else:
                problems[problem] = None
    for (distribution, number), names in sorted(loaded.items()):
        text = f"{distribution} {number} loads: {', '.join(names)}"
        details = {"distribution": distribution, "version": number, "names": names}
        yield Finding("plugins", State.OK, text, details)
    for problem in problems:
        yield Finding("plugins", State.WRONG, problem)


def _absent_plugins() -> Iterator[Finding]:
    """Name what else of this project could be installed; a library's objects have notes below."""
    absent: dict[tuple[str, str], list[str]] = {}
    for point in EXTENSION_POINTS:
        for name, extra in point.extras().items():
            if name not in _SOFT:
                absent.setdefault((extra, point.group), []).append(name)
    for (extra, group), names in absent.items():
        text = f"not installed: {', '.join(names)} of {group}; pip install '{extra}'"
        yield Finding("plugins", State.NOTE, text, {"group": group, "names": names})


def _executors() -> Iterator[Finding]:
    """Ask those executors that need something of this machine whether it is there."""
    for info in EXECUTORS.installed():
        try:
            kind = executor_class(info.name)
        except PluginError:  # said among the plugins
            continue
        if kind is not None and (found := kind.readiness()) is not None:
            is_ready, text = found
            state = State.OK if is_ready else State.NOTE
            yield Finding(f"executor {info.name}", state, text, {"ready": is_ready})


def _soft_dependencies() -> Iterator[Finding]:
    for name, (purpose, brought_by) in _SOFT.items():
        number = _version(name)
        details = {"version": number}
        if number is None:
            text = f"not installed: no {purpose}; pip install '{brought_by}'"
            yield Finding(name, State.NOTE, text, details)
        elif name == "numpy" and name not in SERIALIZERS:
            text = f"{number}, but not metalab-numpy: no {purpose}; pip install '{brought_by}'"
            yield Finding(name, State.NOTE, text, details)
        else:
            yield Finding(name, State.OK, f"{number}, for {purpose}", details)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
