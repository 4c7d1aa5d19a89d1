"""A command's refusal, its crowding and its silence are three things."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest

from metalab.errors import MetalabError
from metalab_slurm.cluster import Cluster
from metalab_slurm.commands import Commands, SlurmCrowded, SlurmRefused, SlurmUnavailable
from slurm.slurm_cluster import wait_for

SUBMISSION = "sbatch: error: Batch job submission failed: "
LIMIT = (
    SUBMISSION
    + "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Write a program that is found instead of one of Slurm's."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def write(name, text):
        path = tmp_path / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return write


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        (
            "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
            SlurmUnavailable,
        ),
        (SUBMISSION + "Unable to contact slurm controller (connect failure)", SlurmUnavailable),
        (SUBMISSION + "Socket timed out on send/recv operation", SlurmUnavailable),
        (SUBMISSION + "Zero Bytes were transmitted or received", SlurmUnavailable),
        (SUBMISSION + "Resource temporarily unavailable", SlurmUnavailable),
        (
            ("sbatch: error: If munged is up, restart with --num-threads=10\nsbatch: error: Munge "
            'encode failed: Failed to access "/run/munge/munge.socket.2"'),
            SlurmUnavailable,
        ),
        (
            ("sbatch: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\nsbatch: "
            "fatal: Could not establish a configuration source"),
            SlurmUnavailable,
        ),
        (SUBMISSION + "Invalid job array specification", SlurmCrowded),
        (f"sbatch: error: QOSMaxSubmitJobPerUserLimit\n{LIMIT}", SlurmCrowded),
        (f"sbatch: error: AssocMaxSubmitJobLimit\n{LIMIT}", SlurmCrowded),
        (LIMIT, SlurmCrowded),
        (f"sbatch: error: QOSMaxWallDurationPerJobLimit\n{LIMIT}", SlurmRefused),
        (SUBMISSION + "Memory specification can not be satisfied", SlurmRefused),
        (
            "sbatch: error: CPU count per node can not be satisfied\n"
            + SUBMISSION + "Requested node configuration is not available",
            SlurmRefused,
        ),
        (
            "sbatch: error: invalid partition specified: nowhere\n"
            + SUBMISSION + "Invalid partition name specified",
            SlurmRefused,
        ),
        (SUBMISSION + "Invalid generic resource (gres) specification", SlurmRefused),
        (SUBMISSION + "Invalid account or account/partition combination specified", SlurmRefused),
        (SUBMISSION + "Invalid qos specification", SlurmRefused),
    ],
)  # fmt: skip
def test_what_slurm_prints_decides_of_which_kind_an_error_is(program, stderr, kind):
    program("sbatch", f"#!/bin/sh\ncat >&2 <<'END'\n{stderr}\nEND\nexit 1\n")
    with pytest.raises(MetalabError) as caught:
        Commands().run("sbatch", "--parsable", "script.sh")
    assert type(caught.value) is kind
    assert str(caught.value) == stderr


def test_a_command_that_is_not_there_leaves_all_unknown(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not Cluster().is_there()
    with pytest.raises(SlurmUnavailable, match=r"^there is no command 'squeue' here: submit from"):
        Commands().run("squeue")


def test_a_command_that_cannot_be_started_leaves_all_unknown(program, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    program("squeue", "no program")
    with pytest.raises(SlurmUnavailable, match=r"^squeue cannot be started: "):
        Commands().run("squeue")


@pytest.fixture
def hanging(program, tmp_path, monkeypatch):
    """Write an sbatch that says something and hangs; its time is counted from what it says."""

    class Heard(subprocess.Popen):
        def communicate(self, *arguments, **options):
            wait_for((tmp_path / "said").exists)
            return super().communicate(*arguments, **options)

    def write(words):
        program("sbatch", f"#!/bin/sh\necho '{words}' >&2\n>{tmp_path}/said\nexec sleep 300\n")
        monkeypatch.setattr(subprocess, "Popen", Heard)

    return write


def test_a_command_that_does_not_end_is_ended(hanging):
    hanging("waiting for the controller")
    words = r"^sbatch did not answer within 2 s: waiting for the controller$"
    with pytest.raises(SlurmUnavailable, match=words):
        Commands(timeout=2.0).run("sbatch")


def test_a_controller_that_is_full_may_take_fewer(hanging):
    hanging("sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying")
    with pytest.raises(SlurmCrowded, match="temporarily unable to accept job"):
        Commands(timeout=2.0).run("sbatch")


def test_a_command_that_is_killed_leaves_all_unknown(program):
    program("sbatch", "#!/bin/sh\nkill -9 $$\n")
    with pytest.raises(SlurmUnavailable, match=r"^sbatch: exit code -9$"):
        Commands().run("sbatch")


def test_a_queue_that_cannot_be_read_is_unknown_and_not_empty(program):
    for text in ("echo nonsense", "echo 'squeue: error: no such thing' >&2; exit 1"):
        program("squeue", f"#!/bin/sh\n{text}\n")
        cluster = Cluster()
        with pytest.raises(SlurmUnavailable):
            cluster.jobs(["metalab-a"])
        assert cluster.alive("7", 0) is None
        assert cluster.end_of("7") is None


def test_no_names_are_no_question(program):
    program("squeue", "#!/bin/sh\nexit 1\n")
    assert Cluster().jobs([]) == []


def test_a_queue_that_does_not_answer_is_not_asked_again_at_once(program):
    program("squeue", "#!/bin/sh\nexit 1\n")
    cluster = Cluster()
    assert [cluster.alive(str(number), 0) for number in range(50)] == [None] * 50
    assert cluster.commands.calls == {"squeue": 1}


def test_a_submission_without_a_number_may_have_been_accepted(program, tmp_path):
    program("sbatch", "#!/bin/sh\necho Welcome\n")
    script = tmp_path / "script.sh"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(SlurmUnavailable, match="where a job's number belongs"):
        Cluster().submit(script)
    program("sbatch", "#!/bin/sh\necho 'Welcome!'\necho '54;cluster'\n")
    assert Cluster().submit(script) == "54"


ENVIRONMENT = f"#!{sys.executable}\nimport json, os\nprint(json.dumps(dict(os.environ)))\n"


def test_the_jobs_around_a_command_are_not_seen_by_it(program, monkeypatch):
    for name in ("SLURM_JOB_ID", "SLURM_MEM_PER_NODE", "SBATCH_ARRAY_INX", "SQUEUE_FORMAT"):
        monkeypatch.setenv(name, "7")
    monkeypatch.setenv("SLURM_CONF", "/etc/here")
    monkeypatch.setenv("SBATCH_PARTITION", "gpu")
    monkeypatch.setenv("SBATCH_ACCOUNT", "me")
    monkeypatch.setenv("MINE", "kept")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    for name in ("sbatch", "squeue"):
        program(name, ENVIRONMENT)
    commands = Commands()
    seen = json.loads(commands.run("sbatch", without=["SBATCH_ACCOUNT"]))
    assert {name for name in seen if name.startswith(("SLURM", "SBATCH", "SQUEUE"))} == {
        "SLURM_CONF",
        "SBATCH_PARTITION",
    }
    assert (seen["MINE"], seen["LC_ALL"]) == ("kept", "C.UTF-8")  # a job inherits them
    seen = json.loads(commands.run("squeue"))
    assert (seen["SLURM_CONF"], seen["LC_ALL"], seen["SLURM_TIME_FORMAT"]) == (
        "/etc/here",
        "C",
        "%s",
    )
    assert "SBATCH_PARTITION" not in seen


def test_a_script_that_names_a_partition_is_not_overruled(program, monkeypatch, tmp_path):
    monkeypatch.setenv("SBATCH_PARTITION", "habit")
    program("sbatch", '#!/bin/sh\necho "$SBATCH_PARTITION" >partition\necho 1\n')
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "script.sh"
    for text, wanted in (("#!/bin/sh\n", "habit"), ('#SBATCH "--partition=gpu"\n', "")):
        script.write_text(text)
        Cluster().submit(script)
        assert (tmp_path / "partition").read_text().strip() == wanted


def test_a_command_reads_nothing_and_is_counted(program):
    program("squeue", "#!/bin/sh\ncat\n")
    commands = Commands()
    assert [commands.run("squeue"), commands.run("squeue")] == ["", ""]
    assert commands.calls == {"squeue": 2}


def test_ctrl_c_does_not_reach_a_command(program):
    program("sbatch", f"#!{sys.executable}\nimport os\nprint(os.getsid(0))\n")
    assert int(Commands().run("sbatch")) != os.getsid(0)
