"""In what two runs differ: never a difference that is none, never equal what is unknown."""

from __future__ import annotations

import math

import attrs
import pytest

import metalab
from core.store_tools import made, store_at
from metalab.records import Provenance, Status
from metalab.results import Run
from metalab.results.differences import Kind

FULL = {
    "python": "3.12.1",
    "implementation": "cpython",
    "metalab": "0.1.0",
    "platform": "Linux",
    "host": "here",
    "machine": {"cpu": "A", "cpus": 2, "usable_cpus": 2, "memory": 1, "gpus": []},
    "packages": {"numpy": "2.0", "torch": "2.3"},
    "plugins": [],
    "variables": {"LANG": "C", "SLURM_JOB_ID": "1"},
    "git": {"commit": "c1", "branch": "main", "dirty": False, "diff": None, "untracked": {}},
}


@pytest.fixture
def pair(tmp_path):
    """Store two runs of two launches, by what is kept of each, and return them."""

    def pair(one=FULL, other=FULL, first=None, second=None):
        store = store_at(tmp_path / "store")
        runs = []
        for number, (launch, fields) in enumerate(((one, first), (other, second))):
            name = f"launch{number}"
            if launch is not None:
                store.put_launch(name, {**launch, "started": str(number)})
            record = made(0, provenance=Provenance(code_hash="c", executor_id="w"))
            runs.append(Run(attrs.evolve(record, launch=name, **(fields or {})), store))
        return runs

    return pair


def told(changes):
    return {c.name: (c.kind.value, c.before, c.after) for c in changes}


def with_git(**fields):
    return {**FULL, "git": {**FULL["git"], **fields}}


class TestParamsAndMetrics:
    def test_values_are_compared_with_their_types(self, pair):
        same = {"nan": math.nan, "t": (1, 2), "*": 1, "": 2}
        one, other = pair(
            first={"params_resolved": {**same, "a": 1, "b": True, "only": 0}},
            second={"params_resolved": {**same, "a": 1.0, "b": 1, "new": None}},
        )
        assert told(one.diff(other).params) == {
            "a": ("changed", 1, 1.0),
            "b": ("changed", True, 1),
            "only": ("removed", 0, None),
            "new": ("added", None, None),
        }

    def test_metrics_have_the_difference_of_their_values(self, pair):
        one, other = pair(
            first={"metrics": {"a": 1, "b": 0.5, "c": math.nan, "d": "x", "e": 10**400, "f": True}},
            second={"metrics": {"a": 3, "b": 0.25, "c": 1, "d": "y", "e": 0.5, "f": False}},
        )
        assert {c.name: c.by for c in one.diff(other).metrics} == {
            "a": 2,
            "b": -0.25,
            "c": None,
            "d": None,
            "e": None,
            "f": None,
        }

    def test_status_error_seed_and_replicate_are_told(self, pair):
        error = {"type": "ValueError", "message": "m", "traceback": "t"}
        one, other = pair(
            first={"seed": 1, "replicate": 0},
            second={"seed": 1, "replicate": 2, "status": Status.FAILED, "error": error},
        )
        found = one.diff(other)
        assert told(found.seeds) == {"replicate": ("changed", 0, 2)}
        assert told(found.status) == {
            "status": ("changed", "success", "failed"),
            "error": ("changed", None, "ValueError"),
        }


class TestEnvironment:
    def test_a_run_does_not_differ_from_itself(self, pair):
        one, other = pair()
        for found in (one.diff(one), one.diff(other)):
            assert found.known.keys() <= {"place"}
            assert found.are_different is False

    def test_packages_are_added_removed_and_changed(self, pair):
        one, other = pair(other={**FULL, "packages": {"numpy": "2.1", "scipy": "1.0"}})
        assert told(one.diff(other).packages) == {
            "numpy": ("changed", "2.0", "2.1"),
            "torch": ("removed", "2.3", None),
            "scipy": ("added", None, "1.0"),
        }

    def test_what_a_scheduler_calls_a_job_makes_no_difference(self, pair):
        variables = {"LANG": "C", "SLURM_JOB_ID": "2", "SLURM_ARRAY_TASK_ID": "1"}
        found = one_of(*pair(other={**FULL, "variables": variables}))
        assert found.variables == ()
        assert told(found.place)["SLURM_JOB_ID"] == ("changed", "1", "2")
        assert found.known.keys() == {"place"}

    def test_variables_and_machine_do(self, pair):
        machine = {**FULL["machine"], "gpus": ["B"]}
        found = one_of(*pair(other={**FULL, "variables": {"LANG": "de"}, "machine": machine}))
        assert told(found.variables) == {"LANG": ("changed", "C", "de")}
        assert told(found.environment) == {"gpus": ("changed", [], ["B"])}
        assert found.are_different is True

    @pytest.mark.parametrize("missing", ["packages", "variables", "machine", "plugins", "git"])
    def test_what_one_has_no_record_of_is_unknown(self, pair, missing):
        less = {name: value for name, value in FULL.items() if name != missing}
        one, other = pair(other=less)
        for found in (one.diff(other), other.diff(one)):
            assert not {"packages", "variables", "environment", "git"} & found.known.keys()
            assert found.unknown
            assert found.are_different is None

    def test_of_a_run_without_a_launch_all_of_this_is_unknown(self, pair):
        found = one_of(*pair(other=None))
        assert {"environment", "packages", "variables", "git"} <= found.unknown.keys()
        assert found.known.keys() <= {"place"}

    def test_of_a_worker_on_another_host_the_machine_is_unknown(self, tmp_path):
        store = store_at(tmp_path / "store")
        store.put_launch("there", {**FULL, "host": "elsewhere"})
        with store.writer("there") as writer:
            writer.put(attrs.evolve(made(0), launch="there"))
        run = Run(store.list_run_records()[0], store)
        assert run.provenance.host != "elsewhere"
        assert "machine" not in run.provenance.extra
        assert run.provenance.extra["launch"] == "there"


def one_of(one, other):
    return one.diff(other)


class TestCheckout:
    def test_commits_differ(self, pair):
        found = one_of(*pair(other=with_git(commit="c2")))
        assert told(found.git) == {"commit": ("changed", "c1", "c2")}

    def test_changes_are_compared_by_hash(self, pair):
        dirty = [with_git(dirty=True, diff={"sha256": s * 64, "truncated": False}) for s in "ab"]
        assert told(one_of(*pair(*dirty)).git) == {"changes": ("changed", "a" * 64, "b" * 64)}

    def test_equal_changes_are_equal(self, pair):
        dirty = with_git(dirty=True, diff={"sha256": "a" * 64, "truncated": False})
        assert one_of(*pair(dirty, dirty)).git == ()

    def test_two_that_begin_alike_and_go_on_unseen_are_unknown(self, pair):
        cut = with_git(dirty=True, diff={"sha256": "a" * 64, "truncated": True})
        assert told(one_of(*pair(cut, cut)).git) == {"changes": ("unknown", "a" * 64, "a" * 64)}

    def test_changes_of_which_no_record_was_kept_are_unknown(self, pair):
        dirty = with_git(dirty=True)
        assert told(one_of(*pair(dirty, dirty)).git) == {"changes": ("unknown", None, None)}

    def test_runs_of_one_launch_share_them_recorded_or_not(self, pair):
        one, other = pair(with_git(dirty=True))
        assert one.diff(one).git == ()
        assert one.diff(other).git != ()
        assert one.patch() is None

    def test_clean_and_changed_differ_even_so(self, pair):
        found = one_of(*pair(other=with_git(dirty=True)))
        assert told(found.git)["dirty"] == ("changed", False, True)
        assert told(found.git)["changes"][0] == "unknown"
        assert found.are_different is True


def study(name="study", *, context=None, function=None, **params):
    return metalab.Experiment(
        name=name,
        version="1",
        context=context,
        operation=metalab.operation(function or double, name="op"),
        params=metalab.grid(**params),
        seeds=metalab.seeds(base=1),
    )


def double(params, capture):
    capture.metric("y", params["x"] * 2)


def treble(params, capture):
    capture.metric("y", params["x"] * 3)


class TestRealRuns:
    def test_runs_of_one_launch_differ_in_what_they_were_given_alone(self, tmp_path):
        one, other = metalab.run(study(x=[1, 2]), tmp_path / "s", progress=False).result()
        found = one.diff(other)
        assert told(found.params) == {"x": ("changed", 1, 2)}
        assert found.known.keys() - {"place", "duration"} == {"params", "metrics"}
        assert found.unknown == {}
        assert one.diff(one).are_different is False
        assert one.diff(one).known == {}

    def test_code_is_told_by_the_names_of_its_parts(self, tmp_path):
        (one,) = metalab.run(study(x=[1]), tmp_path / "a", progress=False).result()
        (other,) = metalab.run(
            study(function=treble, x=[1]), tmp_path / "b", progress=False
        ).result()
        kinds = {c.name.rpartition(":")[2]: c.kind for c in one.diff(other).code}
        assert kinds == {"hash": Kind.CHANGED, "double": Kind.REMOVED, "treble": Kind.ADDED}

    def test_the_context_is_told_by_its_fields(self, tmp_path):
        runs = [
            metalab.run(
                study(context={"a": {"b": n}, "same": [1], "fingerprint": 0}, x=[1]),
                tmp_path / str(n),
                progress=False,
            ).result()[0]
            for n in (1, 2)
        ]
        found = runs[0].diff(runs[1])
        assert told(found.context).keys() == {"fingerprint", "context.a.b"}

    def test_without_its_manifest_the_parts_are_unknown_and_the_hash_is_not(self, tmp_path):
        (one,) = metalab.run(study(x=[1]), tmp_path / "a", progress=False).result()
        record = attrs.evolve(
            one.record, manifest=None, provenance=Provenance(code_hash="0" * 16), launch=None
        )
        found = one.diff(Run(record, one._reader.store))
        assert told(found.code) == {
            "hash": ("changed", one.provenance.code_hash, "0" * 16),
            None: ("unknown", None, None),
        }
