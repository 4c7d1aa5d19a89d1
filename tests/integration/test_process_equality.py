"""Whoever executes it, wherever its code is defined: an experiment gives the same, bit for bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from process_tools import SECONDS

DEFINITIONS = """
import dataclasses, datetime, decimal, enum, fractions, functools, hashlib, json, pathlib, sys
import attrs
import metalab

class Color(enum.Enum):
    RED = 1
    BLUE = 2

class Level(enum.IntEnum):
    LOW = 1

@dataclasses.dataclass(frozen=True)
class Point:
    x: float
    y: float = 0.5

@attrs.frozen
class Range:
    low: int
    high: int

@metalab.context_spec
class Settings:
    scale: float
    colors: tuple = (Color.RED, Color.BLUE)

def helper(value):
    return value * FACTOR

FACTOR = 3

def resolve(context_meta, params):
    return {**params, "resolved": Point(float(params["n"]))}

def digest(obj):
    return hashlib.sha256(repr(obj).encode()).hexdigest()[:16]

@metalab.operation
def measure(context, params, seeds, capture):
    rng = seeds.rng()
    for step in range(3):
        capture.metric("walk", rng.gauss(0, 1) * context.scale, step=step)
    capture.metric("value", helper(seeds.rng("other").random()))
    capture.metric("big", 2**80 + params["n"])
    capture.metric("nothing", float("nan"))
    capture.metric("zero", -0.0)
    capture.metric("class", type(params["v"]).__qualname__)
    capture.metric("same", isinstance(params["resolved"], Point) and params["v"] in (params["v"],))
    capture.data("table", {"n": params["n"], "walk": [rng.random() for _ in range(3)]})
    capture.artifact("note", {"bytes": digest(seeds.rng("note").random())})
    capture.log(f"run {params['n']}")

VALUES = [
    Color.RED, Level.LOW, Point(1.0), Range(1, 2), {"b", "a", "c"}, frozenset({1, 2, 3}), None,
    (1, [2, {"k": b"bytes"}]), float("inf"), -0.0, 2**80, decimal.Decimal("1.10"), 1 + 2j, True,
    datetime.datetime(2026, 1, 2, 3, 4, 5), pathlib.PurePosixPath("a/b"), 1, 1.0, "1", Point,
    helper,
]

UNSTEADY = {4, 5, 19, 20}  # sets, a class, a function: their repr is not always the same

def experiment(order="forward", operation=measure, **fields):
    cases = [{"n": n, "v": value} for n, value in enumerate(VALUES)]
    if order == "shuffled":
        cases = cases[::2] + cases[1::2]
    tags = [f"case {case['n']}" for case in cases]
    return metalab.Experiment(**{
        "name": "same", "version": "1", "context": Settings(scale=0.1), "operation": operation,
        "params": metalab.with_resolver(metalab.manual(cases, tags), resolve),
        "seeds": metalab.seeds(base=5, replicates=2), "tags": ["t"], **fields,
    })

def told(results):
    return {
        run.run_id: [
            digest(sorted(run.params.items()) if run.params["n"] not in UNSTEADY else 0),
            {name: type(value).__qualname__ for name, value in run.params.items()},
            run.seed, run.replicate, digest(sorted(run.metrics.items())), digest(run.data("walk")),
            digest(run.data("table")), digest(run.artifact("note")), sorted(run.tags),
            str(run.status), run.error,
        ]
        for run in results
    }
"""

SCRIPT = (
    DEFINITIONS
    + """
store, executor, workers, order, part = sys.argv[1:]
options = {executor: {} if executor == "inline" else {"max_workers": int(workers)}}
exp = experiment(order)
if part == "half":
    some = metalab.run(exp, store, "inline", progress=False, on_failure="stop", on_event=None)
    for run in list(some.result(40))[::2]:
        some.store.delete_run(run.run_id)
results = metalab.run(exp, store, options, progress=False).result(40)
print(json.dumps(told(results), sort_keys=True))
"""
)


def python(folder, *command, text=None, hash_seed="random"):
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        input=text,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the script, and what it says when everything is executed inline."""
    folder = tmp_path_factory.mktemp("same")
    (folder / "same.py").write_text(SCRIPT)
    arguments = ("reference", "inline", 1, "forward", "all")
    told = json.loads(python(folder, "same.py", *arguments, hash_seed="0"))
    assert len(told) == 42
    assert {entry[9] for entry in told.values()} == {"success"}, told
    return folder, told


WAYS = [
    ("inline", 1, "shuffled", "all"),
    ("thread", 3, "forward", "all"),
    ("process", 1, "forward", "all"),
    ("process", 2, "shuffled", "all"),
    ("process", 7, "forward", "all"),
    ("process", 2, "forward", "half"),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, way)))
def test_executors_workers_order_and_resumption_change_nothing(home, way):
    folder, reference = home
    assert json.loads(python(folder, "same.py", "-".join(map(str, way)), *way)) == reference


@pytest.mark.parametrize("how", ["-m", "-c", "-"])
def test_the_way_python_was_started_changes_no_result(home, how):
    folder, reference = home
    arguments = ("process", 2, "forward", "all")
    if how == "-m":
        assert json.loads(python(folder, "-m", "same", "m", *arguments)) == reference
        return
    command, text = (("-c", SCRIPT), None) if how == "-c" else (("-",), SCRIPT)
    told = json.loads(python(folder, *command, f"store{how}", *arguments, text=text))
    inline = ("inline", 1, "forward", "all")
    assert told == json.loads(python(folder, *command, f"inline{how}", *inline, text=text))
    assert sorted(map(str, (entry[2:9] for entry in told.values()))) == sorted(
        map(str, (entry[2:9] for entry in reference.values()))
    )


def test_the_command_gives_what_the_script_does(home):
    folder, reference = home
    (folder / "sub").mkdir()
    (folder / "sub" / "same.py").write_text(DEFINITIONS + "\nexp = experiment()\n")
    command = ["-m", "metalab", "run", "same.py", "--executor", "process", "-j", "2"]
    python(folder / "sub", *command, "--store", "store")
    read = "import json, same, metalab; print(json.dumps(same.told(metalab.load_results('store'))))"
    assert json.loads(python(folder / "sub", "-c", read)) == reference


OPERATIONS = {
    "nested": """
        def make():
            @metalab.operation
            def op(params, seeds, capture):
                capture.metric("y", seeds.rng().random() * params["x"])
            return op
        op = make()
    """,
    "closure": """
        def make(scale):
            shift = {"by": [scale]}
            @metalab.operation
            def op(params, seeds, capture):
                capture.metric("y", seeds.rng().random() * scale + shift["by"][0])
            return op
        op = make(2.5)
    """,
    "lambda": """
        def make(scale):
            f = lambda x: x * scale
            @metalab.operation
            def op(params, capture):
                capture.metric("y", f(params["x"]))
            return op
        op = make(2.5)
    """,
    "module": """
        from nearby import op
    """,
    "partial": """
        import functools
        def base(x, scale):
            return x * scale
        g = functools.partial(base, scale=4)
        @metalab.operation
        def op(params, capture):
            capture.metric("y", g(params["x"]))
    """,
    "recursive": """
        class Tree:
            def __init__(self, depth):
                self.children = [Tree(depth - 1) for _ in range(2)] if depth else []
            def size(self):
                return 1 + sum(child.size() for child in self.children)
        @metalab.operation
        def op(params, capture):
            capture.metric("y", Tree(params["x"]).size())
    """,
}
NEARBY = """
import metalab
from nearby_too import scale

@metalab.operation
def op(params, capture):
    capture.metric("y", scale(params["x"]))
"""


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_executed_by_workers_wherever_they_are_defined(tmp_path, name):
    (tmp_path / "nearby.py").write_text(NEARBY)
    (tmp_path / "nearby_too.py").write_text("def scale(x):\n    return 7 * x\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, json, metalab\n"
        + textwrap.dedent(OPERATIONS[name])
        + textwrap.dedent("""
            exp = metalab.Experiment(
                name="where", version="1", context=None, operation=op,
                params=metalab.grid(x=[0, 1, 2]), seeds=metalab.seeds(base=3, replicates=2),
            )
            told = []
            for executor in ("inline", {"process": {"max_workers": 2}}):
                store = f"{sys.argv[1]}/{'inline' if executor == 'inline' else 'process'}"
                results = metalab.run(exp, store, executor=executor, progress=False).result(40)
                told.append([(run.run_id, run.metrics) for run in results])
            print(told[0] == told[1], len(told[0]), sorted(told[0][0][1]))
        """)
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert python(elsewhere, script, tmp_path).strip() == "True 6 ['y']"


def test_files_of_the_working_folder_do_not_stand_in_for_modules_of_a_worker(tmp_path):
    """The script's folder is searched by an import, and the working folder is not."""
    (tmp_path / "script.py").write_text(
        "import metalab\n"
        "@metalab.operation\ndef op(params, capture):\n    capture.metric('y', params['x'])\n"
        "exp = metalab.Experiment(name='a', version='1', context=None, operation=op,\n"
        "    params=metalab.grid(x=[1, 2]), seeds=metalab.seeds(base=3))\n"
        "print(len(metalab.run(exp, 'store', 'process', progress=False).result(40).successful))\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("socket", "faulthandler", "select", "attrs", "pickle"):
        (elsewhere / f"{name}.py").write_text("raise ImportError('not this one')\n")
    assert python(elsewhere, tmp_path / "script.py").strip() == "2"
