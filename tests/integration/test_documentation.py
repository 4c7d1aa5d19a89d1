"""The pages are built without a warning, and leave out nothing that is public."""

from __future__ import annotations

import argparse
import inspect
import re
import subprocess
import sys
import tomllib
from importlib import import_module

import pytest

import metalab
from document_tools import ROOT
from metalab import Executor, ParamSource, Store, StoreConfig
from metalab.execution.base import Submission
from metalab.hookspecs import ExecutorHooks, ParamSourceHooks, SerializerHooks, StoreHooks
from metalab.plugins import STORES
from metalab.serializers import Mappable, Serializer
from metalab.store.base import RunLog, RunWriter, StoreWriter
from metalab.store.claiming import Claims

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("**/*.md"))]
LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")
REFERENCE = sorted((DOCS / "reference").glob("*.md"))
SHOWN = re.compile(r"^\.\. (?:auto)?(?:class|data|exception|function):: (\S+)$", re.MULTILINE)
PATHS = [path for page in REFERENCE for path in SHOWN.findall(page.read_text())]
OVERVIEW = (DOCS / "reference" / "index.md").read_text()
MODULES = [
    module
    for row in re.findall(r"^\| (`metalab.*?) \|", OVERVIEW, re.MULTILINE)
    for module in re.findall(r"`(.*?)`", row)
]
HOOKS = [StoreHooks, ExecutorHooks, SerializerHooks, ParamSourceHooks]
CONTRACTS = [
    *(("StoreConfig", StoreConfig), ("Store", Store), ("RunLog", RunLog), ("Claims", Claims)),
    *(("StoreWriter", RunWriter), ("StoreWriter", StoreWriter)),
    *(("Executor", Executor), ("Submission", Submission)),
    *(("Serializer", Serializer), ("Serializer", Mappable), ("ParamSource", ParamSource)),
]
OWN_VARIABLE = re.compile(r'"(METALAB_[A-Z_]+)"')
READ = re.compile(r'environ(?:\.get\(|\[)"([A-Z_]+)"|"([A-Z_]+)" in (?:os\.)?environ')


def _object(path):
    """Return what a dotted name leads to; a module that can be called is its own function."""
    module, _, name = path.rpartition(".")
    value = getattr(import_module(module), name)
    return getattr(value, name, value) if inspect.ismodule(value) else value


def _anchors(page):
    """Return the anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def _public_names():
    for module in ["metalab", *MODULES]:
        yield from (f"{module}.{name}" for name in import_module(module).__all__)


def _sources():
    return "".join(path.read_text() for path in sorted(ROOT.glob("metalab-*/src/**/*.py")))


def _variables(page):
    return {
        name
        for row in re.findall(r"^\| (`[A-Z].*?) \|", page, re.MULTILINE)
        for name in re.findall(r"`([A-Z_]+)`", row)
    }


def _words_of(parser):
    """Return what a command and those below it may be told, in argparse's own words."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _words_of(command)
        else:
            yield from action.option_strings or [action.metavar or action.dest]
            yield from map(str, action.choices or ())


def test_the_pages_are_built_without_a_warning(tmp_path):
    doctrees, html = tmp_path / "doctrees", tmp_path / "html"
    options = ("-W", "-n", "--keep-going", "-q", "-b", "html", "-d", doctrees)
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, DOCS, html],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (html / "reference" / "stores.html").exists()


class TestReference:
    def test_the_modules_that_name_a_topic_are_public(self):
        """A module under no topic is not for users, so none of these may lose its row."""
        asked = {"metalab.store", "metalab.executor", "metalab.results", "metalab_slurm"}
        assert asked <= set(MODULES)

    def test_every_public_name_is_shown(self):
        shown = [_object(path) for path in PATHS]
        missing = [
            path
            for path in _public_names()
            if path not in PATHS and not any(_object(path) is each for each in shown)
        ]
        assert missing == ["metalab.__version__"]
        assert "`metalab.__version__`" in OVERVIEW

    def test_no_name_is_shown_twice(self):
        names = [path.rpartition(".")[2] for path in PATHS]
        assert sorted(names) == sorted(set(names))

    def test_what_is_shown_is_public_in_its_module(self):
        hidden = [
            path
            for path in PATHS
            if path.rpartition(".")[2] not in import_module(path.rpartition(".")[0]).__all__
        ]
        assert hidden == []

    def test_the_top_level_has_what_the_errors_module_has_for_users(self):
        raised = {name for name in metalab.__all__ if name.endswith(("Error", "Warning"))}
        assert raised <= set(import_module("metalab.errors").__all__)


class TestHooks:
    @pytest.fixture
    def page(self):
        return (DOCS / "plugins" / "index.md").read_text()

    @pytest.mark.parametrize(
        "hooks", [StoreHooks, ExecutorHooks, SerializerHooks, ParamSourceHooks]
    )
    def test_every_hook_is_described_with_its_arguments(self, hooks, page):
        for name, function in inspect.getmembers(hooks, inspect.isfunction):
            arguments = ", ".join(list(inspect.signature(function).parameters)[1:])
            assert f"| `{name}({arguments})` |" in page

    def test_no_other_hook_is_described(self, page):
        described = set(re.findall(r"^\| `(metalab_\w+)\(", page, re.MULTILINE))
        specified = {name for hooks in HOOKS for name in vars(hooks)}
        assert described == {name for name in specified if name.startswith("metalab_")}


class TestContracts:
    """The tables of docs/plugins/index.md have every method that a plugin may implement."""

    @pytest.mark.parametrize(("table", "kind"), CONTRACTS)
    def test_every_method_is_in_its_table(self, table, kind):
        page = (DOCS / "plugins" / "index.md").read_text()
        (rows,) = re.findall(rf"^\| of `{table}` \|.*?\n(.*?)\n\n", page, re.MULTILINE | re.DOTALL)
        cells = " ".join(re.findall(r"^\| (.*?) \|", rows, re.MULTILINE))
        names = {name for name in [*vars(kind), *kind.__annotations__] if not name.startswith("_")}
        assert names
        assert names - set(re.findall(r"`(\w+)(?:\(\))?`", cells)) == set()


class TestEnvironment:
    @pytest.fixture
    def page(self):
        return (DOCS / "environment.md").read_text()

    def test_every_variable_of_metalab_is_described(self, page):
        described = {name for name in _variables(page) if name.startswith("METALAB_")}
        assert described == set(OWN_VARIABLE.findall(_sources()))

    def test_every_variable_of_others_that_is_read_is_described(self, page):
        read = {name for pair in READ.findall(_sources()) for name in pair if name}
        assert len(read) > 10
        assert read - _variables(page) == set()

    def test_variables_that_are_read_under_another_name_are_described(self, page):
        from metalab.execution.process.member import _THREADS
        from metalab_slurm.commands import _KEPT, USUAL_OPTIONS

        assert [
            name for name in (*_THREADS, *_KEPT, *USUAL_OPTIONS) if f"`{name}`" not in page
        ] == []


@pytest.mark.parametrize(
    "name", [info.name for info in STORES.installed() if STORES[info.name].metalab_command()]
)
def test_every_option_of_a_plugins_command_is_described(name):
    """Those of core's commands are compared with docs/cli.md, section by section."""
    parser = argparse.ArgumentParser(prog=name, add_help=False)
    import_module(STORES[name].metalab_command()).add_arguments(parser)
    page = (ROOT / "metalab-postgres" / "README.md").read_text()
    words = list(_words_of(parser))
    assert "--port" in words
    assert [word for word in words if not re.search(rf"(?<![\w-]){re.escape(word)}\b", page)] == []


class TestArchitecture:
    @pytest.fixture
    def page(self):
        return (DOCS / "architecture.md").read_text()

    def test_its_rooms_are_those_of_the_import_contract_in_their_order(self, page):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        contracts = project["tool"]["importlinter"]["contracts"]
        (layers,) = (each["layers"] for each in contracts if "layers" in each)
        rooms = [room.strip("() ") for layer in layers for room in layer.split(" : ")]
        _, _, table = page.partition("\n## The rooms of core\n")
        rows = re.findall(r"^\| (`.*?) \|", table.partition("\n## ")[0], re.MULTILINE)
        described = [room for row in rows for room in re.findall(r"`(\w+)`", row)]
        assert sorted(described) == sorted(rooms)
        assert [room for room in described if room not in {"cli", "testing"}] == [
            room for room in rooms if room not in {"cli", "testing"}
        ]

    def test_its_threads_have_names_that_the_code_gives(self, page):
        given = set(re.findall(r'name=f?"(metalab-[a-z]+)', _sources()))
        named = set(re.findall(r"`(metalab-[a-z]+)(?:-N)?`", page))
        others = {"metalab-core", "metalab-numpy", "metalab-postgres", "metalab-slurm"}
        assert given <= named <= given | others

    def test_the_files_that_it_names_are_there(self, page):
        named = re.findall(
            r"`((?:tests|store|execution|results|cli|identity)/[\w/]+(?:\.py)?)`", page
        )
        core = ROOT / "metalab-core" / "src" / "metalab"
        missing = [
            each for each in named if not any((root / each).exists() for root in (ROOT, core))
        ]
        assert missing == []


class TestContributing:
    @pytest.fixture
    def page(self):
        return (ROOT / "CONTRIBUTING.md").read_text()

    def test_its_steps_are_those_of_the_pipeline(self, page):
        pipeline = (ROOT / ".ci" / "run").read_text()
        for command in ("ruff check", "ruff format", "mypy", "pyright", "lint-imports"):
            assert f"uv run {command}" in page
            assert f"uv run {command}" in pipeline

    def test_every_folder_of_tests_is_described(self, page):
        folders = {each.parent.name for each in (ROOT / "tests").glob("*/*.py")}
        assert [name for name in sorted(folders) if f"`tests/{name}`" not in page] == []

    def test_every_variable_that_tests_read_is_described(self, page):
        texts = [path.read_text() for path in (ROOT / "tests").glob("**/*.py")]
        read = {name for text in texts for name in re.findall(r'environ\S*"(METALAB_\w+)"', text)}
        known = _variables(page) | _variables((DOCS / "environment.md").read_text())
        assert sorted(read - known) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_pages_and_headings(page):
    """Headings, too: GitHub shows the top of a page whose heading is gone."""
    broken = []
    for path, heading in LINK.findall(page.read_text()):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (heading and heading not in _anchors(target)):
            broken.append(f"{path}#{heading}")
    assert broken == []
