"""The contract of plugins, as tests: what an installed distribution says and does as such.

It costs nothing until it is used, it says which core it is made for, and its hooks are those
of its groups. What its stores, executors, serializers and param sources do is for their own
contracts to say.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar

from metalab.cli.conformity import problem_of
from metalab.cli.ranges import CORE, ranges_of_core
from metalab.plugins import EXTENSION_POINTS
from metalab.testing.elsewhere import ask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalab.plugins import ExtensionPoint, PluginInfo

__all__ = ["PluginContract", "modules_after_listing", "modules_after_loading"]

_RULES = {
    "metalab.stores": (r"[a-z][a-z0-9+.-]*", "the scheme of URLs"),
    "metalab.executors": (r"[a-z][a-z0-9_-]*", "a word of small letters"),
    "metalab.serializers": (r"[A-Za-z_][A-Za-z0-9_]*", "the package that objects come from"),
    "metalab.param_sources": (r"[a-z][a-z0-9_-]*", "a word of small letters"),
}
_TOGETHER = {
    "metalab_store_config": "metalab_store_config_from_dict",
    "metalab_store_config_from_dict": "metalab_store_config",
    "metalab_serializer_for": "metalab_serializer_named",
    "metalab_executor_class": "metalab_make_executor",
}


class PluginContract:
    """What every distribution with plugins does. Set ``distribution`` at least.

    The distribution is installed, an editable install included, for what it promises stands in
    its metadata::

        class TestDistribution(PluginContract):
            distribution = "metalab-dask"
            libraries = ("dask",)

    A plugin is a module or an object that an entry point names; nothing of it is pickled.
    """

    distribution: ClassVar[str] = ""
    """The distribution under test, as installers call it."""
    libraries: ClassVar[Sequence[str]] = ()
    """Packages that loading its plugins leaves alone, to be imported when they are needed.

    None need be named that a plugin cannot be without, as numpy for the objects of numpy.
    """

    def test_its_distribution_is_installed_and_has_plugins(self) -> None:
        assert self._plugins(), (
            f"no entry point of {self.distribution} is in a group of metalab: is it installed, and "
            "again since its pyproject.toml was changed?"
        )

    def test_each_of_its_plugins_loads_and_answers_as_its_hooks_say(self) -> None:
        for point, info in self._plugins():
            problem = problem_of(point, info.name)
            assert problem is None, problem

    def test_every_function_that_is_called_like_a_hook_is_one(self) -> None:
        for point, info in self._plugins():
            plugin = _object(info)
            hooks = vars(point[info.name])
            for name in dir(plugin):
                if name.startswith("metalab_") and callable(getattr(plugin, name)):
                    assert name in hooks, f"{info.module}: {name} is the name of no hook"

    def test_hooks_that_need_each_other_are_both_there(self) -> None:
        for point, info in self._plugins():
            hooks = point[info.name]
            for one, other in _TOGETHER.items():
                if getattr(hooks, one).get_hookimpls():
                    assert getattr(hooks, other).get_hookimpls(), f"{info}: {one} without {other}"

    def test_it_says_for_which_versions_of_core_it_is_made(self) -> None:
        if self.distribution == CORE:
            return
        ranges = ranges_of_core(self.distribution)
        assert ranges, f"{self.distribution} does not depend on {CORE}"
        assert any(wanted.has_an_end for wanted in ranges), (
            f"{self.distribution} asks for {CORE}{ranges[0].text}, without an end: a version that "
            "changes the hooks would be taken for one that it is made for"
        )

    def test_it_is_made_for_the_core_that_is_installed(self) -> None:
        for wanted in ranges_of_core(self.distribution):
            assert wanted.admits(version(CORE)), (
                f"{self.distribution} asks for {CORE}{wanted.text}; {version(CORE)} is installed"
            )

    def test_its_names_are_those_that_its_groups_look_for(self) -> None:
        for _, info in self._plugins():
            rule, words = _RULES[info.group]
            assert re.fullmatch(rule, info.name), (
                f"{info.name!r} is no name in {info.group}, where a name is {words}"
            )

    def test_no_other_distribution_serves_its_names(self) -> None:
        names = Counter((one.group, one.name) for point in EXTENSION_POINTS for one in _all(point))
        for _, info in self._plugins():
            assert names[info.group, info.name] == 1, (
                f"{info.name!r} in {info.group} is served by another distribution, too"
            )

    def test_listing_what_is_installed_imports_nothing_of_it(self) -> None:
        loaded = set(ask("metalab.testing.plugin:modules_after_listing", None))
        own = {info.module.partition(":")[0] for _, info in self._plugins()}
        if self.distribution == CORE:  # of which this kit needs some itself
            own -= set(ask("metalab.testing.plugin:modules_after_listing", "nothing"))
        else:
            own |= {module.partition(".")[0] for module in own}
        early = sorted(own & loaded)
        assert not early, f"a list of the plugins imports {', '.join(early)}"

    def test_it_is_loaded_without_what_is_needed_only_later(self) -> None:
        # Not in the order of their names, in which nobody asks for them.
        names = [[info.group, info.name] for _, info in reversed(self._plugins())]
        loaded = set(ask("metalab.testing.plugin:modules_after_loading", names))
        early = sorted(loaded & set(self.libraries))
        assert not early, f"loading the plugins imports {', '.join(early)}"

    def _plugins(self) -> list[tuple[ExtensionPoint, PluginInfo]]:
        assert self.distribution, f"{type(self).__name__}.distribution names the one under test"
        wanted = _normalised(self.distribution)
        return [
            (point, info)
            for point in EXTENSION_POINTS
            for info in _all(point)
            if _normalised(info.distribution) == wanted
        ]


def _all(point: ExtensionPoint) -> list[PluginInfo]:
    return point.installed()


def _object(info: PluginInfo) -> Any:
    module, _, attribute = info.module.partition(":")
    found: Any = import_module(module)
    for name in filter(None, attribute.split(".")):
        found = getattr(found, name)
    return found


def _normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def modules_after_listing(document: Any) -> list[str]:
    """Return what is imported once the plugins are listed, or before, where nothing is."""
    if document is None:
        for point in EXTENSION_POINTS:
            point.installed()
    return sorted(sys.modules)


def modules_after_loading(names: list[list[str]]) -> list[str]:
    """Return what is imported once the plugins of some groups and names are loaded."""
    points = {point.group: point for point in EXTENSION_POINTS}
    for group, name in names:
        points[group][name]
    return sorted(sys.modules)
