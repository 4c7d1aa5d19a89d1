"""Derived metrics computed by several processes: the same values, whatever happens to one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

import metalab
from metalab.errors import PayloadError
from metalab.results import parallel
from metalab.results.computed import DerivedMetricWarning

_LOCK = threading.Lock()


@metalab.operation
def op(params, capture):
    if params["x"] == 3:
        raise ValueError("not three")
    capture.metric("y", params["x"] / 7)


def experiment(count):
    return metalab.Experiment(
        "parallel", "1", None, op, metalab.grid(x=list(range(count))), metalab.seeds(1)
    )


@pytest.fixture
def results(store):
    return metalab.run(experiment(12), store=store, executor="inline", progress=False).result()


def cubed(run):
    return run.metrics["y"] ** 3 / 0.1


def parts(run):
    return {"half": run.metrics["y"] / 2, "none": None, "nan": float("nan")}


def deadly(run):
    if run.params["x"] == 5:
        os._exit(7)
    return run.params["x"]


def raising(run):
    return 1 / (run.params["x"] - 4)


def structured(run):
    return [run.params["x"]]


def process(run):
    return os.getpid()


def say(path, text=""):
    """Write a file that is there in full as soon as it is there."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    part.rename(path)


@pytest.fixture
def clock(monkeypatch):
    """Let the clock that times runs be so much later than it is; no run of a slow machine is."""

    def set_forward(seconds):
        now = SimpleNamespace(monotonic=lambda: time.monotonic() + seconds())
        monkeypatch.setattr(parallel, "time", now)
        monkeypatch.setattr(parallel, "_GLANCE", 0.05)

    return set_forward


def values(results):
    return [{name: repr(value) for name, value in run.derived.items()} for run in results]


def test_values_are_the_same_bit_for_bit_however_many_workers_compute(results):
    results.compute_derived([cubed, parts])
    expected = values(results)
    for workers in (1, 3):
        results.compute_derived([cubed, parts], overwrite=True, workers=workers)
        assert values(results) == expected
    assert expected[0]["cubed"] == repr(0.0)


def test_workers_are_other_processes_and_failed_runs_are_left_out(results):
    results.compute_derived(process, workers=2)
    kept = [run.derived.get("process") for run in results]
    assert kept[3] is None
    assert os.getpid() not in kept
    assert kept.count(None) == 1


def test_only_what_is_missing_or_of_other_code_is_computed(results):
    results[:4].compute_derived(process, workers=1)
    before = [run.derived.get("process") for run in results]
    results.compute_derived(process, workers=1)
    after = [run.derived.get("process") for run in results]
    assert after[:4] == before[:4]
    assert None not in after[4:]
    results.compute_derived(process, workers=1, overwrite=True)
    assert results[0].derived["process"] not in after


def _helped(factor):
    def helper(value):
        return value * factor

    def scaled(run):
        return helper(run.params["x"])

    return scaled


def test_an_edited_helper_has_values_computed_again(results):
    results.compute_derived(_helped(2), workers=2)
    results.compute_derived(_helped(5), workers=2)
    assert [run.derived["scaled"] for run in results.successful][:3] == [0, 5, 10]


def test_a_worker_that_dies_costs_its_run_alone(results):
    with pytest.warns(DerivedMetricWarning) as caught:
        results.compute_derived(deadly, workers=2)
    assert len(caught) == 1
    assert results[5].run_id in str(caught[0].message)
    assert "exit status 7" in str(caught[0].message)
    kept = [run.derived.get("deadly") for run in results]
    assert kept == [None if x in {3, 5} else x for x in range(12)]


def test_a_function_that_never_returns_costs_its_run_alone(results, tmp_path, clock):
    stuck = [tmp_path / "2", tmp_path / "7"]

    def endless(run):
        if run.params["x"] in {2, 7}:
            say(tmp_path / str(run.params["x"]))
            while True:
                pass
        return run.params["x"]

    clock(lambda: 1000 * all(path.exists() for path in stuck))
    with pytest.warns(DerivedMetricWarning, match=r"longer than timeout=500 seconds") as caught:
        results.compute_derived(endless, workers=2, timeout=500)
    blamed = [each for each in (2, 7) for w in caught if results[each].run_id in str(w.message)]
    assert blamed == [2, 7]
    assert len(caught) == 2
    kept = [run.derived.get("endless") for run in results]
    assert kept == [None if x in {2, 3, 7} else x for x in range(12)]


def test_what_was_ended_is_tried_again_and_no_process_is_left(results, tmp_path, clock):
    seen = tmp_path / "seen"

    def stuck_at_first(run):
        if not seen.exists():
            child = subprocess.Popen(["sleep", "600"])
            say(seen, f"{os.getpid()} {child.pid}")
            child.wait()
        return run.params["x"]

    clock(lambda: 1000 * seen.exists())
    with pytest.warns(DerivedMetricWarning, match="timeout=500.5"):
        results[:1].compute_derived(stuck_at_first, workers=1, timeout=500.5)
    worker, child = map(int, seen.read_text().split())
    assert not _alive(worker)
    _wait_for_the_end_of(child)
    results[:1].compute_derived(stuck_at_first, workers=1, timeout=500)
    assert results[0].derived == {"stuck_at_first": 0}


def test_what_a_function_left_behind_does_not_hold_up_the_rest(results, tmp_path, clock):
    seen = tmp_path / "seen"

    def daemonic(run):
        if run.params["x"] != 1:
            return run.params["x"]
        if not os.fork():
            os.setsid()
            say(seen, str(os.getpid()))
            time.sleep(600)
        while True:
            time.sleep(600)

    clock(lambda: 1000 * seen.exists())
    try:
        with pytest.warns(DerivedMetricWarning, match="timeout=500 seconds"):
            results[:3].compute_derived(daemonic, workers=1, timeout=500)
    finally:
        os.kill(int(seen.read_text()), signal.SIGKILL)
    assert [run.derived.get("daemonic") for run in results[:3]] == [0, None, 2]


def test_a_timeout_is_of_one_run_and_not_of_what_a_worker_is_given(results, tmp_path, clock):
    begun = tmp_path / "begun"
    begun.touch()

    def slow(run):
        with begun.open("a") as file:
            file.write("x")
        time.sleep(0.15)  # in which who waits has a glance at the clock
        return run.params["x"]

    clock(lambda: 400 * begun.stat().st_size)  # two take longer than one may
    results.compute_derived(slow, workers=1, timeout=700)
    assert len([run for run in results if "slow" in run.derived]) == 11


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_that_is_no_time_is_refused(results, timeout):
    with pytest.raises(ValueError, match="not more than 0 seconds"):
        results.compute_derived(cubed, workers=1, timeout=timeout)


def test_a_timeout_needs_workers(results):
    with pytest.raises(ValueError, match="needs workers="):
        results.compute_derived(cubed, timeout=1)


def test_a_timeout_without_end_is_none(results):
    results.compute_derived(cubed, workers=1, timeout=float("inf"))
    assert len([run for run in results if "cubed" in run.derived]) == 11


def test_what_raises_or_is_no_scalar_is_a_warning_that_names_the_run(results):
    with pytest.warns(DerivedMetricWarning, match="ZeroDivisionError") as caught:
        results.compute_derived(raising, workers=2)
    assert [results[4].run_id in str(each.message) for each in caught] == [True]
    with pytest.warns(DerivedMetricWarning, match="return a scalar"):
        results[:1].compute_derived(structured, workers=1)


def test_numpy_scalars_are_kept_as_numbers(results):
    np = pytest.importorskip("numpy")

    def whole(run):
        return {"int": np.int64(run.params["x"]), "small": np.float32(0.1), "yes": np.bool_(True)}

    results.compute_derived(whole, workers=2)
    assert results[2].derived == {"int": 2, "small": float(np.float32(0.1)), "yes": True}


def test_what_cannot_be_sent_says_so(results):
    def stuck(run):
        with _LOCK:
            return 1

    with pytest.raises(PayloadError, match="without workers"):
        results.compute_derived(stuck, workers=1)


def test_no_workers_at_all_are_refused(results):
    with pytest.raises(ValueError, match="workers=0"):
        results.compute_derived(cubed, workers=0)


SCRIPT = """
    import os, sys, time
    import metalab

    class Scale:
        factor = 3

    def helper(x):
        return x * Scale.factor

    def tripled(run):
        return helper(run.params["x"])

    def slow(run):
        with open(sys.argv[2], "a") as file:
            print(os.getpid(), file=file, flush=True)
        time.sleep(600)

    results = metalab.load_results(sys.argv[1])
    if len(sys.argv) > 2:
        results.compute_derived(slow, workers=2)
    results.compute_derived(tripled, workers=2)
    print([run.derived.get("tripled") for run in results])
"""


def _script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(SCRIPT))
    return str(path)


def test_a_script_needs_no_main_guard(results, tmp_path):
    done = subprocess.run(
        [sys.executable, _script(tmp_path), results.store.locator],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == f"{[None if x == 3 else 3 * x for x in range(12)]}\n"


OPTIONS = """
    import sys
    import metalab

    def started_with(run):
        return f"{sys.warnoptions} {sorted(sys._xoptions.items())}"

    results = metalab.load_results(sys.argv[1])[:1]
    results.compute_derived(started_with, workers=1)
    print(results[0].derived["started_with"])
    print(started_with(None))
"""


def test_workers_are_started_with_the_options_of_their_interpreter(results, tmp_path):
    path = tmp_path / "options.py"
    path.write_text(textwrap.dedent(OPTIONS))
    options = ["-X", "utf8=1", "-X", "faulthandler", "-W", "ignore::UserWarning:there"]
    done = subprocess.run(
        [sys.executable, *options, str(path), results.store.locator],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    inside, outside = done.stdout.splitlines()
    assert inside == outside
    assert "('utf8', '1')" in inside
    assert "ignore::UserWarning:there" in inside


def _wait_for_the_end_of(pid):
    deadline = time.monotonic() + 60
    while _alive(pid) and not _is_zombie(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _is_zombie(pid):
    # Whoever adopts it may never ask how it ended.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_interrupt_leaves_no_process_behind(results, tmp_path):
    seen = tmp_path / "seen"
    parent = subprocess.Popen(
        [sys.executable, _script(tmp_path), results.store.locator, str(seen)],
        stderr=subprocess.PIPE,
    )
    with parent:
        deadline = time.monotonic() + 60
        while not seen.exists() or len(seen.read_text().split()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        parent.send_signal(signal.SIGINT)
        _, stderr = parent.communicate(timeout=60)
    assert b"KeyboardInterrupt" in stderr
    assert not any(map(_alive, map(int, seen.read_text().split())))


def test_nothing_to_compute_starts_nothing(results):
    results.compute_derived(cubed, workers=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results.compute_derived(cubed, workers=4)
