"""The plugin system: a name is looked up in metadata, one module is imported, its hooks are checked.

Looking up by name before importing keeps a run from paying for plugins it does not use,
and keeps a broken plugin from breaking anything but the call that asked for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches
from importlib.metadata import EntryPoint, distributions, entry_points
from typing import Any

import attrs
import pluggy

from metalab.errors import PluginError
from metalab.hookspecs import ExecutorHooks, ParamSourceHooks, SerializerHooks, StoreHooks

__all__ = ["EXECUTORS", "EXTENSION_POINTS", "PARAM_SOURCES", "SERIALIZERS", "STORES"]

# Names that other distributions of this project serve, so that an error can say what to install.
_KNOWN_EXTRAS = {
    ("metalab.executors", "slurm"): "metalab[slurm]",
    ("metalab.serializers", "numpy"): "metalab[numpy]",
    ("metalab.stores", "postgres"): "metalab[postgres]",
    ("metalab.stores", "postgresql"): "metalab[postgres]",
}


@attrs.frozen(order=True)
class PluginInfo:
    """Where a plugin comes from, read from metadata without importing it."""

    group: str
    name: str
    module: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution} {self.version})"


def _disabled() -> frozenset[str]:
    listed = os.environ.get("METALAB_DISABLE_PLUGINS", "")
    return frozenset(_normalised(name) for name in listed.split(",") if name.strip())


def _normalised(distribution: str) -> str:
    return distribution.strip().lower().replace("_", "-").replace(".", "-")


class ExtensionPoint:
    """One entry-point group, its hook specifications, and the plugins loaded from it so far."""

    def __init__(self, group: str, specification: type) -> None:
        self.group = group
        self._specification = specification
        self._index: dict[str, list[EntryPoint]] | None = None
        self._loaded: dict[str, pluggy.HookRelay] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._entries()

    def __getitem__(self, name: str) -> Any:
        """Return the hooks of the plugin of that name, importing it on first use.

        Raises PluginError if the name is unknown, served by two distributions, or if the
        plugin does not load.
        """
        # A pluggy relay resolves hooks dynamically, hence Any: callers wrap each hook in a
        # typed function.
        if name not in self._loaded:
            self._loaded[name] = self._load(self._find(name))
        return self._loaded[name]

    def installed(self) -> list[PluginInfo]:
        """List what metadata offers, sorted, importing nothing; disabled plugins are left out."""
        return sorted(_info(e, self.group) for found in self._entries().values() for e in found)

    def info(self, name: str) -> PluginInfo:
        """Return where the plugin of that name comes from; raises PluginError as lookup does."""
        return _info(self._find(name), self.group)

    def loaded(self) -> list[PluginInfo]:
        """List the plugins that were used so far in this process."""
        return sorted(self.info(name) for name in self._loaded)

    def forget(self) -> None:
        """Read the metadata again on the next lookup, for tests and interactive installs."""
        self._index = None
        self._loaded.clear()

    def _entries(self) -> dict[str, list[EntryPoint]]:
        if self._index is None:
            index: dict[str, list[EntryPoint]] = {}
            disabled = _disabled()
            for entry in _unique(entry_points(group=self.group)):
                if _normalised(_info(entry, self.group).distribution) not in disabled:
                    index.setdefault(entry.name, []).append(entry)
            self._index = index
        return self._index

    def _find(self, name: str) -> EntryPoint:
        found = self._entries().get(name, [])
        if len(found) == 1:
            return found[0]
        if found:
            rivals = " and ".join(str(_info(entry, self.group)) for entry in found)
            raise PluginError(
                f"two distributions serve {name!r} in {self.group}: {rivals}; "
                "uninstall one, or set METALAB_DISABLE_PLUGINS to its distribution's name"
            )
        raise PluginError(self.missing(name))

    def missing(self, name: str) -> str:
        """Say that no plugin has the name, what is installed and what to install."""
        names = sorted(self._entries())
        text = f"no {self.group} plugin is named {name!r} (installed: {', '.join(names) or 'none'})"
        extra = _KNOWN_EXTRAS.get((self.group, name))
        if _is_uninstalled():
            return text + "; metalab runs from source that is not installed: pip install metalab"
        if extra:
            return text + f"; install it with: pip install '{extra}'"
        if close := get_close_matches(name, names, n=1):
            return text + f"; did you mean {close[0]!r}?"
        return text

    def _load(self, entry: EntryPoint) -> pluggy.HookRelay:
        info = _info(entry, self.group)
        manager = pluggy.PluginManager("metalab")
        manager.add_hookspecs(self._specification)
        try:
            manager.register(entry.load(), name=info.name)
            manager.check_pending()
        except Exception as error:  # whatever a third party's module does at import
            raise PluginError(
                f"{info.distribution} {info.version} does not load its {self.group} plugin "
                f"{info.name!r} ({info.module}): {error}"
            ) from error
        if not _implements_any(manager):
            raise PluginError(
                f"{info.distribution} {info.version} registers {info.module} as {info.name!r} in "
                f"{self.group}, but it marks no function with metalab.hookimpl"
            )
        return manager.hook


def _implements_any(manager: pluggy.PluginManager) -> bool:
    return any(manager.get_hookcallers(plugin) for plugin in manager.get_plugins())


def _unique(found: Any) -> Iterator[EntryPoint]:
    # A distribution can be seen twice when its folder is on sys.path twice.
    seen: set[tuple[str, str, str]] = set()
    for entry in found:
        dist = entry.dist.name if entry.dist else ""
        if (key := (entry.name, entry.value, _normalised(dist))) not in seen:
            seen.add(key)
            yield entry


def _info(entry: EntryPoint, group: str) -> PluginInfo:
    dist = entry.dist
    name, version = (dist.name, dist.version) if dist else ("unknown", "0")
    return PluginInfo(group, entry.name, entry.value, name, version)


def _is_uninstalled() -> bool:
    return not any(_normalised(d.name or "") == "metalab-core" for d in distributions())


STORES = ExtensionPoint("metalab.stores", StoreHooks)
EXECUTORS = ExtensionPoint("metalab.executors", ExecutorHooks)
SERIALIZERS = ExtensionPoint("metalab.serializers", SerializerHooks)
PARAM_SOURCES = ExtensionPoint("metalab.param_sources", ParamSourceHooks)
EXTENSION_POINTS = (STORES, EXECUTORS, SERIALIZERS, PARAM_SOURCES)
