"""The distributions as an installer sees them: built, installed alone, and put to work."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.wheels


def _plugins_of(*parts):
    """Read which entry points the sources of some distributions declare."""
    return {
        (group, name)
        for part in parts
        for group, names in tomllib.loads(
            (ROOT / f"metalab-{part}" / "pyproject.toml").read_text()
        )["project"]
        .get("entry-points", {})
        .items()
        for name in names
    }


PLUGINS = {
    "": _plugins_of("core"),
    "[numpy]": _plugins_of("core", "numpy"),
    "[full]": _plugins_of("core", "numpy", "postgres", "slurm"),
}

STUDY = """
import metalab

@metalab.operation
def doubled(params):
    return {"y": 2 * params["x"]}

experiment = metalab.Experiment(
    name="e", version="1", context={}, operation=doubled,
    params=metalab.grid(x=[1, 2]), seeds=metalab.seeds(base=1),
)
"""

# What the README's script prints, by parameter and replicate.
SCORES = ["0.009705", "0.034986", "0.097047", "0.349861", "0.970472", "3.498611"]


def _run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def dist(tmp_path_factory):
    """Every distribution of this repository, each wheel made from its source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    _run("uv", "build", "--quiet", "--all-packages", "--out-dir", str(folder), cwd=ROOT)
    return folder


@pytest.fixture(scope="session", params=list(PLUGINS), ids=lambda extra: f"metalab{extra}")
def installed(request, dist, tmp_path_factory):
    """A clean environment with the wheels of one choice of extras, outside the repository."""
    python = _install("metalab", request.param, dist, tmp_path_factory.mktemp("installed"))
    return request.param, python


@pytest.fixture(scope="session")
def with_kit(dist, tmp_path_factory):
    """A clean environment with core and what its conformance kit needs."""
    return _install("metalab-core", "[testing]", dist, tmp_path_factory.mktemp("with_kit"))


def _install(name, extra, dist, folder):
    wheels = {wheel.name.split("-")[0].replace("_", "-"): wheel for wheel in dist.glob("*.whl")}
    # Ours come from these files alone, whatever an index has under the same names.
    ours = folder / "ours.txt"
    ours.write_text("".join(f"{name} @ {path.as_uri()}\n" for name, path in wheels.items()))
    python = folder / "env" / "bin" / "python"
    _run(sys.executable, "-m", "venv", "env", cwd=folder)
    wanted = f"{name}{extra} @ {wheels[name].as_uri()}"
    pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(
        *pip, "--upgrade", "pip", cwd=folder
    )  # older ones do not take extras beside such constraints
    _run(*pip, "--constraint", str(ours), wanted, cwd=folder)
    return python


def _metalab(python, *words, cwd):
    return _run(str(python.with_name("metalab")), *words, cwd=cwd)


def test_all_five_are_built(dist):
    names = {"metalab", *(f"metalab_{part}" for part in ("core", "numpy", "postgres", "slurm"))}
    assert {wheel.name.split("-")[0] for wheel in dist.glob("*.whl")} == names
    assert {sdist.name.split("-")[0] for sdist in dist.glob("*.tar.gz")} == names


def test_its_requirements_fit_each_other(installed, tmp_path):
    _run(str(installed[1]), "-m", "pip", "check", cwd=tmp_path)


def test_its_plugins_are_found_and_load(installed, tmp_path):
    extra, python = installed
    rows = json.loads(_metalab(python, "plugins", "--check", "--json", cwd=tmp_path))
    assert {(row["group"], row["name"]) for row in rows} == PLUGINS[extra]


def test_the_readme_script_runs_and_resumes(installed, tmp_path):
    _, python = installed
    script = shutil.copy(ROOT / "docs" / "examples" / "mvp.py", tmp_path / "mvp.py")
    first = _run(str(python), str(script), cwd=tmp_path)
    (segment,) = (tmp_path / "experiments").glob("*/runs/*.jsonl")
    before = segment.read_bytes()
    again = _run(str(python), str(script), cwd=tmp_path)
    for said in (first, again):
        assert sorted(score for score in SCORES if score in said) == SCORES
    assert [path.read_bytes() for path in segment.parent.iterdir()] == [before]


def test_a_missing_library_is_named_with_its_extra(installed, tmp_path):
    extra, python = installed
    script = """if True:
        import metalab
        @metalab.operation
        def op(params):
            return {"y": params["x"]}
        experiment = metalab.Experiment(
            name="e", version="1", context={}, operation=op,
            params=metalab.grid(x=[1, 2]), seeds=metalab.seeds(base=1),
        )
        results = metalab.run(experiment).result()
        results.display()
        try:
            print(len(results.to_dataframe()), "rows")
        except metalab.MissingExtraError as error:
            print(error)
    """
    (tmp_path / "script.py").write_text(script)
    said = _run(str(python), "script.py", cwd=tmp_path)
    assert ("2 rows" if extra == "[full]" else "'metalab[pandas]'") in said.splitlines()[-1]


def test_the_conformance_kit_asks_a_store_that_is_installed(with_kit, tmp_path):
    ask = ("-p", "metalab.testing", "--pyargs", "metalab.testing", "--store", "{tmp}/store")
    said = _run(str(with_kit), "-m", "pytest", "-q", *ask, cwd=tmp_path)
    assert "passed" in said


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["postgres", "start"], "postgres"),
        (["ls", "postgresql://nobody@nowhere/none"], "postgres"),
        (["index", "status", "postgres://nobody@nowhere/none"], "postgres"),
        (["run", "study.py", "--executor", "slurm", "-j", "4"], "slurm"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_command_line_that_needs_a_plugin_says_what_to_install(with_kit, words, extra, tmp_path):
    (tmp_path / "study.py").write_text(STUDY)
    command = [str(with_kit.with_name("metalab")), *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode in {1, 2}
    assert done.stderr.endswith(f"install it with: pip install 'metalab[{extra}]'\n")
    assert not (tmp_path / "experiments").exists()
