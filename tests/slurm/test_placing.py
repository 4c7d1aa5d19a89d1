"""Pilots get into the queue of a real cluster whatever it allows, and none is forgotten."""

from __future__ import annotations

import os

import pytest

from metalab_slurm.cluster import Cluster
from metalab_slurm.commands import SlurmCrowded, SlurmUnavailable
from metalab_slurm.journal import Journal
from metalab_slurm.placing import place
from slurm.pilots import Pilots

pytestmark = pytest.mark.slurm


@pytest.fixture
def between(tmp_path, monkeypatch):
    """Put a program between us and sbatch, such as a network that fails."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(text):
        program = folder / "sbatch"
        real = f"PATH={os.environ['PATH']}"
        program.write_text(f"#!/bin/bash\n{real}\ncd {folder}\n{text}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return put


def said(folder):
    return [entry.what for entry in Journal(folder).read()]


def test_an_array_is_halved_until_the_site_takes_it(make_cluster, tmp_path):
    make_cluster(nodes=1, max_array_size=5)
    pilots = Pilots(tmp_path, array=32)
    assert pilots.placed.pilots == 4
    assert pilots.placed.words.startswith("Slurm accepts 4 of 32 jobs (sbatch: error: ")
    assert "Invalid job array specification" in pilots.placed.words
    assert len(pilots.jobs()) == 4
    assert said(tmp_path) == ["intend", "failed"] * 3 + ["intend", "submitted"]
    assert [entry.array for entry in Journal(tmp_path).read() if entry.array] == [32, 16, 8, 4]
    assert sorted(path.name for path in tmp_path.glob("script*")) == [
        "script-2.sh", "script-3.sh", "script-4.sh", "script.sh",
    ]  # fmt: skip


def test_a_further_array_has_the_same_name(cluster, tmp_path):
    first = Pilots(tmp_path, array=2)
    second = Pilots(tmp_path, name=first.name)
    assert first.array_id != second.array_id
    assert len(second.jobs()) == 3
    assert Journal(tmp_path).job_ids(first.name) == [first.array_id, second.array_id]


def test_an_answer_that_is_lost_is_found_in_the_queue(cluster, tmp_path, between):
    first = Pilots(tmp_path)
    between(
        'sbatch "$@" >answer\n'
        "echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv "
        "operation' >&2\nexit 1"
    )
    pilots = Pilots(tmp_path, array=3, name=first.name)
    assert pilots.placed.job_ids == ((tmp_path / "bin" / "answer").read_text().strip(),)
    assert pilots.placed.pilots == 3
    assert len(pilots.jobs()) == 4
    assert said(tmp_path) == ["intend", "submitted", "intend", "failed", "submitted"]


def test_what_slurm_did_not_take_is_submitted_again(cluster, tmp_path, between):
    between(
        "if [ ! -e tried ]; then touch tried\n"
        "echo 'sbatch: error: Batch job submission failed: Unable to contact slurm controller "
        "(connect failure)' >&2; exit 1; fi\n"
        'exec sbatch "$@"'
    )
    pilots = Pilots(tmp_path, array=2)
    assert len(pilots.jobs()) == pilots.placed.pilots == 2
    assert said(tmp_path) == ["intend", "failed", "intend", "submitted"]


def test_a_controller_that_stays_away_is_an_error_with_what_is_not_known(
    cluster, tmp_path, between
):
    between("echo 'sbatch: error: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(SlurmUnavailable, match="Whether jobs named metalab-away are in the queue"):
        Pilots(tmp_path, name="metalab-away")
    assert Cluster().jobs(["metalab-away"]) == []
    assert set(said(tmp_path)) == {"intend", "failed"}


def test_not_even_one_job(cluster, tmp_path, between):
    between("echo 'sbatch: error: AssocMaxSubmitJobLimit' >&2; exit 1")
    with pytest.raises(SlurmCrowded, match="Slurm does not accept a single job now"):
        Pilots(tmp_path, array=4)
    assert said(tmp_path) == ["intend", "failed"] * 3


def test_a_submitter_that_dies_at_sbatch_leaves_its_intention(cluster, tmp_path):
    journal = Journal(tmp_path)

    class Dying(Cluster):
        def submit(self, script):
            super().submit(script)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place(
            Dying(),
            journal,
            lambda _: "#!/bin/sh\n#SBATCH -J a-b\n#SBATCH -o /dev/null\n",
            tmp_path,
            "a-b",
            1,
        )
    assert said(tmp_path) == ["intend"]
    assert len(Cluster().jobs([journal.read()[0].name])) == 1


@pytest.mark.slow
def test_an_array_is_halved_until_a_tight_qos_takes_it(accounting_cluster, tmp_path):
    accounting_cluster.manage("add", "qos", "tight", "MaxSubmitJobsPerUser=5")
    accounting_cluster.manage("modify", "user", "set", "qos+=tight")
    pilots = Pilots(tmp_path, array=32, qos="tight")
    assert pilots.placed.pilots == 4
    assert "QOSMaxSubmitJobPerUserLimit" in pilots.placed.words
    with pytest.raises(SlurmCrowded):
        Pilots(tmp_path, array=2, name="second", qos="tight") and Pilots(
            tmp_path, array=2, name="third", qos="tight"
        )


def test_an_array_is_halved_for_a_controller_that_is_full(make_cluster, tmp_path):
    make_cluster(nodes=1, max_job_count=6)
    # sbatch would ask again for minutes; it has to say within its time that it does.
    pilots = Pilots(tmp_path, array=8, patience=8)
    assert pilots.placed.pilots == 4
