"""The example plugins as their authors have them: built, installed cleanly, tested by the kit."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from document_tools import blocks

ROOT = Path(__file__).resolve().parent.parent.parent
PLUGINS = ROOT / "docs" / "examples" / "plugins"
EXAMPLES = sorted(path.parent for path in PLUGINS.glob("*/pyproject.toml"))

each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)


def _run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def python(tmp_path_factory):
    """The Python of a clean environment with the wheels of core and of every example."""
    folder = tmp_path_factory.mktemp("examples")
    sources = {"metalab-core": ROOT / "metalab-core"} | {path.name: path for path in EXAMPLES}
    for source in sources.values():
        # From where uv reads how this repository is built.
        _run("uv", "build", "--quiet", "--wheel", "--out-dir", str(folder), str(source), cwd=ROOT)
    wheels = {path.name.split("-")[0].replace("_", "-"): path for path in folder.glob("*.whl")}
    # Ours come from these files alone, whatever an index has under the same names.
    ours = folder / "ours.txt"
    ours.write_text("".join(f"{name} @ {path.as_uri()}\n" for name, path in wheels.items()))
    wanted = [f"{name}[test] @ {wheels[name].as_uri()}" for name in sources if name in wheels]
    wanted[0] = wanted[0].replace("[test]", "[testing]")
    _run(sys.executable, "-m", "venv", "env", cwd=folder)
    made = folder / "env" / "bin" / "python"
    pip = (str(made), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, "--upgrade", "pip", cwd=folder)
    _run(*pip, "--constraint", str(ours), *wanted, cwd=folder)
    return made


def test_each_example_is_described_with_what_it_shows():
    described = re.findall(
        r"^\| \[(\S+)\]\((\S+)\) \|", (PLUGINS / "README.md").read_text(), re.MULTILINE
    )
    assert sorted(described) == [(path.name, path.name) for path in EXAMPLES]


@each_example
def test_an_example_has_what_a_distribution_has(example):
    project = tomllib.loads((example / "pyproject.toml").read_text())["project"]
    package = example / "src" / example.name.replace("-", "_")
    assert project["name"] == example.name
    assert "metalab-core>=0.1,<0.2" in project["dependencies"]
    assert f"\n## {project['version']} - " in (example / "CHANGELOG.md").read_text()
    assert (package / "py.typed").exists()
    assert (example / "tests" / "test_contract.py").exists()


@pytest.mark.wheels
def test_the_requirements_of_examples_fit_each_other(python, tmp_path):
    _run(str(python), "-m", "pip", "check", cwd=tmp_path)


@pytest.mark.wheels
@each_example
def test_an_example_passes_its_tests_where_it_is_installed(example, python, tmp_path):
    shutil.copytree(example / "tests", tmp_path / "tests")
    shutil.copy(example / "pyproject.toml", tmp_path)
    said = _run(str(python), "-m", "pytest", "-q", cwd=tmp_path)
    assert re.search(r"\d+ passed", said)


@pytest.mark.wheels
@each_example
def test_an_example_does_what_its_readme_shows(example, python, tmp_path):
    readme = example / "README.md"
    (tmp_path / "script.py").write_text("\n\n".join(blocks(readme, "python")))
    said = _run(str(python), "script.py", cwd=tmp_path)
    for block in blocks(readme, "bash"):
        lines = [line for line in block.splitlines() if not line.startswith("pip install ")]
        commands = "\n".join([f'PATH="{python.parent}:$PATH"', *lines])
        said += _run("bash", "-euo", "pipefail", "-c", commands, cwd=tmp_path)
    for block in blocks(readme, "text"):
        assert block in said
