"""Plugins are found by name in metadata, loaded alone, checked, and blamed by name."""

from __future__ import annotations

import importlib.metadata
import json
import os
import pickle
import subprocess
import sys
import textwrap
from itertools import count
from pathlib import Path

import pytest

import metalab
from metalab.errors import MetalabError, MissingPluginError, PluginError
from metalab.execution.choice import chosen_executor
from metalab.params.manifest import source_from_manifest
from metalab.plugins import (
    EXECUTORS,
    EXTENSION_POINTS,
    PARAM_SOURCES,
    SERIALIZERS,
    STORES,
    PluginInfo,
)
from metalab.serializers.registry import serializer_named
from metalab.store.config import StoreConfig
from plugin_tools import core_alone, read_metadata_again

_numbers = count()

STORE = """
    from metalab.hookspecs import hookimpl

    @hookimpl
    def metalab_store_config(locator, fields):
        return ("made by", __name__, locator, fields)
"""


class Distributions:
    """Puts distributions with plugins on sys.path, as an installer would."""

    def __init__(self, tmp_path, monkeypatch):
        self._tmp_path = tmp_path
        self._monkeypatch = monkeypatch

    def add(
        self, source=STORE, *, dist="acme", version="1.0", group="metalab.stores", names="acme"
    ):
        """Install one module under one or several names of a group; return the module's name."""
        module = f"fake_plugin_{next(_numbers)}"
        folder = self._tmp_path / module
        info = folder / f"{dist.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        entries = "".join(f"{name} = {module}\n" for name in names.split())
        (info / "entry_points.txt").write_text(f"[{group}]\n{entries}")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n")
        (folder / f"{module}.py").write_text(textwrap.dedent(source))
        self._monkeypatch.syspath_prepend(str(folder))
        read_metadata_again()
        return module

    @property
    def path(self):
        """What PYTHONPATH must hold for a subprocess to see them."""
        return ":".join(str(folder) for folder in self._tmp_path.iterdir())


@pytest.fixture
def dists(tmp_path, monkeypatch):
    yield Distributions(tmp_path, monkeypatch)
    monkeypatch.undo()
    read_metadata_again()


def _open(name, **fields):
    return STORES[name].metalab_store_config(locator="somewhere", fields=fields)


class TestLookup:
    def test_a_plugin_answers_through_its_hook(self, dists):
        module = dists.add()
        assert _open("acme", a=1) == ("made by", module, "somewhere", {"a": 1})

    def test_a_plugin_is_imported_when_asked_for_and_once(self, dists):
        module = dists.add(
            """
            from metalab.hookspecs import hookimpl
            import sys
            sys.fake_imports = getattr(sys, "fake_imports", 0) + 1

            @hookimpl
            def metalab_store_config():
                return "store"
            """
        )
        sys.fake_imports = 0
        assert "acme" in STORES
        assert STORES.info("acme") == PluginInfo("metalab.stores", "acme", module, "acme", "1.0")
        assert module not in sys.modules
        relays = {id(STORES["acme"]) for _ in range(3)}
        assert (len(relays), sys.fake_imports) == (1, 1)
        del sys.fake_imports

    def test_a_lookup_parses_no_metadata(self, dists, monkeypatch):
        dists.add()
        monkeypatch.setattr(importlib.metadata.Distribution, "metadata", None)
        assert _open("acme")

    def test_a_lookup_imports_no_other_plugin(self, dists):
        other = dists.add("raise RuntimeError('must not be imported')", dist="other", names="other")
        dists.add()
        assert _open("acme")
        assert other not in sys.modules

    def test_one_module_serves_two_names(self, dists):
        dists.add(names="acmesql acme")
        assert _open("acmesql") == _open("acme")

    def test_one_module_serves_two_groups(self, dists):
        source = """
            from metalab.hookspecs import hookimpl

            @hookimpl
            def metalab_store_config():
                return "store"

            @hookimpl
            def metalab_make_executor():
                return "executor"
        """
        module = dists.add(source)
        folder = Path(importlib.util.find_spec(module).origin).parent
        (info,) = folder.glob("*.dist-info")
        (info / "entry_points.txt").write_text(
            f"[metalab.stores]\nacme = {module}\n[metalab.executors]\nacme = {module}\n"
        )
        read_metadata_again()
        assert _open("acme") == "store"
        assert EXECUTORS["acme"].metalab_make_executor(name="acme", options={}) == "executor"

    def test_a_hook_may_take_fewer_arguments_than_its_specification(self, dists):
        dists.add(
            """
            from metalab.hookspecs import hookimpl

            @hookimpl
            def metalab_store_config(locator):
                return locator
            """
        )
        assert _open("acme", a=1) == "somewhere"

    def test_a_greedy_plugin_cannot_answer_for_another_name(self, dists):
        dists.add(dist="greedy", names="greedy")
        module = dists.add()
        assert _open("acme")[1] == module
        assert _open("greedy")[1] != module
        with pytest.raises(PluginError, match=r"no metalab\.stores plugin is named 'other'"):
            _open("other")

    def test_an_entry_point_may_name_an_object_inside_a_module(self, dists):
        module = dists.add(
            """
            from metalab.hookspecs import hookimpl

            class Plugin:
                @hookimpl
                def metalab_store_config(self, locator):
                    return ("object", locator)

            plugin = Plugin()
            """
        )
        folder = Path(importlib.util.find_spec(module).origin).parent
        (info,) = folder.glob("*.dist-info")
        (info / "entry_points.txt").write_text(f"[metalab.stores]\nacme = {module}:plugin\n")
        read_metadata_again()
        assert _open("acme") == ("object", "somewhere")

    def test_plugins_used_so_far_are_known_for_provenance(self, dists):
        dists.add(names="acme unused")
        assert STORES.loaded() == []
        _open("acme")
        assert [str(info) for info in STORES.loaded()] == ["acme (acme 1.0)"]


class TestMissing:
    def test_the_error_lists_what_is_installed(self):
        names = ", ".join(sorted(info.name for info in EXECUTORS.installed()))
        with pytest.raises(PluginError) as caught:
            EXECUTORS["quantum"]
        assert str(caught.value) == (
            f"no metalab.executors plugin is named 'quantum' (installed: {names}); "
            "install what brings it (metalab plugins lists what is there)"
        )

    def test_a_near_name_is_suggested(self):
        with pytest.raises(PluginError, match=r"did you mean 'thread'\?$"):
            EXECUTORS["thraed"]

    def test_a_missing_plugin_is_a_metalab_error(self):
        with pytest.raises(MetalabError):
            PARAM_SOURCES["nothing"]

    @pytest.mark.parametrize(
        ("point", "name", "extra"),
        [
            (EXECUTORS, "slurm", "slurm"),
            (SERIALIZERS, "numpy", "numpy"),
            (STORES, "postgres", "postgres"),
            (STORES, "postgresql", "postgres"),
        ],
    )
    def test_the_extra_that_brings_a_plugin_is_named(self, point, name, extra):
        install = rf"pip install 'metalab\[{extra}\]'$"
        with core_alone():
            with pytest.raises(MissingPluginError, match=install):
                point[name]
            with pytest.raises(MissingPluginError, match=rf"mean '{name}'\? {install}"):
                point[f"{name}x"]

    @pytest.mark.parametrize(
        "ask",
        [
            pytest.param(lambda: metalab.store.create_store("quantum://host/db"), id="store"),
            pytest.param(lambda: StoreConfig.from_dict({"_type": "quantum"}), id="configuration"),
            pytest.param(lambda: chosen_executor("quantum"), id="executor"),
            pytest.param(lambda: serializer_named("quantum/bits"), id="serializer"),
            pytest.param(lambda: source_from_manifest({"kind": "quantum"}), id="source"),
        ],
    )
    def test_whatever_is_asked_for_the_error_is_of_one_family(self, ask):
        with pytest.raises(metalab.MissingExtraError, match=r"\(metalab plugins lists") as caught:
            ask()
        assert isinstance(caught.value, PluginError)
        assert isinstance(caught.value, ValueError)
        assert isinstance(pickle.loads(pickle.dumps(caught.value)), MissingPluginError)

    def test_source_that_is_not_installed_is_named_as_the_cause(self, tmp_path):
        """Without a distribution there are no entry points, not even those of core."""
        said = _python(
            """
            import sys
            from importlib import metadata
            real = metadata.MetadataPathFinder.find_distributions.__func__
            def bare(cls, context=metadata.DistributionFinder.Context()):
                return (d for d in real(cls, context) if "metalab" not in d.name)
            metadata.MetadataPathFinder.find_distributions = classmethod(bare)
            from metalab.plugins import STORES, PluginError
            try:
                STORES["file"]
            except PluginError as error:
                print(error)
            """,
            cwd=tmp_path,
        )
        assert said.strip() == (
            "no metalab.stores plugin is named 'file' (installed: none); "
            "metalab runs from source that is not installed: pip install metalab"
        )


class TestTwoDistributionsForOneName:
    def test_both_are_named(self, dists):
        dists.add(dist="acme-one", version="1.2")
        dists.add(dist="acme-two", version="0.9")
        with pytest.raises(PluginError) as caught:
            _open("acme")
        assert str(caught.value) == (
            "more than one distribution serves 'acme' in metalab.stores: "
            "acme (acme-one 1.2) and acme (acme-two 0.9); uninstall all but one, "
            "or name the others in METALAB_DISABLE_PLUGINS"
        )

    def test_disabling_one_settles_it(self, dists, monkeypatch):
        dists.add(dist="acme-one")
        module = dists.add(dist="acme-two")
        monkeypatch.setenv("METALAB_DISABLE_PLUGINS", "ACME_one, unheard-of")
        read_metadata_again()
        assert _open("acme")[1] == module

    def test_one_distribution_seen_twice_on_the_path_is_one(self, dists, monkeypatch):
        module = dists.add()
        folder = Path(importlib.util.find_spec(module).origin).parent
        monkeypatch.syspath_prepend(str(folder))
        read_metadata_again()
        assert _open("acme")


class TestDisabled:
    def test_all_names_of_a_disabled_distribution_are_gone_and_the_error_says_why(
        self, dists, monkeypatch
    ):
        module = dists.add("raise RuntimeError('must not be imported')", names="acme acmesql")
        monkeypatch.setenv("METALAB_DISABLE_PLUGINS", "acme")
        read_metadata_again()
        assert "acme" not in STORES
        assert not [info for info in STORES.installed() if info.distribution == "acme"]
        with pytest.raises(PluginError, match=r"METALAB_DISABLE_PLUGINS turns off acme \(acme 1.0"):
            STORES["acme"]
        assert module not in sys.modules


class TestBroken:
    def test_an_import_failure_names_the_plugin_and_keeps_its_traceback(self, dists):
        module = dists.add("import no_such_library")
        with pytest.raises(PluginError) as caught:
            _open("acme")
        assert str(caught.value) == (
            f"acme 1.0 does not load its metalab.stores plugin 'acme' ({module}): "
            "ModuleNotFoundError: No module named 'no_such_library'"
        )
        cause = caught.value.__cause__
        assert isinstance(cause, ModuleNotFoundError)
        frames = []
        trace = cause.__traceback__
        while trace is not None:
            frames.append(trace.tb_frame.f_globals["__name__"])
            trace = trace.tb_next
        assert frames[-1] == module

    def test_it_fails_only_for_whoever_asks_for_it(self, dists):
        dists.add("1 / 0", dist="broken", names="broken")
        dists.add()
        assert _open("acme")
        with pytest.raises(PluginError, match="ZeroDivisionError"):
            STORES["broken"]
        assert [info.name for info in STORES.loaded()] == ["acme"]

    def test_a_module_that_does_not_exist_is_said_so(self, dists):
        module = dists.add()
        Path(importlib.util.find_spec(module).origin).unlink()
        read_metadata_again()
        with pytest.raises(PluginError, match=f"ModuleNotFoundError: No module named '{module}'"):
            _open("acme")

    def test_a_misspelt_hook_is_refused(self, dists):
        dists.add(
            """
            from metalab.hookspecs import hookimpl

            @hookimpl
            def metalab_store_confg(locator):
                return locator
            """
        )
        with pytest.raises(PluginError, match=r"acme 1\.0 .*unknown hook 'metalab_store_confg'"):
            _open("acme")

    def test_an_argument_that_the_hook_does_not_have_is_refused(self, dists):
        dists.add(
            """
            from metalab.hookspecs import hookimpl

            @hookimpl
            def metalab_store_config(locator, flavour):
                return locator
            """
        )
        with pytest.raises(PluginError, match=r"acme 1\.0 [\s\S]*flavour"):
            _open("acme")

    def test_an_unmarked_function_is_refused(self, dists):
        dists.add(
            """
            from metalab.hookspecs import hookimpl

            def metalab_store_config(locator):
                return locator

            @hookimpl
            def metalab_store_config_from_dict(document):
                return document
            """
        )
        with pytest.raises(
            PluginError, match=r"metalab_store_config is not marked with @metalab\.hookimpl"
        ):
            _open("acme")

    def test_a_plugin_without_hooks_is_told_which_there_are(self, dists):
        dists.add("VALUE = 1")
        with pytest.raises(PluginError) as caught:
            _open("acme")
        assert "implements none of that group's hooks: metalab_store_config, " in str(caught.value)

    def test_a_plugin_of_another_group_is_refused(self, dists):
        dists.add(STORE, group="metalab.executors")
        with pytest.raises(PluginError, match="none of that group's hooks: metalab_make_executor"):
            EXECUTORS["acme"]

    def test_what_an_interrupted_uninstall_leaves_breaks_nothing(self, dists):
        module = dists.add()
        folder = Path(importlib.util.find_spec(module).origin).parent
        (info,) = folder.glob("*.dist-info")
        (info / "METADATA").unlink()
        read_metadata_again()
        assert PluginInfo("metalab.stores", "acme", module, "unknown", "unknown") in (
            STORES.installed()
        )


class TestListing:
    def test_metadata_lists_without_importing(self, dists):
        dists.add("raise RuntimeError('must not be imported')")
        said = _python(
            """
            import json, sys
            from metalab.plugins import EXTENSION_POINTS
            found = [(i.group, i.name) for point in EXTENSION_POINTS for i in point.installed()]
            modules = {i.module for point in EXTENSION_POINTS for i in point.installed()}
            print(json.dumps([found, sorted(modules & set(sys.modules))]))
            """,
            path=dists.path,
        )
        found, imported = json.loads(said)
        assert ["metalab.stores", "acme"] in found
        assert imported == []

    def test_core_registers_its_own_implementations_the_same_way(self):
        own = {
            (info.group, info.name)
            for point in EXTENSION_POINTS
            for info in point.installed()
            if info.distribution == "metalab-core"
        }
        assert own >= {
            ("metalab.executors", "inline"),
            ("metalab.executors", "thread"),
            ("metalab.param_sources", "grid"),
            ("metalab.param_sources", "manual"),
            ("metalab.param_sources", "random"),
            ("metalab.serializers", "builtins"),
            ("metalab.serializers", "pickle"),
            ("metalab.stores", "file"),
        }

    @pytest.mark.parametrize(
        ("group", "name"),
        sorted((i.group, i.name) for point in EXTENSION_POINTS for i in point.installed()),
    )
    def test_every_plugin_of_this_project_loads(self, group, name):
        (point,) = (point for point in EXTENSION_POINTS if point.group == group)
        assert point[name] is point[name]


def _python(source, *, path="", cwd=None):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
