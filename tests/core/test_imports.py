"""Importing costs next to nothing, and every public name is where it is said to be."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

import metalab
from metalab._lazy import LAZY

HEAVY = [
    "asyncio",
    "attrs",
    "cattrs",
    "concurrent.futures",
    "importlib.metadata",
    "matplotlib",
    "msgspec",
    "multiprocessing",
    "numpy",
    "pandas",
    "pluggy",
    "psycopg",
    "rich",
    "sklearn",
    "urllib",
]

# What is imported from modules rather than from the package.
HOMES = {
    "metalab.derived": "",
    "metalab.events": "Event EventKind",
    "metalab.executor": "Executor ThreadExecutor",
    "metalab.operation": "OperationWrapper operation",
    "metalab.params": (
        "GridSource ManualSource RandomSource ResolvedSource choice from_frame grid loguniform "
        "loguniform_int manual randint random uniform with_resolver zip_"
    ),
    "metalab.result": "ExperimentInfo Results Run",
    "metalab.seeds": "SeedBundle SeedPlan",
    "metalab.store": (
        "DEFAULT_STORE_ROOT FileStore FileStoreConfig LocatorInfo PostgresIndex PostgresStore "
        "Store StoreConfig create_store export_store import_store parse_locator parse_to_config"
    ),
    "metalab.store.config": "StoreConfig",
    "metalab.store.locator": "LocatorInfo parse_locator",
    "metalab.types": "ArtifactDescriptor Metric Provenance RunRecord Status",
}


def _fresh(source):
    """Run a few lines in a fresh process and return what they print."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _loaded_after(source):
    lines = textwrap.dedent(source) + "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    before = set(json.loads(_fresh("import json, sys; print(json.dumps(sorted(sys.modules)))")))
    return set(json.loads(_fresh(lines))) - before


class TestCost:
    def test_importing_metalab_loads_nothing_but_a_few_of_its_own_small_modules(self):
        loaded = _loaded_after("import metalab")
        assert not loaded & set(HEAVY)
        assert {name for name in loaded if name.startswith("metalab")} == {
            "metalab",
            "metalab._lazy",
            "metalab.errors",
        }

    def test_defining_an_experiment_loads_no_soft_dependency_and_no_plugin(self):
        loaded = _loaded_after(
            """
            import metalab

            @metalab.operation
            def op(params): ...

            metalab.Experiment(
                name="e", version="1", context={}, operation=op,
                params=metalab.grid(x=[1]), seeds=metalab.seeds(base=1),
            )
            """
        )
        soft = {"asyncio", "matplotlib", "multiprocessing", "numpy", "pandas", "psycopg", "rich"}
        assert not loaded & (soft | {"metalab_numpy", "metalab_slurm", "metalab_postgres"})

    def test_running_one_loads_no_library_that_it_does_not_use(self, tmp_path):
        loaded = _loaded_after(
            f"""
            import metalab

            @metalab.operation
            def op(params):
                return {{"y": params["x"]}}

            experiment = metalab.Experiment(
                name="e", version="1", context={{}}, operation=op,
                params=metalab.grid(x=[1]), seeds=metalab.seeds(base=1),
            )
            assert len(metalab.run(experiment, store={str(tmp_path)!r}).result()) == 1
            """
        )
        assert not loaded & {"matplotlib", "multiprocessing", "numpy", "pandas", "psycopg"}
        shown = ("arrow", "cached.reading", "pivot", "plotting", "report")
        assert not loaded & {f"metalab.results.{name}" for name in shown}


class TestNames:
    def test_all_is_sorted_and_every_name_in_it_can_be_had(self):
        assert list(metalab.__all__) == sorted(metalab.__all__)
        assert [name for name in metalab.__all__ if not hasattr(metalab, name)] == []

    def test_star_import_gives_the_public_names(self):
        scope = {}
        exec("from metalab import *", scope)
        assert set(metalab.__all__) <= set(scope)

    def test_the_names_of_plugins_are_listed_but_not_imported_by_a_star(self):
        assert set(LAZY) <= set(dir(metalab))
        assert not set(LAZY) & set(metalab.__all__)

    def test_a_name_that_is_not_there_is_an_attribute_error(self):
        with pytest.raises(AttributeError, match="module 'metalab' has no attribute 'nonsense'"):
            metalab.nonsense  # noqa: B018

    def test_the_version_is_that_of_core(self):
        from importlib.metadata import version

        assert metalab.__version__ == version("metalab-core")

    @pytest.mark.parametrize("home", HOMES)
    def test_modules_can_be_imported_by_their_public_names(self, home):
        names = HOMES[home].replace(" ", ", ")
        _fresh(f"from {home} import {names}" if names else f"import {home}")

    @pytest.mark.parametrize("name", ["operation", "seeds"])
    @pytest.mark.parametrize("first", ["", "import metalab.{0}; ", "from metalab.{0} import *; "])
    def test_a_callable_module_stays_callable_whatever_was_imported_first(self, name, first):
        _fresh(f"{first.format(name)}import metalab; assert callable(metalab.{name})")

    def test_planning_is_a_function_whatever_was_imported_first(self):
        _fresh("import metalab.planning, metalab.report, metalab; assert callable(metalab.plan)")


class TestExtras:
    @pytest.mark.parametrize("name", sorted(LAZY))
    def test_a_name_of_an_absent_plugin_says_what_to_install(self, name):
        module, extra = LAZY[name]
        said = _fresh(
            f"""
            import sys
            sys.modules[{module!r}] = None
            import metalab
            try:
                metalab.{name}
            except ImportError as error:
                print(error)
            """
        )
        assert said.strip() == f"{name} needs the {extra} plugin: pip install 'metalab[{extra}]'"

    def test_a_plugin_that_lacks_a_library_of_its_own_is_another_story(self, tmp_path):
        (tmp_path / "metalab_slurm.py").write_text("import no_such_library")
        said = _fresh(
            f"""
            import sys
            sys.path.insert(0, {str(tmp_path)!r})
            import metalab
            try:
                metalab.SlurmConfig
            except ModuleNotFoundError as error:
                print(error)
            """
        )
        assert said.strip() == "No module named 'no_such_library'"
