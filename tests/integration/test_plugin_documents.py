"""The pages for authors of plugins: what they build is installed, used, and put to the kit.

A python block whose first line is a comment with a path is a file of the distribution; the others
are one script that uses it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from zipfile import ZipFile

import pytest

from document_tools import FENCE, ROOT, blocks
from metalab.plugins import EXTENSION_POINTS

PLUGINS = ROOT / "docs" / "plugins"
PAGES = sorted(PLUGINS.glob("*.md"))
TUTORIALS = [page for page in PAGES if page.name not in {"index.md", "publishing.md"}]
PATH = re.compile(r"# ([\w/]+\.py)\n")


# What of the kit is quick enough for each change, where all of it is not.
PARTS = {
    "store.md": "record or claim or TestDistribution",
    "executor.md": "TestReactor and (once or result) or TestDistribution",
}
QUICK = {page: ("-k", PARTS[page.name]) if page.name in PARTS else () for page in TUTORIALS}


@pytest.fixture(params=TUTORIALS, ids=lambda page: page.name)
def page(request):
    return request.param


@pytest.fixture
def site(page, tmp_path):
    """A folder in which the page's distribution lies, and is installed as an editable one."""
    site = tmp_path / "site"
    for block in blocks(page, "python"):
        if named := PATH.match(block):
            file = site / named[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block)
    project = _project(page)
    (package,) = {file.parent for file in site.glob("metalab_*/__init__.py")}
    (site / "pyproject.toml").write_text("".join(blocks(page, "toml")))
    info = site / f"{package.name}-{project['version']}.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {module}\n" for name, module in names.items())
            for group, names in _entry_points(page).items()
        )
    )
    required = "".join(f"Requires-Dist: {each}\n" for each in project["dependencies"])
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n{required}"
    )
    return site


def _project(page):
    return tomllib.loads("".join(blocks(page, "toml")))["project"]


def _entry_points(page):
    return _project(page)["entry-points"]


def _run(site, *words):
    found = {"PYTHONPATH": f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=site.parent,
        env={**os.environ, **found},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _prove(site, *chosen):
    tests = next(site.glob("test_*.py"))
    _run(site, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen, str(tests))


def _script(page):
    return "\n".join(block for block in blocks(page, "python") if not PATH.match(block))


def test_its_plugins_load(page, site):
    listed = _run(site, "-m", "metalab", "plugins", "--check")
    names = [name for group in _entry_points(page).values() for name in group]
    assert names
    assert [name for name in names if not re.search(rf" {name} +.* ok\n", listed)] == []


@pytest.mark.wheels
def test_its_wheel_is_built_from_what_the_page_shows(page, site, tmp_path):
    done = subprocess.run(
        ["uv", "build", "--wheel", "--quiet", "--out-dir", tmp_path / "dist", site],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (package,) = (file.parent for file in site.glob("metalab_*/__init__.py"))
    modules = {f"{package.name}/{file.name}" for file in package.glob("*.py")}
    assert modules <= set(ZipFile(wheel).namelist())


def test_it_does_what_the_page_shows(page, site, tmp_path):
    script = tmp_path / "using.py"
    script.write_text(_script(page))
    said = _run(site, "-W", "error", str(script))
    assert blocks(page, "text")
    for block in blocks(page, "text"):
        assert block in said


@pytest.mark.parametrize("page", QUICK, indirect=True, ids=lambda page: page.name)
def test_it_passes_the_kit(page, site):
    _prove(site, *QUICK[page])


@pytest.mark.slow
@pytest.mark.parametrize("page", [PLUGINS / name for name in PARTS], indirect=True, ids=PARTS)
def test_it_passes_the_whole_kit(page, site):
    """Hundreds of launches, and histories by the dozen."""
    _prove(site)


def test_every_block_says_its_language():
    for page in PAGES:
        languages = {language for language, _ in FENCE.findall(page.read_text())}
        assert languages <= {"python", "text", "toml"}


def test_every_extension_point_has_a_page():
    shown = {group for page in TUTORIALS for group in _entry_points(page)}
    assert shown == {point.group for point in EXTENSION_POINTS}
