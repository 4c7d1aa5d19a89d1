"""What people see: plain text in a pipe, tables on a terminal, whole words on a narrow one."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import metalab
from core.terminal_tools import Terminal, plain_environ

COMMAND = "import sys; from metalab.cli import main; sys.exit(main(sys.argv[1:]))"
AGGREGATE = "import sys, metalab; print(metalab.load_results(sys.argv[1]).aggregate(by='model'))"
COLOUR = re.compile(r"\x1b\[(?:[0-9]+;)*(?:3[0-7]|9[0-7]|38;)[0-9;]*m")
CAUSE = "this learning rate is far too large for the loss to settle"
COMMANDS = {
    "experiments": "ls {store}",
    "runs": "ls {store} -e settle",
    "columns": "ls {store} -e settle --columns run_id,lr,loss",
    "status": "status {store}",
    "show": "show {run} --store {store}",
    "provenance": "show {run} --provenance --store {store}",
    "diff": "diff {run} {other} --store {store}",
    "watch": "watch {store}",
    "plugins": "plugins",
    "doctor": "doctor {store}",
}


@metalab.operation
def settle(params, seeds, capture):
    if params["lr"] > 0.2:
        raise ValueError(CAUSE)
    capture.metric("loss", seeds.rng().random())
    for n in range(6):
        capture.metric(f"accuracy_{n}", n + seeds.rng().random())


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    experiment = metalab.Experiment(
        name="settle",
        version="1",
        context={},
        operation=settle,
        params=metalab.grid(lr=[0.1, 0.3], model=["svm", "gradient-boosted trees, 400 of them"]),
        seeds=metalab.seeds(base=5),
    )
    place = str(tmp_path_factory.mktemp("store"))
    return metalab.run(experiment, place, progress=False).result()


def words(name, results):
    given = {"run": results[0].run_id, "other": results[1].run_id, "store": results.store.root}
    return [word.format(**given) for word in COMMANDS[name].split(" ")]


def expected(name):
    return 1 if name == "diff" else 0


def seen(name, results, columns=40, **environ):
    """The command's terminal, after it has ended."""
    with Terminal(COMMAND, arguments=words(name, results), columns=columns, **environ) as terminal:
        terminal.finish(expected(name))
    return terminal


def piped(name, results, **environ):
    command = [sys.executable, "-c", COMMAND, *words(name, results)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=plain_environ(**environ)
    )
    assert done.returncode == expected(name)
    return done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_in_a_pipe_there_is_plain_text_alone(name, results):
    assert not {"\x1b", "─", "━", "\r"} & set(piped(name, results, COLUMNS="40"))


def test_in_a_pipe_no_width_breaks_a_row(results):
    head, *rows = piped("runs", results, COLUMNS="40").splitlines()
    assert len(rows) == len(results)
    assert head.split()[:2] == ["run", "status"]
    assert all(CAUSE[:20] in row for row in rows if "failed" in row)


def test_with_force_color_a_pipe_is_drawn_on(results):
    told = piped("experiments", results, FORCE_COLOR="1", COLUMNS="100")
    assert "\x1b[1m" in told
    assert "─" in told
    assert "\x1b" not in piped("experiments", results, FORCE_COLOR="")


def test_with_no_color_there_are_no_colours(results):
    assert COLOUR.search(seen("watch", results).raw)
    for name in ("watch", "runs", "status"):
        assert not COLOUR.search(seen(name, results, NO_COLOR="1").raw)


@pytest.mark.parametrize("name", ["runs", "status", "show"])
def test_a_dumb_terminal_is_written_to_in_plain_text(name, results):
    assert "\x1b" not in seen(name, results, TERM="dumb").raw


@pytest.mark.parametrize("name", COMMANDS)
def test_a_narrow_terminal_shows_it_without_a_complaint(name, results):
    terminal = seen(name, results)
    assert "Traceback" not in terminal.raw
    # Drawn lines end before the edge; what is no table is left to the terminal to wrap.
    assert all(len(line) <= 40 for line in terminal.screen.lines if "─" in line)


def test_on_a_narrow_terminal_ids_and_numbers_are_whole(results):
    run, *_ = results
    lines = seen("runs", results).screen.lines
    assert f"run         {run.run_id[:8]}" in lines
    assert f"loss        {run.metrics['loss']:.6f}" in lines
    assert "model       gradient-boosted trees, 400" in lines
    shown = seen("columns", results).screen
    assert run.run_id in "".join(shown.lines)
    assert "last change  " + run.finished_at.astimezone().strftime("%Y-%m-%d") in "\n".join(
        seen("experiments", results).screen.lines
    )


def test_on_a_narrow_terminal_a_cause_is_broken_between_words(results):
    lines = seen("status", results).screen.lines
    head, _, *rows = lines[lines.index("settle:1: failed") + 1 :]
    told = " ".join(row[head.index("cause") : head.index("example")].strip() for row in rows)
    assert CAUSE in told


def test_a_wide_terminal_shows_the_rows_whole(results):
    lines = seen("runs", results, columns=200).screen.lines
    run, *_ = results
    (row,) = [line for line in lines if line.startswith(run.run_id[:8])]
    assert f"{run.metrics['loss']:.6f}" in row


def test_groups_are_plain_text_on_any_terminal(results):
    place = str(results.store.root)
    with Terminal(AGGREGATE, arguments=[place], columns=40, NO_COLOR="1") as terminal:
        terminal.finish()
    assert "\x1b" not in terminal.raw
    assert "svm" in terminal.raw
