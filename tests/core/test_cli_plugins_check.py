"""``metalab plugins --check``: what is wrong with each broken plugin, and whose it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from plugin_tools import install

STORES, EXECUTORS = "metalab.stores", "metalab.executors"
SERIALIZERS, SOURCES = "metalab.serializers", "metalab.param_sources"
CORE = version("metalab-core")

GOOD = """
    from metalab.hookspecs import hookimpl

    @hookimpl
    def metalab_store_config(locator):
        return None

    @hookimpl
    def metalab_store_config_from_dict(document):
        return None
"""


def hook(text):
    """Return the source of a module with one hook, marked."""
    return f"from metalab.hookspecs import hookimpl\n\n@hookimpl\n{text}\n"


# By name: the group, the source, what the distribution requires, and what is said of it.
BROKEN = {
    "absent": (STORES, None, [], r"does not load .*'absent' .*No module named 'absent_mod'"),
    "raising": (STORES, "1 / 0", [], "does not load .*ZeroDivisionError: division by zero"),
    "misspelt": (
        STORES,
        hook("def metalab_store_confg(locator): return None"),
        [],
        "unknown hook 'metalab_store_confg' .*did you mean metalab_store_config?",
    ),
    "unmarked": (
        STORES,
        GOOD + "\n    def metalab_comand():\n        return 'os'\n",
        [],
        r"its metalab_comand is no hook; did you mean metalab_command\?",
    ),
    "argument": (
        STORES,
        hook("def metalab_store_config(locator, flavour): return None"),
        [],
        "does not load .*flavour",
    ),
    "old": (
        STORES,
        GOOD,
        ["metalab-core>=0.0.1,<0.1"],
        rf"old 1\.0 is made for metalab-core>=0\.0\.1,<0\.1, and metalab-core {CORE} is installed",
    ),
    "config": (
        STORES,
        hook("def metalab_store_config(locator): return 'a path'"),
        [],
        "metalab_store_config of .*'config' returns 'a path'; it returns a StoreConfig, or None",
    ),
    "command": (
        STORES,
        hook("def metalab_command(): return 'no.such.module'"),
        [],
        "metalab_command .* returns 'no.such.module'; it returns the name of a module",
    ),
    "executor": (
        EXECUTORS,
        hook("def metalab_executor_class(): return dict"),
        [],
        "returns <class 'dict'>; it returns a subclass of Executor",
    ),
    "alias": (
        EXECUTORS,
        "from metalab.executor import ThreadExecutor\n"
        + hook("def metalab_executor_class(): return ThreadExecutor"),
        [],
        "ThreadExecutor'>; it returns a subclass of Executor whose name is 'alias', or None",
    ),
    "nameless": (
        EXECUTORS,
        "from metalab.executor import Executor\n"
        + hook("def metalab_executor_class(): return Executor"),
        [],
        "Executor'>; it returns a subclass of Executor whose name is 'nameless', or None",
    ),
    "greedy": (
        SERIALIZERS,
        hook("def metalab_serializer_for(obj): return 'me'"),
        [],
        "metalab_serializer_for .* returns 'me'; it returns a Serializer",
    ),
    "choosy": (
        SERIALIZERS,
        hook("def metalab_serializer_for(obj): return obj.shape"),
        [],
        "metalab_serializer_for of .* raises AttributeError: .*'shape'",
    ),
    "guess": (
        SERIALIZERS,
        hook("def metalab_serializer_named(format): return 'any'"),
        [],
        "returns 'any'; it returns nothing for a format that it does not write",
    ),
    "source": (
        SOURCES,
        hook("def metalab_param_source(manifest): return [1, 2]"),
        [],
        r"returns \[1, 2\]; it returns a ParamSource",
    ),
}
SOUND = {
    "fine": (STORES, GOOD, [f"metalab-core>={CORE}", "metalab-core[x]>=9 ; extra == 'x'"]),
    "strict": (  # it may want more of a manifest than its kind
        SOURCES,
        hook("def metalab_param_source(manifest): return manifest['points']"),
        [],
    ),
}


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """What the command says with all of them installed."""
    root = tmp_path_factory.mktemp("site")
    for name, (group, source, requires, *_) in {**BROKEN, **SOUND}.items():
        modules = {} if source is None else {f"{name}_mod": source}
        entries = {group: {name: f"{name}_mod"}}
        install(root / name, name, entries, requires=requires, modules=modules)
    for dist in ("one", "two"):
        install(root / dist, dist, {STORES: {"twice": "fine_mod"}})
    paths = [str(path) for path in sorted(root.iterdir())]
    return lambda *words: subprocess.run(
        [sys.executable, "-m", "metalab", "plugins", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )


@pytest.fixture(scope="module")
def problems(checked):
    """The problem of each plugin by its name, as JSON says it."""
    done = checked("--check", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    return {row["name"]: row["problem"] for row in json.loads(done.stdout)}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_said_in_words(problems, name):
    problem = problems[name]
    assert problem is not None
    assert re.search(BROKEN[name][3], problem, re.DOTALL), problem
    assert problem.startswith(f"{name} 1.0"), "whose fault it is comes first"


def test_a_name_that_is_taken_twice_is_said_with_both(problems):
    assert problems["twice"].startswith(
        "more than one distribution serves 'twice' in metalab.stores: "
        "twice (one 1.0) and twice (two 1.0)"
    )


def test_the_sound_ones_have_no_problem_beside_them(problems):
    assert {name for name, problem in problems.items() if problem} == {*BROKEN, "twice"}


def test_the_text_says_each_problem_once_after_the_list(checked):
    done = checked("--check")
    assert (done.returncode, done.stderr) == (1, "")
    states = dict(line.split()[1::3] for line in done.stdout.splitlines() if "metalab." in line[:8])
    assert {name for name, state in states.items() if state == "broken"} == {*BROKEN, "twice"}
    assert sum(line.startswith("broken: ") for line in done.stdout.splitlines()) == len(BROKEN) + 1


def test_without_check_nothing_is_loaded_and_nothing_is_wrong(checked):
    done = checked()
    assert (done.returncode, done.stderr) == (0, "")


def test_plugins_of_libraries_that_are_absent_are_as_they_should_be():
    script = """
import sys
for name in ("matplotlib", "numpy", "pandas", "PIL", "polars", "pyarrow", "torch"):
    sys.modules[name] = None
from metalab.cli import main
sys.exit(main(["plugins", "--check", "--json"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    rows = json.loads(done.stdout)
    problems = {row["problem"] for row in rows if row["distribution"] == "metalab-core"}
    assert problems == {None}
