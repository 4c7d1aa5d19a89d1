"""Running experiments: every run once, with its record, whatever the operation does."""

from __future__ import annotations

import collections
import gc
import sys
import threading
import time
from pathlib import Path

import pytest

import metalab
from metalab.records import Status


def experiment(operation, *, params=None, replicates=1, **fields):
    fields = {"name": "exp", "version": "1", "context": {}, **fields}
    return metalab.Experiment(
        operation=operation,
        params=params if params is not None else metalab.grid(x=[1, 2, 3]),
        seeds=metalab.seeds(base=7, replicates=replicates),
        **fields,
    )


@metalab.operation
def double(params, capture):
    capture.metric("y", 2 * params["x"])


@pytest.fixture(params=["inline", "thread", "default"])
def executor(request):
    if request.param == "thread":
        return metalab.ThreadExecutor(3)
    return None if request.param == "default" else "inline"


def run(exp, store, **options):
    return metalab.run(exp, store, progress=False, **options).result(timeout=60)


class TestResults:
    def test_each_run_has_its_params_metrics_seed_and_replicate(self, tmp_path, executor):
        results = run(experiment(double, replicates=2), tmp_path, executor=executor)
        assert [
            (run.params["x"], run.metrics["y"], run.seed, run.replicate) for run in results
        ] == [(1, 2, 7, 0), (1, 2, 7, 1), (2, 4, 7, 0), (2, 4, 7, 1), (3, 6, 7, 0), (3, 6, 7, 1)]

    def test_order_is_the_plan_s_whatever_finished_first(self, tmp_path):
        @metalab.operation
        def slow_first(params):
            time.sleep(0.05 * (4 - params["x"]))

        results = run(experiment(slow_first), tmp_path, executor=metalab.ThreadExecutor(3))
        assert [run.params["x"] for run in results] == [1, 2, 3]
        loaded = metalab.load_results(tmp_path)
        assert [run.params["x"] for run in loaded] == [1, 2, 3]

    def test_order_is_the_plan_s_after_a_partial_resume(self, tmp_path):
        params = metalab.manual([{"x": 1}, {"x": 3}])
        run(experiment(double, params=params), tmp_path)
        wider = metalab.manual([{"x": n} for n in (1, 2, 3, 4)])
        results = run(experiment(double, params=wider), tmp_path)
        assert [run.params["x"] for run in results] == [1, 2, 3, 4]

    def test_tags_of_experiment_case_and_record_reach_the_record(self, tmp_path):
        @metalab.operation
        def tagged():
            return metalab.RunRecord.success(tags=["from-run"])

        exp = experiment(
            tagged, params=metalab.manual([{"x": 1}], tags=[["case"]]), tags=["exp-tag"]
        )
        results = run(exp, tmp_path)
        assert set(results[0].tags) >= {"exp-tag", "case", "from-run"}
        assert len(results.filter(tags=["case"])) == 1

    def test_metadata_reaches_the_operation_and_the_manifest(self, tmp_path):
        @metalab.operation
        def reads(runtime, capture):
            capture.metric("who", runtime.metadata["who"])

        results = run(experiment(reads, metadata={"who": "ada"}), tmp_path)
        assert results[0].metrics["who"] == "ada"
        assert results.store.get_experiment_manifest()["metadata"] == {"who": "ada"}

    def test_the_context_arrives_as_the_very_object(self, tmp_path):
        seen = []

        @metalab.context_spec
        class Place:
            n: int

        context = Place(n=3)

        @metalab.operation
        def looks(context):
            seen.append(context)

        run(experiment(looks, context=context), tmp_path)
        assert seen
        assert all(found is context for found in seen)


class TestOnce:
    def test_a_second_run_executes_nothing(self, tmp_path, executor):
        calls = []

        @metalab.operation
        def counted(params):
            calls.append(params["x"])

        exp = experiment(counted)
        run(exp, tmp_path, executor=executor)
        results = run(exp, tmp_path, executor=executor)
        assert sorted(calls) == [1, 2, 3]
        assert len(results) == 3

    def test_a_second_run_with_nothing_to_do_writes_nothing(self, tmp_path):
        run(experiment(double), tmp_path)
        before = _tree(tmp_path)
        run(experiment(double), tmp_path)
        assert _tree(tmp_path) == before

    def test_equal_points_run_once(self, tmp_path):
        calls = []

        @metalab.operation
        def counted(params):
            calls.append(params["x"])

        params = metalab.manual([{"x": 1}, {"x": 1}, {"x": 2}])
        results = run(experiment(counted, params=params), tmp_path)
        assert calls == [1, 2]
        assert len(results) == 2

    def test_values_of_other_types_are_other_runs(self, tmp_path):
        params = metalab.manual([{"x": 1}, {"x": 1.0}, {"x": "1"}, {"x": True}])

        @metalab.operation
        def kind(params, capture):
            capture.metric("kind", type(params["x"]).__name__)

        results = run(experiment(kind, params=params), tmp_path)
        assert [run.metrics["kind"] for run in results] == ["int", "float", "str", "bool"]
        assert [type(run.params["x"]) for run in results] == [int, float, str, bool]

    def test_factories_with_other_captured_values_do_not_share_results(self, tmp_path):
        def make(factor):
            @metalab.operation(name="scaled")
            def scaled(params, capture):
                capture.metric("y", factor * params["x"])

            return scaled

        first = run(experiment(make(2)), tmp_path)
        second = run(experiment(make(3)), tmp_path)
        assert [run.metrics["y"] for run in first] == [2, 4, 6]
        assert [run.metrics["y"] for run in second] == [3, 6, 9]

    def test_a_declared_default_keeps_old_results(self, tmp_path):
        calls = []

        @metalab.operation
        def counted(params):
            calls.append((params["x"], params.get("c")))

        run(experiment(counted, params=metalab.grid(x=[1, 2])), tmp_path)
        wider = metalab.grid(x=[1, 2], c=[42, 43])
        run(experiment(counted, params=wider, defaults={"c": 42}), tmp_path)
        assert calls == [(1, None), (2, None), (1, 43), (2, 43)]

    def test_a_captured_value_changed_between_launches_makes_other_runs(self, tmp_path):
        settings = {"factor": 2}

        @metalab.operation
        def scaled(params, capture):
            capture.metric("y", settings["factor"] * params["x"])

        exp = experiment(scaled)
        assert [found.metrics["y"] for found in run(exp, tmp_path)] == [2, 4, 6]
        settings["factor"] = 3
        assert [found.metrics["y"] for found in run(exp, tmp_path)] == [3, 6, 9]

    def test_without_resume_everything_runs_again_and_the_new_result_counts(self, tmp_path):
        values = [2, 1]

        @metalab.operation
        def stateful(capture):
            capture.metric("y", values.pop())

        exp = experiment(stateful, params=metalab.grid())
        run(exp, tmp_path)
        results = run(exp, tmp_path, resume=False)
        assert [run.metrics["y"] for run in results] == [2]
        assert metalab.load_results(tmp_path)[0].metrics["y"] == 2

    def test_failed_runs_run_again_and_keep_their_attempts(self, tmp_path):
        flag = tmp_path / "broken"
        flag.touch()

        @metalab.operation
        def flaky(params):
            if flag.exists() and params["x"] == 2:
                raise ValueError("not yet")

        exp = experiment(flaky)
        first = run(exp, tmp_path)
        assert [run.status for run in first] == ["success", "failed", "success"]
        flag.unlink()
        second = run(exp, tmp_path)
        assert [run.status for run in second] == ["success"] * 3
        assert second[1].record.attempt == 2
        assert [record.status for record in second[1].attempts()] == ["failed", "success"]

    def test_a_deleted_run_runs_again(self, tmp_path):
        exp = experiment(double)
        results = run(exp, tmp_path)
        results.store.delete_run(results[1].run_id)
        assert len(metalab.load_results(tmp_path)) == 2
        again = run(exp, tmp_path)
        assert [run.metrics["y"] for run in again] == [2, 4, 6]
        assert len(metalab.load_results(tmp_path)) == 3


class TestFailures:
    def test_an_exception_is_a_record_with_everything_captured_before(self, tmp_path, executor):
        @metalab.operation
        def breaks(params, capture):
            capture.metric("before", 1)
            capture.data("state", [1, 2])
            capture.log("about to break")
            raise ValueError("broken on purpose")

        results = run(experiment(breaks), tmp_path, executor=executor)
        failed = results[0]
        assert failed.status == "failed"
        assert failed.error["type"] == "ValueError"
        assert failed.error["message"] == "broken on purpose"
        assert "in breaks" in failed.error["traceback"]
        assert failed.metrics == {"before": 1}
        assert failed.data("state") == [1, 2]
        assert "about to break" in failed.log()

    @pytest.mark.parametrize("value", [1.5, "done", [1]])
    def test_a_return_value_that_is_no_result_fails_the_run_in_words(self, tmp_path, value):
        @metalab.operation
        def returns():
            return value

        failed = run(experiment(returns, params=metalab.grid()), tmp_path)[0]
        assert failed.status == "failed"
        assert "returned a" in failed.error["message"]

    def test_a_returned_dict_is_metrics(self, tmp_path):
        @metalab.operation
        def returns(params):
            return {"loss": params["x"] / 2}

        assert [run.metrics["loss"] for run in run(experiment(returns), tmp_path)] == [
            0.5,
            1.0,
            1.5,
        ]

    def test_a_returned_failure_keeps_its_error(self, tmp_path):
        @metalab.operation
        def returns():
            return metalab.RunRecord.failed(error_message="diverged", metrics={"loss": 9.0})

        failed = run(experiment(returns, params=metalab.grid()), tmp_path)[0]
        assert (failed.status, failed.error["message"]) == ("failed", "diverged")
        assert failed.metrics == {"loss": 9.0}

    @pytest.mark.parametrize("leaving", [SystemExit(3), GeneratorExit()])
    def test_leaving_the_interpreter_is_the_run_s_failure_alone(self, tmp_path, executor, leaving):
        @metalab.operation
        def leaves(params):
            if params["x"] == 2:
                raise leaving

        results = run(experiment(leaves), tmp_path, executor=executor)
        assert [run.status for run in results] == ["success", "failed", "success"]

    def test_a_metric_that_is_no_scalar_fails_the_run_and_is_stored_as_failed(self, tmp_path):
        @metalab.operation
        def captures(capture):
            capture.metric("m", object())

        failed = run(experiment(captures, params=metalab.grid()), tmp_path)[0]
        assert failed.status == "failed"
        assert "'m'" in failed.error["message"]
        assert metalab.load_results(tmp_path)[0].status == "failed"

    def test_numpy_scalars_are_metrics(self, tmp_path):
        numpy = pytest.importorskip("numpy", reason="pip install 'metalab[numpy]'")

        @metalab.operation
        def captures(capture):
            capture.log_metrics({"i": numpy.int64(3), "f": numpy.float32(0.5), "b": numpy.True_})

        done = run(experiment(captures, params=metalab.grid()), tmp_path)[0]
        assert done.metrics == {"i": 3, "f": 0.5, "b": True}
        assert [type(done.metrics[name]) for name in "ifb"] == [int, float, bool]

    def test_data_that_cannot_be_kept_fails_the_run(self, tmp_path):
        @metalab.operation
        def captures(capture):
            capture.data("model", {"a": object()})

        failed = run(experiment(captures, params=metalab.grid()), tmp_path)[0]
        assert failed.status == "failed"
        assert "model" in failed.error["message"]

    def test_stop_takes_no_further_runs_and_the_rest_runs_next_time(self, tmp_path):
        calls = []

        @metalab.operation
        def breaks(params):
            calls.append(params["x"])
            if len(calls) == 1:
                raise ValueError("first")

        exp = experiment(breaks)
        handle = metalab.run(exp, tmp_path, progress=False, on_failure="stop")
        assert [run.status for run in handle.result(30)] == ["failed"]
        assert handle.status.cancelled == 2
        assert calls == [1]
        assert [run.status for run in run(exp, tmp_path)] == ["success"] * 3

    def test_a_context_s_file_that_changes_under_the_sweep_fails_the_runs_after_it(self, tmp_path):
        data = tmp_path / "data.csv"
        data.write_text("1,2,3")

        @metalab.operation
        def edits(params, context):
            if params["x"] == 1:
                Path(context["data"]).write_text("4,5,6,7")

        exp = experiment(edits, context={"data": metalab.FilePath(data)})
        results = run(exp, tmp_path / "s")
        assert [found.status for found in results] == ["success", "failed", "failed"]
        assert str(data) in results[1].error["message"]


class TestExecutors:
    def test_two_experiments_on_one_executor_do_not_mix(self, tmp_path):
        @metalab.operation
        def a(params, capture):
            time.sleep(0.01)
            capture.metric("who", "a")

        @metalab.operation
        def b(params, capture):
            capture.metric("who", "b")

        with metalab.ThreadExecutor(2) as executor:
            first = metalab.run(
                experiment(a, name="A"), tmp_path, executor=executor, progress=False
            )
            second = metalab.run(
                experiment(b, name="B"), tmp_path, executor=executor, progress=False
            )
            assert [run.metrics["who"] for run in first.result(30)] == ["a"] * 3
            assert [run.metrics["who"] for run in second.result(30)] == ["b"] * 3
        assert {run.metrics["who"] for run in metalab.load_results(tmp_path, "A:1")} == {"a"}
        assert {run.metrics["who"] for run in metalab.load_results(tmp_path, "B:1")} == {"b"}

    def test_threads_run_side_by_side(self, tmp_path):
        meeting = threading.Barrier(3, timeout=20)

        @metalab.operation
        def meets():
            meeting.wait()

        results = run(experiment(meets), tmp_path, executor=metalab.ThreadExecutor(3))
        assert [run.status for run in results] == ["success"] * 3

    def test_a_shut_down_executor_takes_no_more(self, tmp_path):
        with metalab.ThreadExecutor(1) as executor:
            pass
        with pytest.raises(RuntimeError, match="shut down"):
            metalab.run(experiment(double), tmp_path, executor=executor, progress=False)

    def test_inline_runs_in_the_callers_thread(self, tmp_path):
        threads = []

        @metalab.operation
        def where():
            threads.append(threading.get_ident())

        run(experiment(where), tmp_path, executor="inline")
        assert set(threads) == {threading.get_ident()}

    def test_options_go_beside_the_name(self, tmp_path):
        results = run(experiment(double), tmp_path, executor={"thread": {"max_workers": 2}})
        assert len(results) == 3

    @pytest.mark.parametrize(
        ("executor", "error", "text"),
        [
            ("thraed", metalab.PluginError, "did you mean 'thread'"),
            (4, TypeError, "ThreadExecutor"),
            ({"a": {}, "b": {}}, TypeError, "names no executor"),
        ],
    )
    def test_what_is_no_executor_is_refused_before_anything_is_written(
        self, tmp_path, executor, error, text
    ):
        with pytest.raises(error, match=text):
            metalab.run(experiment(double), tmp_path / "s", executor=executor)
        assert not (tmp_path / "s").exists()


class TestHandle:
    def test_result_has_one_deadline_for_everything(self, tmp_path):
        release = threading.Event()

        @metalab.operation
        def waits():
            release.wait(100)

        handle = metalab.run(experiment(waits), tmp_path, progress=False)
        begun = time.monotonic()
        with pytest.raises(TimeoutError, match="3 of 3 runs"):
            handle.result(timeout=0.3)
        assert time.monotonic() - begun < 50
        release.set()
        assert len(handle.result(30)) == 3

    def test_cancel_takes_no_further_runs_and_tells_the_running_one(self, tmp_path):
        running = threading.Event()

        @metalab.operation
        def patient(runtime):
            running.set()
            for _ in range(2000):
                runtime.check_cancelled()
                time.sleep(0.01)

        handle = metalab.run(experiment(patient), tmp_path, progress=False)
        assert running.wait(20)
        handle.cancel()
        results = handle.result(30)
        assert [run.status for run in results] == ["cancelled"]
        assert handle.status.cancelled == 3
        assert handle.is_complete

    def test_as_completed_yields_skipped_and_finished_runs(self, tmp_path):
        run(experiment(double, params=metalab.grid(x=[2])), tmp_path)
        handle = metalab.run(experiment(double), tmp_path, progress=False)
        assert [run.params["x"] for run in handle.as_completed()] == [2, 1, 3]

    def test_a_block_that_raises_cancels(self, tmp_path):
        started = threading.Event()

        @metalab.operation
        def patient(runtime):
            started.set()
            while not runtime.should_stop:
                time.sleep(0.01)

        handle = metalab.run(experiment(patient), tmp_path, progress=False)

        def block():
            with handle:
                assert started.wait(20)
                raise ValueError("out")

        with pytest.raises(ValueError, match="out"):
            block()
        assert handle.is_complete

    def test_an_unwritable_store_is_the_launch_s_error_not_a_run_s(self, tmp_path):
        @metalab.operation
        def breaks_the_store(params):
            if params["x"] == 1:
                import shutil

                shutil.rmtree(next(tmp_path.glob("exp_*")) / "runs", ignore_errors=True)

        handle = metalab.run(
            experiment(breaks_the_store), tmp_path, progress=False, executor="inline"
        )
        assert len(handle.result(30)) == 3


class TestEvents:
    def test_events_come_as_things_happen(self, tmp_path):
        seen = []
        exp = experiment(double)
        handle = metalab.run(exp, tmp_path, progress=False, on_event=seen.append, executor="inline")
        handle.result(30)
        kinds = [event.kind for event in seen]
        assert kinds.count("run_started") == kinds.count("run_finished") == 3
        assert {event.run_id for event in seen} == {run.run_id for run in handle.result()}
        for run_id in {event.run_id for event in seen}:
            own = [event.kind for event in seen if event.run_id == run_id]
            assert own == ["run_started", "run_finished"]

    def test_a_finished_run_is_on_disk_when_its_event_comes(self, tmp_path):
        missing = []

        def check(event):
            if event.kind == "run_finished":
                try:
                    ids = {run.run_id for run in metalab.load_results(tmp_path)}
                except metalab.StoreNotFoundError:
                    ids = set()
                if event.run_id not in ids:
                    missing.append(event.run_id)

        metalab.run(experiment(double), tmp_path, progress=False, on_event=check).result(30)
        assert missing == []

    def test_nobody_has_to_ask_and_a_slow_run_holds_no_event_back(self, tmp_path):
        seen, gate = [], threading.Event()

        @metalab.operation
        def first_is_slow(params):
            if params["x"] == 1:
                gate.wait(30)

        handle = metalab.run(
            experiment(first_is_slow, params=metalab.grid(x=[1, 2, 3, 4])),
            tmp_path,
            executor=metalab.ThreadExecutor(2),
            progress=False,
            on_event=seen.append,
        )
        deadline = time.monotonic() + 30
        while sum(event.kind == "run_finished" for event in seen) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        finished = [event.payload["record"] for event in seen if event.kind == "run_finished"]
        assert [record.params_resolved["x"] for record in finished] == [2, 3, 4]
        assert sum(event.kind == "run_started" for event in seen) == 4
        gate.set()
        handle.result(30)

    def test_artifacts_log_lines_and_retries_are_told_between_start_and_end(self, tmp_path):
        seen = []

        @metalab.operation
        def talks(capture):
            capture.log("a line")
            capture.artifact("thing", {"a": 1})
            if len([event for event in seen if event.kind == "run_started"]) < 2:
                raise OSError("once")

        run(experiment(talks, params=metalab.grid()), tmp_path, retry=2, on_event=seen.append)
        attempt = ["run_started", "log", "artifact_saved"]
        kinds = [str(event.kind) for event in seen]
        assert kinds == [*attempt, "run_retried", *attempt, "run_finished"]
        told = {str(event.kind): event.payload for event in seen}
        assert told["log"]["message"] == "a line"
        assert told["artifact_saved"]["name"] == "thing"
        assert told["run_retried"]["error"] == "OSError: once"

    @pytest.mark.parametrize(
        "progress", [False, None, True, metalab.Progress(metrics=["y"]), "broken", "mine"]
    )
    def test_progress_never_takes_an_event_from_a_callback(self, tmp_path, progress, capsys):
        class Tracker(metalab.ProgressTracker):
            def start(self, total, skipped=0, title=""):
                if progress == "broken":
                    raise RuntimeError("it breaks")

            def __call__(self, event):
                pass

            def finish(self, status_line=None):
                pass

        seen = []
        shown = Tracker() if isinstance(progress, str) else progress
        exp = experiment(double, params=metalab.grid(x=[1, 2, "three", None]))
        handle = metalab.run(exp, tmp_path, progress=shown, on_event=seen.append)
        handle.result(30)
        counts = collections.Counter(str(event.kind) for event in seen)
        assert counts == {"run_started": 4, "run_finished": 3, "run_failed": 1}

    def test_skipped_runs_are_told_and_shown_once(self, tmp_path, capsys):
        run(experiment(double), tmp_path)
        seen = []
        handle = metalab.run(experiment(double), tmp_path, progress=True, on_event=seen.append)
        handle.result(30)
        assert [event.kind for event in seen] == ["run_skipped"] * 3
        assert handle.status.skipped == handle.status.total == 3
        assert "exp:1: 3/3 runs, 3 skipped, took" in capsys.readouterr().err

    def test_progress_tells_retries_metrics_and_causes(self, tmp_path, capsys):
        @metalab.operation
        def fails_twice(params, capture):
            capture.metric("y", params["x"])
            if params["x"] == 2:
                raise OSError("always")

        run_ = metalab.run(
            experiment(fails_twice), tmp_path, progress=metalab.Progress(metrics=["y"]), retry=3
        )
        run_.wait()
        told = capsys.readouterr().err.splitlines()
        assert told[0] == "exp:1: 3 of 3 runs to do"
        assert told[1] == "failed: OSError: always"
        assert told[2].startswith("exp:1: 3/3 runs, 1 failed, 2 retried, y 3, took")

    def test_a_later_callback_replaces_the_earlier(self, tmp_path):
        early, late, gate = [], [], threading.Event()

        @metalab.operation
        def gated():
            gate.wait(20)

        handle = metalab.run(experiment(gated), tmp_path, progress=False, on_event=early.append)
        handle.set_event_callback(late.append)
        gate.set()
        handle.result(30)
        assert all(event.kind == "run_started" for event in early)
        assert len([event for event in late if event.kind == "run_finished"]) == 3


class TestBadInput:
    def test_an_unidentifiable_param_is_refused_naming_it_and_nothing_is_written(self, tmp_path):
        params = metalab.manual([{"x": 1}, {"x": {"deep": [object()]}}])
        with pytest.raises(metalab.IdentityError, match=r"params\['x'\]\['deep'\]\[0\]"):
            metalab.run(experiment(double, params=params), tmp_path / "s")
        assert not (tmp_path / "s").exists()

    def test_a_missing_context_file_names_the_field(self, tmp_path):
        exp = experiment(double, context={"data": metalab.FilePath(tmp_path / "none.csv")})
        with pytest.raises(FileNotFoundError, match=r"context.*data.*file not found"):
            metalab.run(exp, tmp_path / "s")
        assert not (tmp_path / "s").exists()

    def test_what_is_no_store_is_refused(self):
        with pytest.raises(TypeError, match="give a path, a locator"):
            metalab.run(experiment(double), 5)

    def test_what_is_no_experiment_is_refused(self, tmp_path):
        with pytest.raises(TypeError, match=r"takes a metalab\.Experiment, not a list"):
            metalab.run([1], tmp_path)

    def test_loading_from_nowhere_makes_nothing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            metalab.load_results(tmp_path / "nowhere")
        assert not (tmp_path / "nowhere").exists()

    def test_a_path_is_a_store_and_home_is_expanded(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        run(experiment(double), "~/results")
        run(experiment(double), Path("~/results"))
        assert (tmp_path / "results" / "metalab-store.json").exists()


class TestCodeChange:
    def change(self, tmp_path, policy, *, duration_ms=1.0):
        namespace = tmp_path / "ops.py"
        sys.path.insert(0, str(tmp_path))
        try:
            results = []
            for factor in (2, 3):
                namespace.write_text(
                    "import metalab\n"
                    "def helper(x):\n"
                    f"    return {factor} * x\n"
                    "@metalab.operation\n"
                    "def op(params, capture):\n"
                    "    capture.metric('y', helper(params['x']))\n"
                )
                sys.modules.pop("ops", None)
                import importlib
                import linecache

                linecache.clearcache()
                importlib.invalidate_caches()
                module = importlib.import_module("ops")
                results.append(run(experiment(module.op), tmp_path / "s", on_code_change=policy))
                sys.modules.pop("ops", None)
                for cached in tmp_path.glob("__pycache__/*"):
                    cached.unlink()
            return [[run.metrics["y"] for run in found] for found in results]
        finally:
            sys.path.remove(str(tmp_path))
            sys.modules.pop("ops", None)

    def test_cheap_results_of_other_code_are_executed_again_with_a_notice(self, tmp_path):
        with pytest.warns(metalab.CodeChangedWarning, match=r"ops:helper.*executed again"):
            assert self.change(tmp_path, "ask") == [[2, 4, 6], [3, 6, 9]]

    def test_rerun_executes_again(self, tmp_path):
        assert self.change(tmp_path, "rerun") == [[2, 4, 6], [3, 6, 9]]

    def test_keep_keeps(self, tmp_path):
        assert self.change(tmp_path, "keep") == [[2, 4, 6], [2, 4, 6]]

    def test_warn_keeps_and_says_so(self, tmp_path):
        with pytest.warns(metalab.CodeChangedWarning, match=r"ops:helper.*kept"):
            assert self.change(tmp_path, "warn") == [[2, 4, 6], [2, 4, 6]]

    def test_error_refuses_naming_function_count_and_choices(self, tmp_path):
        with pytest.raises(metalab.CodeChangedError, match=r"3 stored results.*ops:helper.*rerun"):
            self.change(tmp_path, "error")

    def test_dear_results_of_other_code_are_not_executed_again_unasked(self, tmp_path, monkeypatch):
        monkeypatch.setattr("metalab.resume._CHEAP_MS", 0.0)
        with pytest.raises(metalab.CodeChangedError, match="Choose"):
            self.change(tmp_path, "ask")

    def test_an_unknown_policy_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="on_code_change='maybe'"):
            metalab.run(experiment(double), tmp_path, on_code_change="maybe")


class TestPlan:
    def test_the_plan_is_printed_and_nothing_runs(self, tmp_path, capsys):
        exp = experiment(double, params=metalab.manual([{"x": 1}, {"x": 1}, {"x": 2}]))
        report = metalab.plan(exp, tmp_path / "s")
        assert (report.total, report.done, report.pending, report.duplicates) == (2, 0, 2, 1)
        assert f"exp:1: 2 runs in {tmp_path / 's'}" in capsys.readouterr().out
        assert not (tmp_path / "s").exists()

    def test_the_plan_counts_what_is_done_and_what_failed(self, tmp_path, capsys):
        @metalab.operation
        def odd(params):
            if params["x"] == 2:
                raise ValueError("even")

        run(experiment(odd), tmp_path)
        report = metalab.plan(experiment(odd, params=metalab.grid(x=[1, 2, 3, 4])), tmp_path)
        assert (report.done, report.pending, report.failed) == (2, 2, 1)
        assert "failed before" in capsys.readouterr().out


def _tree(root: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(root)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def test_statuses_are_strings():
    assert Status.SUCCESS == "success"


class TestMemory:
    def test_a_run_leaves_nothing_for_the_garbage_collector(self, tmp_path):
        run(experiment(double), tmp_path)
        gc.collect()
        gc.disable()
        try:
            before = captures_alive()
            run(experiment(double, params=metalab.grid(x=list(range(50)))), tmp_path)
            assert captures_alive() == before
        finally:
            gc.enable()


def captures_alive():
    return sum(type(found) is metalab.Capture for found in gc.get_objects())
