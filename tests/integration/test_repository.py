"""House rules for what is tracked: versions that fit each other, nothing of one machine."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECTS = [ROOT, *sorted(ROOT.glob("metalab-*"))]

# Written so that this file does not match itself.
HOSTS = r"(^|[^a-z])(p[y]pi|pythonh[o]sted|n[p]mjs|deb[i]an)\.(org|com)"
PLACES = r"([/]work[/](main|steering)|[/]farm[/]|[/]root[/]\.|\.\./shared)"


def _git(*words):
    return subprocess.run(
        ["git", *words], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout


def _project(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


def _own_requirements():
    """Yield what each distribution asks of ours, examples and frozen plugins among them."""
    ours = {_project(folder)["name"] for folder in PROJECTS}
    for path in _git("ls-files", "*pyproject.toml").splitlines():
        project = _project((ROOT / path).parent)
        extras = project.get("optional-dependencies", {}).values()
        for text in [*project["dependencies"], *(text for extra in extras for text in extra)]:
            requirement = Requirement(text)
            if requirement.name in ours - {project["name"]}:  # its own extras have no range
                yield project["name"], requirement


def test_no_registry_host_is_named():
    assert _git("grep", "-nIE", HOSTS, "--", ".") == ""


def test_no_path_of_one_machine_is_named():
    assert _git("grep", "-nIE", PLACES, "--", ".") == ""


def test_no_lock_file_is_tracked():
    """A lock names the hosts it was resolved against."""
    assert not [name for name in _git("ls-files").splitlines() if name.endswith(".lock")]


@pytest.mark.parametrize(("project", "requirement"), list(_own_requirements()), ids=str)
def test_ranges_admit_the_versions_that_stand_beside_them(project, requirement):
    """The workspace installs siblings whatever their ranges say; pip does not."""
    folder = ROOT if requirement.name == "metalab" else ROOT / requirement.name
    version = _project(folder)["version"]
    assert requirement.specifier.contains(version), f"{project} asks for {requirement}"
    assert any(bound.operator == "<" for bound in requirement.specifier)


@pytest.mark.parametrize("folder", PROJECTS, ids=lambda folder: folder.name)
class TestDistribution:
    def test_what_is_installed_is_of_the_version_that_is_written(self, folder):
        project = _project(folder)
        assert importlib.metadata.version(project["name"]) == project["version"]

    def test_the_changelog_begins_with_the_version(self, folder):
        newest = re.search(r"^## (\S+)", (folder / "CHANGELOG.md").read_text(), re.MULTILINE)
        assert newest is not None
        assert newest[1] == _project(folder)["version"]

    def test_it_has_a_licence_and_a_page_of_its_own(self, folder):
        assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
        assert len((folder / "README.md").read_text().splitlines()) > 1

    def test_it_runs_on_the_same_pythons_and_says_it_is_typed(self, folder):
        project = _project(folder)
        assert project["requires-python"] == _project(ROOT)["requires-python"]
        if folder != ROOT:
            (package,) = (folder / "src").iterdir()
            assert (package / "py.typed").is_file()


def test_source_files_are_short():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in ROOT.glob("metalab-*/src/**/*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}
