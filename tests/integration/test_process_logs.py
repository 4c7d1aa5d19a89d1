"""Logs of runs that are executed side by side: each holds its own run's lines, and all of them."""

# ruff: noqa: T201 - printing is under test

from __future__ import annotations

import logging
import sys
import threading
import time

import pytest

import metalab
from process_tools import experiment, results_of


@pytest.fixture(scope="module")
def executors():
    with metalab.ProcessExecutor(2) as process, metalab.ThreadExecutor(4) as thread:
        yield {"thread": thread, "process": process}


@metalab.operation
def talkative(context, params, capture, runtime):
    library = logging.getLogger("a_library")
    if context["alone"]:  # the run before it in this process has left no trace
        assert (library.level, library.handlers) == (logging.NOTSET, [])
        assert (sys.stdout, sys.stderr) == (sys.__stdout__, sys.__stderr__)
    x = params["x"]
    capture.subscribe_logger("a_library", level="debug")
    capture.subscribe_output()
    for line in range(20):
        capture.log(f"capture {x}:{line}")
        runtime.logger.debug("runtime %s:%s", x, line)
        library.debug("library %s:%s", x, line)
        print(f"printed {x}:{line}")
        print(f"complained {x}:{line}", file=sys.stderr)
        time.sleep(0.0005)
    helper = threading.Thread(target=capture.log, args=(f"helper {x}",))
    helper.start()
    helper.join()


def numbers_in(text, word):
    return [line.rpartition(" ")[2] for line in text.splitlines() if f"{word} " in line]


@pytest.mark.parametrize("name", ["thread", "process"])
def test_hold_exactly_their_run_s_lines(tmp_path, executors, name):
    streams = sys.stdout, sys.stderr
    exp = experiment(tmp_path, talkative, 16, context={"alone": name == "process"})
    results = results_of(tmp_path, exp, executors[name])
    assert [run.error for run in results] == [None] * 16
    for run in results:
        x = run.params["x"]
        expected = [f"{x}:{line}" for line in range(20)]
        log = results.store.get_log(run.run_id)
        for word in ("capture", "runtime", "library"):
            assert numbers_in(log, word) == expected
        assert numbers_in(log, "helper") == [str(x)]
        assert len(log.splitlines()) == 61
        assert f"[metalab.{name}:" in log
        assert numbers_in(results.store.get_log(run.run_id, "stdout"), "printed") == expected
        assert numbers_in(results.store.get_log(run.run_id, "stderr"), "complained") == expected
    library = logging.getLogger("a_library")
    assert (library.level, library.handlers) == (logging.NOTSET, [])
    assert (sys.stdout, sys.stderr) == streams
