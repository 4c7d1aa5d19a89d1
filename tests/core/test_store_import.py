"""Stores of the earlier layout, a JSON file a run, are imported and never written."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

import metalab
from metalab.errors import StoreError
from metalab.records import Status
from metalab.store import FileStoreConfig, import_store
from metalab.store.copying import Contents

EXPERIMENT = "old_exp:1.0"
SUCCESS, FAILED, RUNNING = "a" * 16, "b" * 16, "c" * 16


def record(run, status="success", **fields):
    return {
        "_schema_version": "0.1",
        "run_id": run,
        "experiment_id": EXPERIMENT,
        "status": status,
        "context_fingerprint": "ctx",
        "params_fingerprint": "par",
        "seed_fingerprint": "sd",
        "started_at": "2023-01-02T03:04:05.000006",
        "finished_at": "2023-01-02T03:04:06",
        "duration_ms": 1000,
        "metrics": {"loss": 0.5},
        "provenance": {"code_hash": "abc", "executor_id": "thread:1", "extra": {"k": 1}},
        "error": None,
        "params_resolved": {"x": 1},
        "tags": ["t"],
        "warnings": [],
        "notes": "n",
        "artifacts": [],
        **fields,
    }


def artifact(name, uri, **fields):
    described = {"artifact_id": f"id-{name}", "name": name, "kind": "bytes", "format": "bin"}
    return {**described, "uri": uri, "content_hash": None, "size_bytes": 3, **fields}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, str | bytes):
        content = json.dumps(content, indent=2)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture
def old(tmp_path):
    """A folder of the earlier layout with all that one may have."""
    root = tmp_path / "old"
    uri = "/scratch/elsewhere/artifacts/blob.bin"
    done = record(
        SUCCESS, metrics={"loss": math.nan, "n": 2**80}, artifacts=[artifact("blob", uri)]
    )
    write(root / "runs" / f"{SUCCESS}.json", done)
    error = {"type": "ValueError", "message": "no", "traceback": "Traceback..."}
    write(root / "runs" / f"{FAILED}.json", record(FAILED, "failed", error=error))
    write(root / "runs" / f"{RUNNING}.json", record(RUNNING, "running"))
    write(root / "runs" / ".tmp.123", "half")
    write(root / "derived" / f"{SUCCESS}.json", {"ratio": math.inf, "n": 3})
    structure = {"data": [[1, 2], [3, 4]], "dtype": "int64", "shape": [2, 2], "metadata": {}}
    write(root / "results" / SUCCESS / "grid.json", structure)
    write(root / "results" / SUCCESS / "long.json", {"data": list(range(20_000)), "metadata": {}})
    write(root / "artifacts" / SUCCESS / "blob.bin", b"abc")
    write(root / "logs" / f"{SUCCESS}_run.log", "2023 one\n2023 two\n")
    write(root / "logs" / f"label_{FAILED[:8]}_stderr.log", "oh\n")
    write(root / "experiments" / "old_exp_1.0_20230102.json", {"name": "old_exp", "version": "1.0"})
    write(root / ".locks" / f"{SUCCESS}.lock", "")
    return root


@pytest.fixture
def new(tmp_path):
    return FileStoreConfig(tmp_path / "new", commit_interval=0.01)


def files_of(root):
    return {str(path): path.stat().st_mtime_ns for path in root.rglob("*")}


class TestImport:
    def test_all_that_runs_left_is_there_afterwards(self, old, new):
        report = import_store(old, new)
        assert report.counts() == {"runs": 3, "derived": 1, "logs": 2, "artifacts": 2}
        assert report.problems == []
        results = metalab.load_results(new.root)
        done = next(run for run in results if run.status == "success")
        assert done.run_id.startswith(SUCCESS)
        assert math.isnan(done.metrics["loss"])
        assert done.metrics["n"] == 2**80
        assert done.params == {"x": 1}
        assert done.data("grid") == [[1, 2], [3, 4]]
        assert done.data("long") == list(range(20_000))
        assert done.artifact("blob") == b"abc"
        assert done.log() == "2023 one\n2023 two\n"
        assert done.derived == {"ratio": math.inf, "n": 3}
        assert done.experiment.name == "old_exp"
        assert (done.tags, done.record.notes, done.record.launch) == (["t"], "n", "import")
        assert done.provenance.code_hash == "abc"
        assert done.started_at.isoformat() == "2023-01-02T03:04:05.000006+00:00"

    def test_a_failure_keeps_its_error_and_its_log_by_the_old_name(self, old, new):
        import_store(old, new)
        (failed,) = metalab.load_results(new.root).failed
        assert failed.error == {"type": "ValueError", "message": "no", "traceback": "Traceback..."}
        assert failed.log("stderr") == "oh\n"

    def test_what_was_imported_is_sound(self, old, new):
        import_store(old, new)
        assert new.open().scoped(EXPERIMENT).inspect().flaws == ()

    def test_a_run_that_was_running_is_not_done(self, old, new):
        import_store(old, new)
        runs = metalab.load_results(new.root)
        (running,) = [run for run in runs if run.run_id.startswith(RUNNING)]
        assert (running.status, running.finished_at) == (Status.RUNNING, None)

    def test_importing_twice_adds_nothing(self, old, new):
        import_store(old, new)
        again = import_store(old, new)
        assert set(again.counts().values()) == {0}
        with new.open().scoped(EXPERIMENT) as store:
            log = store.read()
            assert sum(map(len, log.history(log.subjects()))) == 4

    def test_what_has_gone_on_since_is_imported_later(self, old, new):
        import_store(old, new)
        write(old / "runs" / f"{RUNNING}.json", record(RUNNING, "completed"))
        write(old / "runs" / f"{'d' * 16}.json", record("d" * 16, "SUCCESS"))
        assert import_store(old, new).runs == 1
        assert len(metalab.load_results(new.root).successful) == 3

    def test_nothing_in_the_source_is_written(self, old, new):
        before = files_of(old)
        import_store(old, new)
        assert files_of(old) == before

    def test_a_collection_of_such_folders_is_imported_whole(self, old, new, tmp_path):
        other = {**record("e" * 32), "experiment_id": "other:2"}
        write(tmp_path / "many" / "other_2" / "runs" / f"{'e' * 32}.json", other)
        old.rename(tmp_path / "many" / "old_exp_1.0")
        assert import_store(tmp_path / "many", new).runs == 4
        assert new.list_experiments() == [EXPERIMENT, "other:2"]

    def test_one_experiment_may_be_chosen(self, old, new):
        write(old / "runs" / f"{'e' * 32}.json", {**record("e" * 32), "experiment_id": "other:2"})
        assert import_store(old, new, "other:2").runs == 1
        assert new.list_experiments() == ["other:2"]
        with pytest.raises(StoreError, match=r"no experiment 'x:1' .*there: old_exp:1.0, other:2"):
            import_store(old, new, "x:1")

    def test_an_imported_store_is_overwritten_by_its_source_on_request(self, old, new):
        import_store(old, new)
        with new.open().scoped(EXPERIMENT) as store:
            store.delete_run(SUCCESS.ljust(32, "0"))
        assert import_store(old, new, contents=Contents(overwrite=True)).runs == 1
        assert metalab.load_results(new.root).successful[0].log() == "2023 one\n2023 two\n"

    def test_a_store_of_this_layout_is_imported_as_it_is(self, old, new, tmp_path):
        import_store(old, new)
        last = FileStoreConfig(tmp_path / "last", commit_interval=0.01)
        assert import_store(new.root, last).runs == 3
        assert len(metalab.load_results(last.root)) == 3


class TestIds:
    @pytest.mark.parametrize("run", ["9f3c", "0123456789abcdef", "f" * 64, "Run one"])
    def test_every_id_becomes_one_that_is_found_by_the_old_one(self, tmp_path, new, run):
        write(tmp_path / "old" / "runs" / f"{run}.json", record(run))
        import_store(tmp_path / "old", new)
        (found,) = metalab.load_results(new.root)
        assert len(found.run_id) == 32
        if set(run) <= set("0123456789abcdef"):
            assert found.run_id.startswith(run[:32])


class TestDamage:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("", r"dddd\.json is empty; it was skipped"),
            ('{"run_id": "dd', r"dddd\.json is damaged \(.*\); it was skipped"),
            ("[]", r"dddd\.json is damaged \(no JSON object\)"),
            (b"\xff\xfe", r"dddd\.json is damaged"),
            (json.dumps(record("d", "paused")), r"dddd\.json: the status 'paused' is unknown"),
            (json.dumps(record("d", experiment_id="")), r"dddd\.json: its experiment is unknown"),
            (json.dumps(record("d", experiment_id=3)), r"dddd\.json: its experiment is unknown"),
        ],
    )
    def test_a_record_that_cannot_be_read_is_told_and_skipped(self, old, new, content, said):
        write(old / "runs" / f"{'d' * 16}.json", content)
        report = import_store(old, new)
        assert report.runs == 3
        (problem,) = report.problems
        assert re.search(said, problem)

    def test_a_missing_file_of_an_artifact_is_told_and_the_run_is_imported(self, old, new):
        (old / "artifacts" / SUCCESS / "blob.bin").unlink()
        report = import_store(old, new)
        assert report.runs == 3
        (problem,) = report.problems
        assert "artifact 'blob' was not copied: there is no file for it" in problem

    def test_a_file_outside_the_folder_is_never_taken_for_an_artifact(self, old, new, tmp_path):
        secret = tmp_path / "secret.bin"
        secret.write_bytes(b"secret")
        (old / "artifacts" / SUCCESS / "blob.bin").unlink()
        (old / "artifacts" / SUCCESS / "blob.bin").symlink_to(secret)
        listed = [
            artifact("blob", str(secret)),
            artifact("blob.bin", "x"),
            artifact("../../../secret.bin", "../../../secret.bin"),
        ]
        write(old / "runs" / f"{SUCCESS}.json", record(SUCCESS, artifacts=listed))
        report = import_store(old, new)
        assert len(report.problems) == 3
        assert report.artifacts == 1  # the long structure

    def test_a_folder_of_artifacts_may_be_a_link_to_another_disk(self, old, new, tmp_path):
        (old / "artifacts").rename(tmp_path / "scratch")
        (old / "artifacts").symlink_to(tmp_path / "scratch")
        assert import_store(old, new).problems == []
        assert metalab.load_results(new.root).successful[0].artifact("blob") == b"abc"

    def test_descriptors_that_lie_beside_the_artifacts_are_found(self, old, new):
        write(old / "artifacts" / SUCCESS / "more.json", {"k": 1})
        more = artifact("more", "/gone/more.json", format="json", kind="json", metadata={"m": 1})
        write(old / "artifacts" / SUCCESS / "_manifest.json", {"artifacts": [more]})
        assert import_store(old, new).problems == []
        run = metalab.load_results(new.root).successful[0]
        assert run.artifact("more") == {"k": 1}
        assert run.artifacts()[1].metadata == {"m": 1}

    def test_damaged_data_and_derived_values_are_told(self, old, new):
        write(old / "results" / SUCCESS / "grid.json", "{")
        write(old / "derived" / f"{SUCCESS}.json", "")
        report = import_store(old, new)
        assert (report.runs, report.derived, len(report.problems)) == (3, 0, 2)

    def test_a_log_of_no_run_is_told(self, old, new):
        write(old / "logs" / "stray_run.log", "x\n")
        assert import_store(old, new).problems == [
            f"{old / 'logs' / 'stray_run.log'} is the log of no run that was imported"
        ]

    def test_values_of_the_wrong_kind_are_no_error(self, old, new):
        odd = dict.fromkeys(record("d"), 7) | {
            "status": "Status.FAILED",
            "experiment_id": EXPERIMENT,
            "error": "it broke",
            "metrics": {"$float": "nan", "list": [1, None]},
            "artifacts": [1, {"name": None}],
        }
        write(old / "runs" / f"{'d' * 16}.json", odd)
        report = import_store(old, new)
        assert report.runs == 4
        with new.open().scoped(EXPERIMENT) as store:
            kept = store.get_run_record("d" * 16 + "0" * 16)
        assert kept.error == {"type": "Error", "message": "it broke", "traceback": ""}
        assert kept.metrics == {"$float": "nan", "list": [1, None]}

    def test_a_record_alone_is_enough(self, tmp_path, new):
        least = {"experiment_id": EXPERIMENT, "status": "success"}
        write(tmp_path / "old" / "runs" / "ab.json", least)
        assert import_store(tmp_path / "old", new).problems == []
        assert len(metalab.load_results(new.root)) == 1


class TestRefusals:
    def test_nothing_is_imported_into_the_source(self, old):
        before = files_of(old.parent)
        for place in (old, old / "sub", old / "old_exp_1.0"):
            with pytest.raises(ValueError, match="which is only read; name another destination"):
                import_store(old, place)
        assert files_of(old.parent) == before

    def test_a_place_with_nothing_in_it_is_an_error(self, tmp_path, new):
        with pytest.raises(StoreError, match="there is no store"):
            import_store(tmp_path / "nothing", new)
        (tmp_path / "empty").mkdir()
        with pytest.raises(StoreError, match="is no store"):
            import_store(tmp_path / "empty", new)
        assert not Path(new.root).exists()
