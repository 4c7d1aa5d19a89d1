"""Defects that users of such systems have met, each tried on real stores and processes."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

import metalab


def experiment(operation, *, params=None, replicates=1, **fields):
    return metalab.Experiment(
        operation=operation,
        params=params if params is not None else metalab.grid(x=[1, 2, 3]),
        seeds=metalab.seeds(base=7, replicates=replicates),
        **{"name": "exp", "version": "1", "context": {}, **fields},
    )


def run(exp, store, **options):
    return metalab.run(exp, store, progress=False, **options).result(timeout=60)


@metalab.operation
def double(params, capture):
    capture.metric("y", 2 * params["x"])


class TestNothingIsLost:
    def test_runs_with_library_scalars_as_metrics_are_done_and_never_run_again(self, tmp_path):
        numpy = pytest.importorskip("numpy")
        calls = []

        @metalab.operation
        def captures(capture):
            calls.append(1)
            capture.metric("i", numpy.int64(3))
            capture.metric("f", numpy.float32(0.5))

        exp = experiment(captures, params=metalab.grid())
        for _ in range(3):
            run(exp, tmp_path)
        assert len(calls) == 1
        found = metalab.load_results(tmp_path)[0]
        assert (found.status, found.metrics) == ("success", {"i": 3, "f": 0.5})

    def test_not_a_number_is_a_result_like_any_other(self, tmp_path):
        calls = []

        @metalab.operation
        def diverges(capture):
            calls.append(1)
            capture.log_metrics({"loss": float("nan"), "bound": float("-inf")})
            capture.data("curve", [1.0, float("inf"), float("nan")])

        exp = experiment(diverges, params=metalab.grid())
        run(exp, tmp_path)
        found = run(exp, tmp_path)[0]
        assert len(calls) == 1
        assert repr(found.metrics) == "{'loss': nan, 'bound': -inf}"
        assert repr(found.data("curve")) == "[1.0, inf, nan]"

    def test_what_a_run_left_moves_with_its_store(self, tmp_path):
        @metalab.operation
        def leaves(capture):
            (scratch := tmp_path / "made").write_text("text")
            capture.file("file", scratch)
            capture.artifact("object", {"k": (1, 2)})
            capture.data("large", ["x" * 50_000])
            capture.metric("loss", 0.5, step=3)
            capture.log("hello")

        run(experiment(leaves, params=metalab.grid()), tmp_path / "here")
        shutil.move(tmp_path / "here", tmp_path / "there")
        (tmp_path / "here").mkdir()
        (found,) = metalab.load_results(tmp_path / "there")
        assert found.artifact("file") == b"text"
        assert found.artifact("object") == {"k": (1, 2)}
        assert found.data("large") == ["x" * 50_000]
        assert found.series("loss") == [(3, 0.5)]
        assert "hello" in found.log()
        assert not any(str(tmp_path) in artifact.uri for artifact in found.artifacts())

    @pytest.mark.parametrize("name", ["../escaped", "/absolute", "a/../../b", "..", "~", "CON"])
    def test_no_name_leads_out_of_the_store(self, tmp_path, name):
        @metalab.operation
        def leaves(capture):
            capture.artifact(name, name)
            capture.data(name, [name] * 10_000)
            capture.metric(name, 1)
            capture.log("line")

        store = tmp_path / "inner" / "store"
        (tmp_path / "inner").mkdir()
        exp = experiment(leaves, params=metalab.manual([{name: 1}]), name=name, version=name)
        (found,) = run(exp, store)
        assert found.artifact(name) == name
        assert found.metrics == {name: 1}
        assert [path.name for path in tmp_path.iterdir()] == ["inner"]
        assert [path.name for path in (tmp_path / "inner").iterdir()] == ["store"]
        assert {path.resolve().is_relative_to(store) for path in store.rglob("*")} == {True}

    def test_names_that_join_alike_have_stores_of_their_own(self, tmp_path):
        for name, version in (("a_b", "c"), ("a", "b_c"), ("A_B", "c")):
            run(experiment(double, name=name, version=version), tmp_path)
        config = metalab.FileStoreConfig(tmp_path)
        assert config.list_experiments() == ["A_B:c", "a:b_c", "a_b:c"]
        assert all(len(metalab.load_results(tmp_path, each)) == 3 for each in ("a_b:c", "a:b_c"))

    def test_a_damaged_line_costs_its_run_alone_which_is_executed_again(self, tmp_path):
        executed = []

        @metalab.operation
        def tells(params):
            executed.append(params["x"])
            return {"y": params["x"]}

        second = run(experiment(tells), tmp_path)[1].run_id
        executed.clear()
        (segment,) = tmp_path.rglob("runs/*.jsonl")
        segment.write_bytes(
            b"".join(
                line[: len(line) // 2] + b"\n" if second.encode() in line else line
                for line in segment.read_bytes().splitlines(keepends=True)
            )
        )
        assert len(metalab.load_results(tmp_path)) == 2
        results = run(experiment(tells), tmp_path)
        assert executed == [2]
        assert [found.metrics["y"] for found in results] == [1, 2, 3]

    def test_a_store_that_is_removed_while_runs_go_on_has_all_their_results_again(self, tmp_path):
        @metalab.operation
        def removes(params):
            if params["x"] == 2:
                shutil.rmtree(tmp_path / "s")

        results = run(experiment(removes), tmp_path / "s")
        assert [found.status for found in results] == ["success"] * 3
        assert len(metalab.load_results(tmp_path / "s").successful) == 3


class TestIdentity:
    def test_a_sweep_over_an_array_is_the_sweep_over_its_numbers(self, tmp_path):
        numpy = pytest.importorskip("numpy")
        run(experiment(double, params=metalab.grid(x=numpy.linspace(0, 1, 3))), tmp_path)
        exp = experiment(double, params=metalab.grid(x=[0.0, 0.5, 1.0]))
        report = metalab.plan(exp, tmp_path)
        assert (report.done, report.pending) == (3, 0)

    def test_a_changed_file_among_the_params_is_another_run(self, tmp_path):
        """The same source in the same session, as in a notebook."""
        data = tmp_path / "data.txt"
        data.write_text("old")

        @metalab.operation
        def reads(params, capture):
            capture.metric("text", Path(params["data"]).read_text())

        exp = experiment(reads, params=metalab.grid(data=[metalab.FilePath(data)]))
        assert run(exp, tmp_path / "s")[0].metrics == {"text": "old"}
        data.write_text("new")
        assert run(exp, tmp_path / "s")[0].metrics == {"text": "new"}

    def test_a_copied_file_is_the_same_run(self, tmp_path):
        (tmp_path / "a").write_text("data")
        run(experiment(double, context={"f": metalab.FilePath(tmp_path / "a")}), tmp_path / "s")
        shutil.copy(tmp_path / "a", tmp_path / "b")
        os.utime(tmp_path / "b", (1, 1))
        again = experiment(double, context={"f": metalab.FilePath(tmp_path / "b")})
        assert metalab.plan(again, tmp_path / "s").pending == 0

    def test_a_file_among_the_params_that_changes_under_the_sweep_fails_the_runs_after_it(
        self, tmp_path
    ):
        data = tmp_path / "data.txt"
        data.write_text("old")

        @metalab.operation
        def edits(params):
            data.write_text("new")

        params = metalab.grid(data=[metalab.FilePath(data)], x=[1, 2])
        first, second = run(experiment(edits, params=params), tmp_path / "s", executor="inline")
        assert first.status == "success"
        assert second.status == "failed"
        assert "a file among the params" in second.error["message"]

    def test_a_resolver_that_answers_differently_each_time_runs_nothing_under_a_wrong_id(
        self, tmp_path
    ):
        answers = iter(range(100))

        def resolve(context, params):
            return {"x": next(answers)}

        calls = []

        @metalab.operation
        def counted(params):
            calls.append(params["x"])

        exp = experiment(counted, param_resolver=resolve)
        results = run(exp, tmp_path, executor="inline")
        assert calls == []
        assert {found.status for found in results} == {"failed"}
        assert "the resolver" in results[0].error["message"]

    def test_what_a_lambda_is_cannot_be_told_so_it_is_no_param(self, tmp_path):
        params = metalab.manual([{"f": lambda x: x}, {"f": lambda x: 2 * x}])
        with pytest.raises(metalab.IdentityError, match=r"params\['f'\].*lambda"):
            run(experiment(double, params=params), tmp_path / "s")
        assert not (tmp_path / "s").exists()


class TestExecution:
    def test_two_processes_at_once_leave_one_result_each_and_logs_that_do_not_mix(self, tmp_path):
        script = tmp_path / "both.py"
        script.write_text(
            textwrap.dedent("""
                import sys, time
                import metalab

                @metalab.operation
                def talks(params, capture):
                    for line in range(10):
                        capture.log(f"{params['x']} {line} {sys.argv[2]}")
                        time.sleep(0.001)
                    capture.metric("who", sys.argv[2])

                exp = metalab.Experiment(
                    name="both", version="1", context={}, operation=talks,
                    params=metalab.grid(x=list(range(8))), seeds=metalab.seeds(base=1),
                )
                metalab.run(exp, sys.argv[1], progress=False).result()
            """)
        )
        command = [sys.executable, str(script), str(tmp_path / "store")]
        both = [subprocess.Popen([*command, who]) for who in ("ada", "bob")]
        assert [process.wait(60) for process in both] == [0, 0]
        results = metalab.load_results(tmp_path / "store")
        assert [found.status for found in results] == ["success"] * 8
        for found in results:
            lines = [line.rpartition("] ")[2] for line in found.log().splitlines()]
            who = found.metrics["who"]
            assert lines == [f"{found.params['x']} {line} {who}" for line in range(10)]

    def test_what_runs_log_reaches_their_own_logs(self, tmp_path):
        library = logging.getLogger("tests.reported.library")

        @metalab.operation
        def talks(params, capture, runtime):
            capture.subscribe_logger(library.name)
            for _ in range(20):
                runtime.logger.info("own %s", params["x"])
                library.info("library %s", params["x"])
                time.sleep(0.0005)

        level = library.level
        results = run(experiment(talks), tmp_path, executor=metalab.ThreadExecutor(3))
        for found in results:
            said = {line.rpartition("] ")[2] for line in found.log().splitlines()}
            assert said == {f"own {found.params['x']}", f"library {found.params['x']}"}
        assert library.level == level

    def test_scratch_folders_are_gone_however_a_run_ends(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
        (tmp_path / "tmp").mkdir()
        seen = []

        @metalab.operation
        def scratches(params, runtime):
            (runtime.scratch_dir / "file").write_text("x")
            seen.append(runtime.scratch_dir)
            if params["x"] == 2:
                raise ValueError("no")
            if params["x"] == 3:
                sys.exit(1)

        run(experiment(scratches), tmp_path / "s")
        assert len(set(seen)) == 3
        assert list((tmp_path / "tmp").iterdir()) == []

    def test_pickles_are_kept_where_the_experiment_says_so_and_nowhere_else(self, tmp_path):
        @metalab.operation
        def pickles(capture):
            capture.artifact("set", {1, 2}, kind="pickle")

        refused = run(experiment(pickles, params=metalab.grid()), tmp_path)[0]
        assert "Experiment(allow_pickle=True)" in refused.error["message"]
        kept = run(experiment(pickles, params=metalab.grid(), allow_pickle=True), tmp_path)[0]
        assert kept.status == "success"
        assert kept.artifacts()[0].format == "pickle/pickle"
        with pytest.raises(metalab.MetalabError, match="allow_pickle=True"):
            metalab.load_results(tmp_path)[0].artifact("set")

    def test_keys_of_several_types_come_back_as_they_were(self, tmp_path):
        mixed = {1: "a", "1": "b", (2, 3): "c", None: "d"}

        @metalab.operation
        def captures(capture):
            capture.artifact("mixed", mixed)
            capture.data("mixed", mixed)

        found = run(experiment(captures, params=metalab.grid()), tmp_path)[0]
        assert found.artifact("mixed") == found.data("mixed") == mixed

    def test_a_record_knows_what_made_it(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
        for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
            subprocess.run([*git, *command], check=True, capture_output=True)
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True
        ).stdout.strip()
        provenance = run(experiment(double), tmp_path / "s")[0].provenance
        assert provenance.python_version == ".".join(map(str, sys.version_info[:3]))
        assert provenance.metalab_version == metalab.__version__
        assert provenance.host
        assert provenance.code_hash == double.code_hash
        assert provenance.executor_id == "thread:0"
        assert provenance.extra["git"]["commit"] == head
        assert provenance.extra["git"]["dirty"] is False
        assert {plugin["name"] for plugin in provenance.extra["plugins"]} >= {"file", "thread"}

    def test_a_launch_from_a_folder_that_is_gone_says_so_and_works(self, tmp_path, monkeypatch):
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        results = run(experiment(double), tmp_path / "s")
        assert len(results.successful) == 3
        assert results[0].provenance.extra["directory"] is None


class TestSize:
    def test_many_small_runs_leave_a_handful_of_files(self, tmp_path):
        @metalab.operation
        def small(params, capture):
            capture.metric("y", 1)
            capture.log("line")
            capture.artifact("a", [params["x"]])

        run(experiment(small, params=metalab.grid(x=list(range(200)))), tmp_path)
        # By inode: a claim is a further name of the file that its writer has for that.
        # One more holds what was changed in the checkout, if anything was.
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert len({path.stat().st_ino for path in files if path.suffix != ".diff"}) <= 10
        assert len([path for path in files if path.suffix == ".diff"]) <= 1

    def test_a_manifest_does_not_grow_with_the_runs(self, tmp_path):
        for replicates in (1, 1000):
            exp = experiment(double, replicates=replicates, name=f"r{replicates}")
            metalab.run(exp, tmp_path, progress=False, on_failure="stop").cancel()
        sizes = {
            path.parent.parent.name: path.stat().st_size
            for path in tmp_path.glob("*/manifests/*.json")
        }
        assert sizes["r1000_1"] <= sizes["r1_1"] + 10

    def test_one_case_may_have_ten_thousand_params(self, tmp_path):
        many = {f"p{place}": place for place in range(10_000)}

        @metalab.operation
        def sums(params, capture):
            capture.metric("sum", sum(params.values()))

        (found,) = run(experiment(sums, params=metalab.manual([many])), tmp_path)
        assert found.metrics == {"sum": sum(many.values())}
        assert metalab.load_results(tmp_path)[0].params == many

    def test_long_texts_and_odd_names_come_back(self, tmp_path):
        odd = {"a\nb": "x" * 200_000, "": "\0", "$int": "{}", "\u202e": "\ud800", "é": "e\u0301"}

        @metalab.operation
        def repeats(params, capture):
            capture.metric("line\nbreak", params["a\nb"])
            capture.data("odd", params)

        (found,) = run(experiment(repeats, params=metalab.manual([odd])), tmp_path)
        assert found.status == "success"
        (loaded,) = metalab.load_results(tmp_path)
        assert loaded.params == loaded.data("odd") == odd
        assert loaded.metrics == {"line\nbreak": "x" * 200_000}


class TestLoading:
    def test_one_experiment_of_several_is_loaded_by_its_id(self, tmp_path):
        for name in ("first", "second"):
            run(experiment(double, name=name), tmp_path)
        assert len(metalab.load_results(tmp_path, experiment_id="first:1")) == 3
        with pytest.raises(metalab.StoreError, match=r"first:1, second:1: choose one"):
            metalab.load_results(tmp_path)

    def test_looking_at_a_store_changes_nothing_in_it(self, tmp_path, capsys):
        @metalab.operation
        def leaves(params, capture):
            capture.artifact("a", [params["x"]])
            capture.log("line")

        run(experiment(leaves), tmp_path)
        before = {
            path: (path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.rglob("*")
        }
        results = metalab.load_results(tmp_path)
        results.display()
        for found in results:
            found.artifact("a")
            found.log()
            found.attempts()
            found.derived  # noqa: B018  looking is the test
        metalab.plan(experiment(leaves), tmp_path)
        assert {
            path: (path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.rglob("*")
        } == before


class TestSafety:
    def test_a_store_that_names_classes_runs_none_of_their_code(self, tmp_path, monkeypatch):
        """Whoever can write to a store must not be able to run code where it is read."""
        (tmp_path / "elsewhere.py").write_text(
            "import attrs, metalab, os\n"
            f"open({str(tmp_path / 'imported')!r}, 'a').close()\n"
            "@attrs.frozen\n"
            "class Model:\n"
            "    layers: int\n"
            "    def __attrs_post_init__(self):\n"
            f"        open({str(tmp_path / 'made')!r}, 'a').close()\n"
            "@metalab.operation\n"
            "def leaves(params, capture):\n"
            "    capture.data('model', params['model'])\n"
        )
        (tmp_path / "script.py").write_text(
            "import metalab, sys\n"
            "from elsewhere import Model, leaves\n"
            "metalab.run(metalab.Experiment(name='e', version='1', context=Model(1),\n"
            "    operation=leaves, params=metalab.grid(model=[Model(2)]),\n"
            "    seeds=metalab.seeds(base=1)), sys.argv[1], progress=False).result()\n"
        )
        command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "store")]
        subprocess.run(command, check=True)
        for trace in ("imported", "made"):
            (tmp_path / trace).unlink()
        monkeypatch.syspath_prepend(str(tmp_path))
        (found,) = metalab.load_results(tmp_path / "store")
        assert found.status == "success"
        assert str(found.params["model"]) == str(found.data("model"))
        assert str(found.params["model"]).startswith("elsewhere:Model")
        assert found.experiment.name == "e"
        assert "elsewhere" not in sys.modules
        assert not (tmp_path / "imported").exists()
        assert not (tmp_path / "made").exists()
