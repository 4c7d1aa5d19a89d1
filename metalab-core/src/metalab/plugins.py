"""The plugin system: a name is found in metadata, its module imported, its hooks checked.

Looking up by name before importing keeps a run from paying for plugins it does not use,
and keeps a broken plugin from breaking anything but the call that asked for it.
"""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, distributions, entry_points
from typing import Any

import attrs
import pluggy

from metalab.errors import MissingPluginError, PluginError
from metalab.hookspecs import ExecutorHooks, ParamSourceHooks, SerializerHooks, StoreHooks

__all__ = [
    "EXECUTORS",
    "EXTENSION_POINTS",
    "PARAM_SOURCES",
    "SERIALIZERS",
    "STORES",
    "ExtensionPoint",
    "PluginInfo",
    "read_metadata",
]

# Names that other distributions of this project serve, so that an error can say what to install.
_KNOWN_EXTRAS = {
    ("metalab.executors", "slurm"): "metalab[slurm]",
    ("metalab.serializers", "numpy"): "metalab[numpy]",
    ("metalab.stores", "postgres"): "metalab[postgres]",
    ("metalab.stores", "postgresql"): "metalab[postgres]",
}
_SPECIFICATIONS = (StoreHooks, ExecutorHooks, SerializerHooks, ParamSourceHooks)
_HOOKS = [
    name
    for specification in _SPECIFICATIONS
    for name in vars(specification)
    if name.startswith("metalab_")
]


@attrs.frozen(order=True)
class PluginInfo:
    """Where a plugin comes from, read from metadata without importing it."""

    group: str
    name: str
    module: str
    distribution: str
    version: str

    def __str__(self) -> str:
        """Name the plugin and its distribution."""
        return f"{self.name} ({self.distribution} {self.version})"


class ExtensionPoint:
    """One entry-point group, its hook specifications, and the plugins loaded from it so far."""

    def __init__(self, group: str, specification: type) -> None:
        self.group = group
        self._hooks = [name for name in vars(specification) if name.startswith("metalab_")]
        self._index: dict[str, list[EntryPoint]] | None = None
        self._loaded: dict[str, pluggy.HookRelay] = {}

    def __contains__(self, name: object) -> bool:
        """Tell whether an installed, enabled distribution serves the name."""
        return name in self._entries()

    def __getitem__(self, name: str) -> Any:
        """Return the hooks of the plugin of that name, importing it on first use.

        Raises MissingPluginError if no plugin has the name, PluginError if two distributions
        serve it or the plugin does not load.
        """
        # A pluggy relay resolves hooks dynamically, hence Any: callers wrap each hook in a
        # typed function.
        if name not in self._loaded:
            self._loaded[name] = self._load(self._find(name))
        return self._loaded[name]

    def installed(self) -> list[PluginInfo]:
        """List what metadata offers, sorted, importing nothing; disabled plugins are left out."""
        return sorted(_info(entry) for found in self._entries().values() for entry in found)

    def info(self, name: str) -> PluginInfo:
        """Return where the plugin of that name comes from; raises what a lookup does."""
        return _info(self._find(name))

    def loaded(self) -> list[PluginInfo]:
        """List the plugins that were used so far in this process."""
        return sorted(self.info(name) for name in self._loaded)

    def forget(self) -> None:
        """Read the metadata again on the next lookup, for tests and interactive installs."""
        _scan.cache_clear()
        self._index = None
        self._loaded.clear()

    def extras(self) -> dict[str, str]:
        """Return what brings those plugins of this project that are not there, by their names."""
        return {
            name: extra
            for (group, name), extra in _KNOWN_EXTRAS.items()
            if group == self.group and name not in self
        }

    def missing(self, name: str) -> str:
        """Say that no plugin has the name, what is installed and what to install."""
        names, extras = sorted(self._entries()), self.extras()
        text = f"no {self.group} plugin is named {name!r} (installed: {', '.join(names) or 'none'})"
        for entry in _scan().select(group=self.group, name=name):
            return f"{text}; METALAB_DISABLE_PLUGINS turns off {_info(entry)}"
        if _is_uninstalled():
            return f"{text}; metalab runs from source that is not installed: pip install metalab"
        if extra := extras.get(name):
            return f"{text}; install it with: pip install '{extra}'"
        for close in get_close_matches(name, [*names, *extras], n=1):
            meant = f"{text}; did you mean {close!r}?"
            return f"{meant} pip install '{extras[close]}'" if close in extras else meant
        return f"{text}; install what brings it (metalab plugins lists what is there)"

    def _entries(self) -> dict[str, list[EntryPoint]]:
        if self._index is None:
            index: dict[str, list[EntryPoint]] = {}
            disabled = _disabled()
            for entry in _scan().select(group=self.group):
                if not disabled or _normalised(_info(entry).distribution) not in disabled:
                    index.setdefault(entry.name, []).append(entry)
            self._index = index
        return self._index

    def _find(self, name: str) -> EntryPoint:
        found = self._entries().get(name, [])
        if len(found) > 1:
            rivals = " and ".join(sorted(str(_info(entry)) for entry in found))
            raise PluginError(
                f"more than one distribution serves {name!r} in {self.group}: {rivals}; "
                "uninstall all but one, or name the others in METALAB_DISABLE_PLUGINS"
            )
        if not found:
            raise MissingPluginError(self.missing(name))
        return found[0]

    def _load(self, entry: EntryPoint) -> pluggy.HookRelay:
        # A manager of its own, so that no plugin can answer for another one's name.
        manager = pluggy.PluginManager("metalab")
        for specification in _SPECIFICATIONS:  # one module may serve several groups
            manager.add_hookspecs(specification)
        try:
            plugin = entry.load()
            manager.register(plugin, name=entry.name)
            manager.check_pending()
        except Exception as error:  # whatever a third party's module does at import
            info = _info(entry)
            raise PluginError(
                f"{info.distribution} {info.version} does not load its {self.group} plugin "
                f"{info.name!r} ({info.module}): {type(error).__name__}: {error}{_meant(error)}"
            ) from error
        if fault := self._fault(plugin, manager):
            info = _info(entry)
            raise PluginError(
                f"{info.distribution} {info.version} registers {info.module} as {info.name!r} in "
                f"{self.group}, but {fault}"
            )
        return manager.hook

    def _fault(self, plugin: object, manager: pluggy.PluginManager) -> str | None:
        # pluggy passes over a function without the marker in silence.
        implemented = {caller.name for caller in manager.get_hookcallers(plugin) or ()}
        for hook in self._hooks:
            if hook not in implemented and callable(getattr(plugin, hook, None)):
                return f"its function {hook} is not marked with @metalab.hookimpl"
        unmarked = [
            name
            for name in dir(plugin)
            if name.startswith("metalab_") and manager.parse_hookimpl_opts(plugin, name) is None
        ]
        for name in unmarked:
            if name not in _HOOKS and (close := _close(name)):
                return f"its {name} is no hook; did you mean {close}?"
        if implemented.isdisjoint(self._hooks):
            return f"it implements none of that group's hooks: {', '.join(self._hooks)}"
        return None


def read_metadata() -> None:
    """Read the metadata of all plugins now, if no lookup has, so that the first one is quick."""
    _scan()


@cache
def _scan() -> Any:
    # One scan for all groups: it reads a file of every distribution on sys.path.
    return entry_points()


def _meant(error: Exception) -> str:
    """Name the hook that a misspelt one may have been meant to be."""
    misspelt = re.match(r"unknown hook '(\w+)'", str(error))
    hook = _close(misspelt[1]) if misspelt else None
    return f"; did you mean {hook}?" if hook else ""


def _close(name: str) -> str | None:
    return next(iter(get_close_matches(name, _HOOKS, n=1, cutoff=0.8)), None)


def _info(entry: EntryPoint) -> PluginInfo:
    told: Any = {} if entry.dist is None else entry.dist.metadata  # which is read anew each time
    # What an interrupted uninstall leaves of a distribution has no name and no version.
    name, version = (
        told[field] if field in told else "unknown"  # noqa: SIM401  a message's get is another
        for field in ("Name", "Version")
    )
    return PluginInfo(entry.group, entry.name, entry.value, name, version)


def _disabled() -> frozenset[str]:
    listed = os.environ.get("METALAB_DISABLE_PLUGINS", "")
    return frozenset(_normalised(name) for name in listed.split(",") if name.strip())


def _normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution.strip()).lower()


def _is_uninstalled() -> bool:
    return not any(True for _ in distributions(name="metalab-core"))


STORES = ExtensionPoint("metalab.stores", StoreHooks)
EXECUTORS = ExtensionPoint("metalab.executors", ExecutorHooks)
SERIALIZERS = ExtensionPoint("metalab.serializers", SerializerHooks)
PARAM_SOURCES = ExtensionPoint("metalab.param_sources", ParamSourceHooks)
EXTENSION_POINTS = (STORES, EXECUTORS, SERIALIZERS, PARAM_SOURCES)
