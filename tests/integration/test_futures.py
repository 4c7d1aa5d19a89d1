"""Runs in the pools of other engines: the same results, and what becomes of those that die."""

from __future__ import annotations

import json
import os
import pickle
import time
from collections import Counter
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest

import metalab
from integration.sturdy_pool import SturdyPool
from metalab.errors import ExperimentFailedError, MetalabError, PayloadError
from metalab.execution import parcel
from metalab.execution.futures import submission as submissions
from metalab.execution.futures.pace import Pace
from metalab.records import Status
from metalab.store import FileStore

KILLER = 3


@metalab.operation
def noisy(params, seeds, capture):
    """Leave a line for each execution."""
    _note(params["x"])
    if params["x"] == "bad":
        raise ValueError("this one is bad")
    capture.metric("y", seeds.rng().random())
    capture.log(f"x is {params['x']}")
    capture.artifact("report", "text")


@metalab.operation
def deadly(params):
    _note(params["x"])
    if params["x"] == KILLER:
        os._exit(7)
    return {"y": params["x"]}


@metalab.operation
def waiting(params, runtime):
    _note(params["x"])
    while not runtime.should_stop:
        time.sleep(0.01)
    runtime.check_cancelled()


@metalab.operation
def failing_once(params):
    _note(params["x"])
    if Counter(_notes())[str(params["x"])] == 1:
        raise OSError("not yet")


@metalab.operation
def quick_then_slow(params):
    time.sleep(0.5 if 1500 <= params["x"] < 1512 else 0)


@metalab.operation
def held(params):
    """Go on from the third run on until the test says so."""
    _note(params["x"])
    if params["x"] >= 2:
        wait_until(Path(f"{os.environ['JOURNAL']}.go").exists)


@metalab.operation
def nothing(params): ...


@metalab.context_spec
class Rooted:
    """A context that knows no way out of its process."""

    depth: int = 1

    def __reduce__(self):
        raise TypeError("it is rooted here")


@metalab.operation
def deep(params, context):
    return {"y": params["x"] * context.depth}


def doubled(run):
    """A derived metric."""
    return {"twice": 2 * run.metrics["y"]}


def _note(x):
    with Path(os.environ["JOURNAL"]).open("a") as file:
        file.write(f"{x}\n")


def let_go():
    """Let the runs go on that are held."""
    Path(f"{os.environ['JOURNAL']}.go").touch()


def _notes():
    path = Path(os.environ["JOURNAL"])
    return path.read_text().split() if path.exists() else []


@pytest.fixture(autouse=True)
def _journal(tmp_path, monkeypatch):
    monkeypatch.setenv("JOURNAL", str(tmp_path / "journal"))


@pytest.fixture
def threads():
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def sturdy():
    with SturdyPool() as pool:
        yield pool


@pytest.fixture(params=["threads", "sturdy"])
def pool(request):
    return request.getfixturevalue(request.param)


def experiment(operation=noisy, xs=range(12), **fields):
    made = {
        "name": "pooled",
        "version": "1",
        "context": None,
        "operation": operation,
        "params": metalab.grid(x=list(xs)),
        "seeds": metalab.seeds(base=4),
    }
    return metalab.Experiment(**{**made, **fields})


def run(pool, store, exp=None, *, workers=None, **options):
    executor = metalab.FuturesExecutor(pool, workers=workers)
    return metalab.run(exp or experiment(), store, executor, progress=False, **options)


def rows(results):
    return [(each.run_id, each.status, each.params, each.metrics) for each in results]


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestResults:
    def test_they_are_those_of_the_inline_executor(self, pool, store, tmp_path):
        exp = experiment(xs=[*range(5), "bad"])
        inline = metalab.run(exp, tmp_path / "inline", "inline", progress=False)
        handle = run(pool, store, exp)
        assert rows(handle.result()) == rows(inline.result())
        assert handle.status == inline.status
        assert [flaw.kind for flaw in handle.store.inspect().flaws] == []
        assert handle.result()[0].artifact("report") == "text"

    def test_every_event_is_told_in_order(self, pool, store):
        events = []
        handle = run(pool, store, experiment(xs=[1, "bad"]), on_event=events.append)
        handle.wait()
        by_run = {}
        for event in events:
            by_run.setdefault(event.run_id, []).append(event.kind.value)
        good, bad = (by_run[each.run_id] for each in handle.result())
        assert good == ["run_started", "log", "artifact_saved", "run_finished"]
        assert bad == ["run_started", "run_failed"]

    def test_the_counts_add_up_whenever_they_are_asked_for(self, pool, store):
        seen = []
        handle = run(pool, store, experiment(held, xs=range(20)))
        handle.set_event_callback(lambda _: seen.append(handle.status))
        let_go()
        handle.wait()
        assert all(min(counts_of(status)) >= 0 for status in seen)
        assert all(status.done + status.in_flight == 20 for status in seen)
        assert any(status.running for status in seen)

    def test_derived_metrics_are_there_when_it_is_over(self, pool, store):
        results = run(pool, store, experiment(xs=range(3)), derived_metrics=[doubled]).result()
        assert [each.derived["twice"] for each in results] == [
            2 * each.metrics["y"] for each in results
        ]

    def test_derived_metrics_are_computed_of_what_was_stored_before(self, pool, store):
        run(pool, store, experiment(xs=range(3))).wait()
        results = run(pool, store, experiment(xs=range(4)), derived_metrics=[doubled]).result()
        assert all("twice" in each.derived for each in results)
        assert sorted(_notes()) == ["0", "1", "2", "3"]

    def test_two_launches_share_one_pool(self, pool, store, tmp_path):
        executor = metalab.FuturesExecutor(pool)
        exps = [experiment(xs=range(5)), experiment(xs=range(5), name="other")]
        handles = [metalab.run(exp, store, executor, progress=False) for exp in exps]
        assert [len(handle.result().successful) for handle in handles] == [5, 5]
        assert Counter(_notes()) == {str(x): 2 for x in range(5)}

    def test_two_launches_of_one_experiment_execute_each_run_once(self, pool, store):
        handles = [run(pool, store) for _ in range(2)]
        assert [len(handle.result().successful) for handle in handles] == [12, 12]
        assert sorted(_notes(), key=int) == [str(x) for x in range(12)]

    def test_failures_are_tried_again(self, pool, store):
        kinds = []
        handle = run(
            pool,
            store,
            experiment(failing_once, xs=range(3)),
            retry=metalab.Retry(2, backoff=0.05),
            on_event=lambda event: kinds.append(event.kind.value),
        )
        results = handle.result()
        assert [(each.status, len(each.attempts())) for each in results] == [("success", 2)] * 3
        assert Counter(kinds) == {"run_started": 6, "run_retried": 3, "run_finished": 3}
        assert handle.status == metalab.RunStatus(total=3, completed=3)

    @pytest.mark.parametrize("kind", [ThreadPoolExecutor, SturdyPool])
    def test_the_first_failure_stops_it(self, kind, store):
        exp = experiment(xs=["bad", *range(60)])
        with kind(1) as pool:
            handle = run(pool, store, exp, on_failure="stop")
            handle.wait()
            assert handle.status.failed == 1
            assert handle.status.completed < 60
            assert len(run(pool, store, exp).result().successful) == 60
        assert max(Counter(_notes()).values()) <= 2


def counts_of(status):
    return attrs.astuple(status)


class TestPools:
    def test_what_is_no_pool_is_refused_with_examples(self):
        with pytest.raises(TypeError, match=r"get_executor\(\)"):
            metalab.FuturesExecutor("dask")

    def test_its_name_alone_is_not_enough(self, store):
        with pytest.raises(MetalabError, match=r"needs a pool: give metalab.FuturesExecutor"):
            metalab.run(experiment(), store, "futures")

    def test_it_is_made_by_name_and_options(self, threads, store):
        by_name = {"futures": {"pool": threads, "workers": 1}}
        assert len(metalab.run(experiment(), store, by_name, progress=False).result()) == 12

    def test_as_many_are_kept_at_work_as_the_pool_has(self):
        with ThreadPoolExecutor(7) as pool:
            assert metalab.FuturesExecutor(pool).workers == 7
            assert metalab.FuturesExecutor(pool, workers=3).workers == 3
            with pytest.raises(ValueError, match="at least one"):
                metalab.FuturesExecutor(pool, workers=0)

    def test_limits_are_refused(self, threads, store):
        with pytest.raises(MetalabError, match="'futures' cannot end a run"):
            run(threads, store, timeout=3)
        assert not Path(store).exists()

    def test_it_stays_its_makers_to_shut_down(self, threads, store):
        with metalab.FuturesExecutor(threads) as executor:
            metalab.run(experiment(), store, executor, progress=False)
        assert threads.submit(abs, -1).result() == 1
        assert len(_notes()) == 12
        with pytest.raises(RuntimeError, match="was shut down"):
            metalab.run(experiment(xs=[99]), store, executor, progress=False)

    def test_one_that_is_shut_down_ends_the_launch_and_another_goes_on(self, threads, store):
        with ThreadPoolExecutor(1) as pool:
            pass
        handle = run(pool, store)
        with pytest.raises(ExperimentFailedError, match="with a new pool") as raised:
            handle.result()
        assert isinstance(raised.value.__cause__, RuntimeError)
        assert handle.status.cancelled == 12
        assert len(run(threads, store).result().successful) == 12

    def test_one_that_calls_at_once_will_do(self, store):
        class AtOnce(Executor):
            def submit(self, function, /, *arguments):
                future = Future()
                future.set_result(function(*arguments))
                return future

        assert len(run(AtOnce(), store).result().successful) == 12

    def test_one_whose_futures_end_with_nothing_ends_the_launch_in_words(self, store):
        class Forgetful(Executor):
            def submit(self, function, /, *arguments):
                future = Future()
                future.set_result(function(*arguments) and None)
                return future

        with pytest.raises(TypeError, match="a future of Forgetful has ended with None; it has"):
            run(Forgetful(), store).result()

    def test_one_that_drops_what_it_was_given_ends_the_launch(self, store):
        with SturdyPool(workers=1) as pool:
            handle = run(pool, store, experiment(held))
            pool.shutdown(wait=False, cancel_futures=True)
            let_go()
            with pytest.raises(ExperimentFailedError):
                handle.result()
        assert handle.status.failed == 0


class TestStopping:
    def test_a_cancelled_launch_asks_the_runs_of_this_process_to_stop(self, threads, store):
        handle = run(threads, store, experiment(waiting))
        wait_until(lambda: len(_notes()) == 2)
        handle.cancel()
        assert handle.wait(30)
        assert len(_notes()) == 2
        assert [each.status for each in handle.result()] == ["cancelled"] * 2
        assert handle.status.cancelled == 12

    def test_what_a_pool_has_not_begun_is_taken_back(self, sturdy, store):
        handle = run(sturdy, store, experiment(held, xs=range(8)), workers=2)
        wait_until(lambda: len(_notes()) == 4)
        handle.cancel()
        let_go()
        assert handle.wait(60)
        done = len(handle.result().successful)
        assert len(_notes()) == done == handle.status.completed == 4
        assert len(run(sturdy, store, experiment(held, xs=range(8))).result().successful) == 8
        assert len(_notes()) == 8


class TestPayloads:
    def test_threads_need_none(self, threads, store):
        exp = experiment(deep, context=Rooted())
        assert len(run(threads, store, exp).result().successful) == 12
        assert not list(Path(store).rglob("payload"))

    def test_what_cannot_be_sent_is_refused_before_anything_is_written(self, sturdy, store):
        with pytest.raises(PayloadError, match=r"the context of pooled:1 cannot be .* rooted here"):
            run(sturdy, store, experiment(deep, context=Rooted()))
        assert not Path(store).exists()

    def test_one_is_kept_for_all_who_execute(self, sturdy, store):
        handle = run(sturdy, store)
        handle.wait()
        (kept,) = Path(store).rglob("payload/*")
        assert kept.stat().st_mode & 0o777 == 0o600
        assert all(len(pickle.dumps(ticket)) < 2000 for ticket in sturdy.sent)

    def test_a_store_that_keeps_none_says_so(self, sturdy, store, monkeypatch):
        from metalab.store.base import Store

        monkeypatch.setattr(FileStore, "put_payload", Store.put_payload)
        with pytest.raises(metalab.StoreError, match="cannot keep payloads"):
            run(sturdy, store)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"python": "2.7"}, "sent by Python 2.7, and this worker is Python 3"),
            ({"owner": 123456}, "made by the user 123456"),
        ],
    )
    def test_another_pythons_or_users_is_not_loaded(self, sturdy, store, monkeypatch, change, said):
        put = FileStore.put_payload

        def put_changed(self, data):
            header, line, rest = data.partition(b"\n")
            changed = {**json.loads(header), **change}
            return put(self, json.dumps(changed).encode() + line + rest)

        monkeypatch.setattr(FileStore, "put_payload", put_changed)
        handle = run(sturdy, store)
        with pytest.raises(PayloadError, match=said):
            handle.result()
        assert _notes() == []

    def test_one_that_was_changed_is_not_loaded(self, store):
        kept = FileStore(store).scoped("pooled:1")
        name = kept.put_payload(b"as it was")
        (path,) = Path(store).rglob("payload/*")
        path.write_bytes(b"as it is")
        with pytest.raises(PayloadError, match="not what was written"):
            parcel.fetch_parcel(kept, name)


class TestWorkersThatCannot:
    def test_without_metalab_the_launch_ends_with_what_was_raised(self, store):
        with SturdyPool(flags=("-S",)) as pool:
            handle = run(pool, store)
            with pytest.raises(PayloadError, match="ModuleNotFoundError: No module named"):
                handle.result()

    def test_an_operation_that_cannot_be_imported_is_named(
        self, sturdy, store, tmp_path, monkeypatch
    ):
        folder = tmp_path / "modules"
        folder.mkdir()
        (folder / "gone_soon.py").write_text(
            "import metalab\n@metalab.operation\ndef op(params): ...\n"
        )
        monkeypatch.syspath_prepend(str(folder))
        import gone_soon

        exp = experiment(gone_soon.op)
        executor = metalab.FuturesExecutor(sturdy)
        submit = executor.submit

        def submit_after_the_loss(batch):
            (folder / "gone_soon.py").unlink()
            return submit(batch)

        monkeypatch.setattr(executor, "submit", submit_after_the_loss)
        handle = metalab.run(exp, store, executor, progress=False)
        with pytest.raises(PayloadError, match="No module named 'gone_soon'") as raised:
            handle.result()
        assert "In the worker" in raised.value.__notes__[0]


class TestDeaths:
    def test_a_run_that_kills_its_process_fails_and_no_other(self, sturdy, store):
        kinds = []
        handle = run(
            sturdy,
            store,
            experiment(deadly, xs=range(8)),
            on_event=lambda event: kinds.append(event.kind.value),
        )
        results = handle.result()
        (failed,) = results.failed
        assert failed.params == {"x": KILLER}
        assert failed.error["type"] == "WorkerDiedError"
        assert failed.error["message"] == (
            "the process that executed it died (try 3 of 3): RuntimeError: a process ended with 7"
        )
        assert len(results.successful) == 7
        calls = Counter(_notes())
        assert calls.pop(str(KILLER)) == 4  # once among others, and three times alone
        assert set(calls.values()) == {1}
        assert kinds.count("run_retried") == 2
        assert handle.status == metalab.RunStatus(total=8, completed=7, failed=1)

    @pytest.mark.usefixtures("quick")
    def test_what_was_finished_before_is_not_done_again(self, store, monkeypatch):
        """A chunk of several runs dies in the middle, and what it wrote is made durable."""
        secured = []
        secure = FileStore.secure

        def secure_and_note(self, writer):
            secure(self, writer)
            secured.append(writer)

        monkeypatch.setattr(FileStore, "secure", secure_and_note)
        exp = experiment(deadly, xs=[*range(100, 300), KILLER, *range(300, 500)])
        with SturdyPool(workers=1) as pool:
            results = run(pool, store, exp, workers=1, retry=1).result()
        first = next(ticket for ticket in pool.sent if 200 in _runs_of(ticket))
        assert len(first.tasks) > 1
        (dead,) = set(secured)
        assert dead.split(".")[1].startswith("p")
        assert len(results.successful) == 400
        calls = Counter(_notes())
        assert calls.pop(str(KILLER)) == 2
        assert set(calls.values()) == {1}

    def test_a_pool_that_calls_again_for_the_dead_is_found_out(self, store):
        with SturdyPool(calls=2) as pool:
            results = run(pool, store, experiment(deadly, xs=range(6)), workers=2).result()
        (failed,) = results.failed
        assert "the pool has executed it again" in failed.error["message"]
        assert Counter(_notes())[str(KILLER)] == 2 + 3

    def test_one_that_breaks_every_process_is_given_up(self, store):
        with SturdyPool(flags=("-c", "import os; os._exit(9)")) as pool:
            handle = run(pool, store, experiment(xs=range(50)))
            with pytest.raises(ExperimentFailedError, match="a process ended with 9;"):
                handle.result()
        kept = 4
        assert len(pool.sent) <= (submissions._MOST_FAILURES + 1) * kept
        assert handle.status.failed == 0
        with SturdyPool() as pool:
            assert len(run(pool, store, experiment(xs=range(50))).result().successful) == 50


@pytest.fixture
def quick(monkeypatch):
    """Have no runs thought to be slow only since their process was held up."""

    def note_most(self, runs, seconds):
        note(self, runs, min(seconds, 0.002 * runs))

    note = Pace.note
    monkeypatch.setattr(Pace, "note", note_most)


@pytest.mark.usefixtures("quick")
class TestChunks:
    def test_short_runs_travel_together_and_the_last_ones_do_not(self, store, monkeypatch):
        monkeypatch.setattr(submissions, "_SECONDS", 100)  # nothing is given back
        with SturdyPool() as pool:
            run(pool, store, experiment(nothing, xs=range(3000))).result()
        sizes = [len(ticket.tasks) for ticket in pool.sent]
        assert sum(sizes) == 3000
        assert len(sizes) < 60
        assert sizes[0] == 1
        assert max(sizes) > 200
        assert sizes[-1] <= 4

    def test_nobody_waits_for_runs_that_became_slow(self, store):
        """Chunks that were made for short runs give back what they do not come to."""
        with SturdyPool() as pool:
            run(pool, store, experiment(quick_then_slow, xs=range(3000))).result()
        assert sum(len(answer.ended) for answer in pool.answers) == 3000
        assert sum(len(ticket.tasks) for ticket in pool.sent) > 3000
        slow = [
            sum(1500 <= task.run < 1512 for task in ticket.tasks[: len(answer.ended)])
            for ticket, answer in pool.answered
        ]
        assert sum(slow) == 12
        assert max(slow) <= submissions._SECONDS / 0.5 + 1

    def test_a_chunk_ends_at_a_failure_where_that_may_be_the_last(self, store):
        xs = [*range(300), "bad", *range(300, 600)]
        with SturdyPool(workers=1) as pool:
            handle = run(pool, store, experiment(xs=xs), on_failure=2)
            handle.wait()
        (answer,) = (each for each in pool.answers if _has_failed(each))
        assert answer.ended[-1].status is Status.FAILED
        assert handle.status.completed == 600


def _has_failed(answer):
    return any(end.status is Status.FAILED for end in answer.ended)


def _runs_of(ticket):
    return [task.run for task in ticket.tasks]


class TestSegments:
    def test_a_process_that_ends_in_order_closes_its_own(self, store):
        with SturdyPool() as pool:
            handle = run(pool, store, experiment(xs=range(40)))
            handle.wait()
        assert 2 <= len(_segments(store)) <= 3
        assert all(map(_is_closed, _segments(store)))
        assert {each.status for each in handle.result()} == {Status.SUCCESS}

    def test_one_that_has_nothing_to_do_closes_its_own_after_a_while(self, sturdy, store):
        run(sturdy, store, experiment(xs=range(4))).wait()
        wait_until(lambda: all(map(_is_closed, _segments(store))))
        more = run(sturdy, store, experiment(xs=range(6)))
        assert len(more.result().successful) == 6


def _segments(store):
    return list(Path(store).rglob("runs/*.jsonl"))


def _is_closed(path):
    return b'"t":"close"' in path.read_bytes()
