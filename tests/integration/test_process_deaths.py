"""A run that takes its process with it costs an attempt, and no other run anything."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from enum import Enum
from pathlib import Path

import pytest

import metalab
from metalab.errors import PayloadError
from process_tools import (
    SECONDS,
    executed,
    experiment,
    is_there,
    note,
    results_of,
    wait_until,
)

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="which signal ended a process is told as on Linux"
)


@pytest.fixture(scope="module")
def executor():
    """One executor for all tests of this module: each finds what the deaths before it have left."""
    with metalab.ProcessExecutor(2) as made:
        yield made


def segfault():
    ctypes.string_at(0)


def abort():
    os.abort()


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def leave_well():
    os._exit(0)


def leave_badly():
    os._exit(3)


ENDS = [
    (segfault, "was ended by SIGSEGV", "in segfault"),
    (abort, "was ended by SIGABRT", "in abort"),
    (kill, "was ended by SIGKILL", ""),
    (leave_well, "exited with status 0", ""),
    (leave_badly, "exited with status 3", ""),
]


@pytest.mark.parametrize(("end", "how", "where"), ENDS, ids=[end[0].__name__ for end in ENDS])
def test_is_tried_as_often_as_agreed_and_recorded_with_how_it_died(
    tmp_path, executor, end, how, where
):
    @metalab.operation
    def deadly(context, params, capture):
        note(context, params["x"])
        capture.log(f"this is {params['x']}")
        if params["x"] == 3:
            end()
        capture.metric("y", 2 * params["x"])

    events = []
    results = results_of(
        tmp_path, experiment(tmp_path, deadly), executor, retry=2, on_event=events.append
    )
    assert [run.metrics.get("y") for run in results] == [0, 2, 4, None, 8, 10]
    assert executed(tmp_path) == {"0": 1, "1": 1, "2": 1, "3": 2, "4": 1, "5": 1}
    (failed,) = results.failed
    assert failed.error["type"] == "WorkerDiedError"
    assert failed.error["message"].startswith(f"the process that executed it {how}")
    assert "(try 2 of 2)" in failed.error["message"]
    assert "this is 3" in failed.error["traceback"]
    assert where in failed.error["traceback"]
    assert failed.record.attempt == 2
    assert failed.record.provenance.executor_id.startswith("process:")
    kinds = [event.kind for event in events if event.run_id == failed.run_id]
    assert kinds.count("run_retried") == kinds.count("run_failed") == 1
    assert kinds.index("run_retried") < kinds.index("run_failed")


def test_what_is_no_death_is_the_run_s_own_failure(tmp_path, executor):
    @metalab.operation
    def leaving(context, params):
        note(context, params["x"])
        if params["x"] == 1:
            sys.exit(7)
        if params["x"] == 2:
            raise KeyboardInterrupt
        if params["x"] == 3:
            raise BaseException("of no kind")  # noqa: TRY002  what an operation may do

    results = results_of(tmp_path, experiment(tmp_path, leaving), executor)
    assert [run.status.value for run in results] == [
        "success", "failed", "cancelled", "failed", "success", "success"
    ]  # fmt: skip
    assert [run.error["type"] for run in results.failed] == ["SystemExit", "BaseException"]
    assert set(executed(tmp_path).values()) == {1}


def test_an_exception_in_a_callback_from_c_is_nobody_s_death(tmp_path, executor):
    @metalab.operation
    def called_back(params, capture):
        kind = ctypes.CFUNCTYPE(ctypes.c_int)

        @kind
        def raising():
            raise ValueError("in a callback")

        capture.metric("got", raising())  # what C is told then

    results = results_of(tmp_path, experiment(tmp_path, called_back, 3), executor)
    assert [run.metrics for run in results] == [{"got": -1}] * 3


def test_a_run_that_takes_too_much_memory_fails_and_its_neighbours_do_not(tmp_path, executor):
    libc = "libc.so.6"

    @metalab.operation
    def greedy(params, capture):
        if params["x"] == 1:
            bytearray(1 << 30)
        if params["x"] == 2:
            allocate = ctypes.CDLL(libc).malloc
            allocate.restype = ctypes.c_void_p
            allocate.argtypes = [ctypes.c_size_t]
            block = allocate(1 << 30)
            ctypes.memset(block or 0, 1, 1 << 30)
        capture.metric("size", len(bytearray(50 << 20)))

    exp = experiment(tmp_path, greedy)
    results = results_of(tmp_path, exp, executor, memory="300M", retry=1)
    assert [run.error["type"] for run in results.failed] == ["MemoryError", "WorkerDiedError"]
    assert "SIGSEGV" in results.failed[1].error["message"]
    assert len(results.successful) == 4


def test_a_limit_of_memory_holds_for_the_launch_that_has_it(tmp_path, executor):
    """Workers that serve two launches at once limit the runs of one, and not the other's."""

    @metalab.operation
    def alternating(context, params, capture):
        mark = Path(f"{context['journal']}.{params['x']}")
        if context["again"] and not mark.exists():
            mark.touch()
            raise OSError("once more, when the other launch is under way")
        time.sleep(0.02)
        try:
            capture.metric("size", len(bytes(400 << 20)))
        except MemoryError:
            capture.metric("size", 0)

    def started(name, *, again, **options):
        context = {"journal": str(tmp_path / name), "again": again}
        exp = experiment(tmp_path, alternating, 12, name=name, context=context)
        store = tmp_path / "store"
        return metalab.run(exp, store, executor=executor, progress=False, **options)

    retry = metalab.Retry(2, backoff=0.3)
    bounded = started("bounded", again=True, memory="300M", retry=retry)
    free = started("free", again=False)
    assert {run.metrics["size"] for run in bounded.result(SECONDS)} == {0}
    assert {run.metrics["size"] for run in free.result(SECONDS)} == {400 << 20}


class Locked:
    """A context that no other process can have."""

    def __init__(self):
        self.lock = threading.Lock()

    def fingerprint_payload(self):
        return "locked"


def test_what_cannot_be_sent_is_refused_before_anything_is_written(tmp_path, executor):
    @metalab.operation
    def plain(params):
        pass

    exp = experiment(tmp_path, plain, context=Locked())
    with pytest.raises(PayloadError, match="the context of deaths:1 cannot be sent"):
        metalab.run(exp, tmp_path / "store", executor=executor, progress=False)
    assert not (tmp_path / "store").exists()


class Fatal:
    """A context whose arrival ends the process."""

    def __reduce__(self):
        return os._exit, (5,)

    def fingerprint_payload(self):
        return "fatal"


def test_a_context_that_kills_whoever_unpacks_it_ends_the_launch_in_words(tmp_path, executor):
    @metalab.operation
    def plain(params):
        pass

    exp = experiment(tmp_path, plain, context=Fatal())
    with pytest.raises(PayloadError, match=r"cannot execute deaths:1: .*exited with status 5"):
        results_of(tmp_path, exp, executor)
    assert len(metalab.load_results(tmp_path / "store", "deaths:1")) == 0


def test_an_operation_that_workers_cannot_import_ends_the_launch_in_words(
    tmp_path, executor, monkeypatch
):
    (tmp_path / "only_here.py").write_text(
        "import sys\nimport metalab\n"
        "if 'metalab.execution.process.executor' not in sys.modules:\n"
        "    raise ImportError('gone for the workers')\n"
        "@metalab.operation\ndef op(params):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    exp = experiment(tmp_path, only_here.op)
    with pytest.raises(PayloadError, match="ImportError: gone for the workers"):
        results_of(tmp_path, exp, executor)
    assert len(metalab.load_results(tmp_path / "store", "deaths:1")) == 0


def raising_away_from(home):
    def resolve(context_meta, params):
        if os.getpid() != home and params["x"] == 3:
            raise ValueError("not here")
        return {"x": params["x"]}

    return resolve


def leaving_away_from(home):
    def resolve(context_meta, params):
        if os.getpid() != home and params["x"] == 3:
            sys.exit(6)
        return {"x": params["x"]}

    return resolve


def dying_away_from(home):
    def resolve(context_meta, params):
        if os.getpid() != home and params["x"] == 3:
            os._exit(6)
        return {"x": params["x"]}

    return resolve


@pytest.mark.parametrize(
    ("resolver", "text"),
    [
        (raising_away_from, "ValueError: .*not here"),
        (leaving_away_from, "exited with status 6|SystemExit: 6"),
        (dying_away_from, "exited with status 6"),
    ],
)
def test_params_that_cannot_be_had_in_a_worker_end_the_launch_in_words(
    tmp_path, executor, resolver, text
):
    @metalab.operation
    def plain(context, params):
        note(context, params["x"])

    exp = experiment(tmp_path, plain, param_resolver=resolver(os.getpid()))
    with pytest.raises(metalab.errors.MetalabError, match=text):
        results_of(tmp_path, exp, executor)
    assert set(executed(tmp_path).values()) <= {1}
    assert executed(tmp_path)["3"] == 0


@pytest.mark.parametrize("culprit", [0, 7], ids=["beside the runs", "after the last"])
def test_a_derived_metric_that_kills_leaves_the_run_a_success(tmp_path, executor, culprit, caplog):
    @metalab.operation
    def plain(context, params, capture):
        note(context, params["x"])
        capture.metric("y", params["x"])

    home = os.getpid()

    def deadly(run):
        if os.getpid() != home and run.metrics["y"] == culprit:
            os._exit(4)
        return run.metrics["y"] + 1

    events = []
    results = results_of(
        tmp_path,
        experiment(tmp_path, plain, 8),
        executor,
        derived_metrics=[deadly],
        on_event=events.append,
    )
    assert len(results.successful) == 8
    assert set(executed(tmp_path).values()) == {1}
    assert [event.kind for event in events].count("run_finished") == 8
    derived = [run.derived.get("deadly") for run in results]
    assert derived == [None if x == culprit else x + 1 for x in range(8)]
    assert f"no derived metrics of run {results[culprit].run_id}" in caplog.text
    assert "exited with status 4" in caplog.text


def test_a_death_takes_no_derived_metrics_of_other_runs_with_it(tmp_path, executor):
    @metalab.operation
    def plain(params, capture):
        if params["x"] == 11:
            kill()
        capture.metric("y", params["x"])

    def successor(run):
        return run.metrics["y"] + 1

    exp = experiment(tmp_path, plain, 12)
    results = results_of(tmp_path, exp, executor, derived_metrics=[successor], retry=1)
    derived = [run.derived.get("successor") for run in results]
    assert derived == [x + 1 if x < 11 else None for x in range(12)]


def test_a_poisonous_run_among_a_thousand_fast_ones(tmp_path, executor):
    @metalab.operation
    def mostly_quick(context, params, capture):
        note(context, params["x"])
        if params["x"] == 500:
            kill()
        capture.metric("y", params["x"])

    handle = metalab.run(
        experiment(tmp_path, mostly_quick, 1001),
        tmp_path / "store",
        executor=executor,
        progress=False,
    )
    results = handle.result(SECONDS)
    assert [run.params["x"] for run in results.failed] == [500]
    assert [run.metrics["y"] for run in results.successful] == [x for x in range(1001) if x != 500]
    assert executed(tmp_path) == {str(x): 3 if x == 500 else 1 for x in range(1001)}
    assert (handle.status.completed, handle.status.failed) == (1000, 1)
    assert (handle.status.running, handle.status.pending) == (0, 0)


@pytest.mark.parametrize("every", [20, pytest.param(4, marks=pytest.mark.slow)])
def test_deaths_by_the_dozen_cost_nothing_but_attempts(tmp_path, executor, every):
    """Each so-manyth run kills its worker once, and somebody else kills some at any moment."""

    @metalab.operation
    def often_dead(context, params, capture):
        x = params["x"]
        note(context, f"{x}:{os.getpid()}")
        mark = Path(f"{context['journal']}.{x}")
        if x % every == 0 and not mark.exists():
            mark.touch()
            kill()
        time.sleep(0.005)
        capture.metric("y", x)

    exp = experiment(tmp_path, often_dead, 200)
    options = {"executor": executor, "progress": False, "retry": 10}
    events = []
    handle = metalab.run(exp, tmp_path / "store", on_event=events.append, **options)
    moments = random.Random(every)
    for _ in range(40 // every):
        before = len(executed(tmp_path))
        wait_until(lambda before=before: handle.is_complete or len(executed(tmp_path)) > before)
        time.sleep(moments.uniform(0, 0.02))
        pids = {int(line.partition(":")[2]) for line in executed(tmp_path)}
        for pid in sorted(pid for pid in pids if is_there(pid, parent=os.getpid()))[-1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    results = handle.result(SECONDS)
    assert [run.metrics["y"] for run in results] == list(range(200))
    calls = Counter(int(line.partition(":")[0]) for line in executed(tmp_path).elements())
    log = results.store.read()
    for run in results:
        # One may die before it has called its operation, whose call is noted by itself.
        assert 1 <= calls[run.params["x"]] <= 1 + len(log.losses(run.run_id))
    assert sum(calls.values()) >= 200 + 200 // every
    finished = [event.run_id for event in events if event.kind == "run_finished"]
    assert sorted(finished) == sorted(run.run_id for run in results)


@metalab.operation
def of_a_module_that_is_not_on_the_path(params, capture):
    capture.metric("y", params["x"])


class Kind(Enum):
    OF_THIS_MODULE = 1


def resolve_here(context_meta, params):
    return {**params, "kind": Kind.OF_THIS_MODULE}


def test_what_is_defined_where_no_import_finds_it_is_sent(tmp_path, executor):
    """Tests are such modules, where pytest imports them without changing the path."""
    params = metalab.with_resolver(metalab.grid(x=[1, 2], kind=[None]), resolve_here)
    exp = experiment(tmp_path, of_a_module_that_is_not_on_the_path, params=params)
    results = results_of(tmp_path, exp, executor)
    assert [run.metrics for run in results] == [{"y": 1}, {"y": 2}]
    assert results[0].params["kind"] is Kind.OF_THIS_MODULE
