"""How a hook changes: what is to go is deprecated, and told to the authors of plugins that use it.

Shown on a hook as a later core may specify it, with real distributions and the machinery that
loads all plugins.
"""

from __future__ import annotations

import importlib
import warnings

import pluggy
import pytest

from metalab import plugins
from metalab.errors import PluginError
from metalab.plugins import EXTENSION_POINTS, ExtensionPoint
from plugin_tools import install

hookspec = pluggy.HookspecMarker("metalab")

WORDS = "metalab_store_config: `url` goes away in 0.3, take `locator`, which has its parts"


class Hooks:
    """A hook that has been given its ``locator``, and will lose its ``url``."""

    @hookspec(firstresult=True, warn_on_impl_args={"url": DeprecationWarning(WORDS)})
    def metalab_store_config(self, locator, url):
        """Return the configuration that a locator names."""


PLUGIN = """
from metalab import hookimpl

@hookimpl
def metalab_store_config({arguments}):
    return {arguments}
"""


@pytest.fixture
def stores(tmp_path, monkeypatch):
    """The stores of that core, with one plugin that takes each argument."""
    for argument in ("locator", "url"):
        source = PLUGIN.format(arguments=argument)
        module = f"takes_{argument}_mod"
        entries = {"metalab.stores": {argument: module}}
        folder = install(
            tmp_path / argument, f"takes-{argument}", entries, modules={module: source}
        )
        monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(plugins, "_SPECIFICATIONS", (Hooks,))
    _read_metadata_again()
    yield ExtensionPoint("metalab.stores", Hooks)
    monkeypatch.undo()
    _read_metadata_again()


def _read_metadata_again():
    importlib.invalidate_caches()
    for point in EXTENSION_POINTS:
        point.forget()


def test_the_author_is_told_at_the_line_that_takes_it(stores, tmp_path):
    with pytest.warns(DeprecationWarning, match="`url` goes away") as caught:
        hooks = stores["url"]
    (warning,) = caught
    assert str(warning.message) == WORDS
    assert warning.filename == str(tmp_path / "url" / "takes_url_mod.py")
    lines = (tmp_path / "url" / "takes_url_mod.py").read_text().splitlines()
    assert lines[warning.lineno - 1 :][:2] == ["@hookimpl", "def metalab_store_config(url):"]
    assert hooks.metalab_store_config(locator="parts", url="text") == "text", "it goes on working"


def test_nobody_else_is_told_anything(stores):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hooks = stores["locator"]
    assert hooks.metalab_store_config(locator="parts", url="text") == "parts"


def test_where_warnings_are_errors_the_plugin_does_not_load(stores):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PluginError, match=r"takes-url 1\.0 does not load .*`url` goes away"):
            stores["url"]
