"""The command line and launches that go on by themselves, with an executor of a third party."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import detached_executor
import metalab
from core.terminal_tools import Terminal
from metalab.cli import main
from metalab.detached import DetachedLaunch

METALAB = str(Path(sys.executable).with_name("metalab"))
SECONDS = 60

STUDY = """
import time
from pathlib import Path
import metalab

@metalab.operation
def work(params, capture, runtime):
    print("working on", params["x"])
    while not Path("go").exists() and params["x"] > 0:
        runtime.check_cancelled()
        time.sleep(0.02)
    if params["x"] == 3:
        raise ValueError("three is too much")
    capture.metric("y", params["x"])

experiment = metalab.Experiment(
    name="study", version="1", context={}, operation=work,
    params=metalab.grid(x=[0, 1, 2, 3]), seeds=metalab.seeds(base=1),
)
"""


@pytest.fixture
def study(in_tmp, tmp_path_factory, monkeypatch):
    """A folder with the study, where the executor is installed; what it began is ended after."""
    path = detached_executor.install(tmp_path_factory.mktemp("installed"))
    for entry in path.split(os.pathsep)[::-1]:
        monkeypatch.syspath_prepend(entry)
    monkeypatch.setenv("PYTHONPATH", path)
    detached_executor.forget_plugins()
    (in_tmp / "study.py").write_text(STUDY)
    yield in_tmp
    for place in in_tmp.glob("**/lone"):
        (place / "cancelled").touch()
    wait_for(lambda: all(not under_way(place) for place in in_tmp.glob("**/lone")))
    monkeypatch.undo()
    detached_executor.forget_plugins()


def under_way(place):
    launch = DetachedLaunch.of(detached_executor.Dispatch.of(place.parent))
    (place / "silent").unlink(missing_ok=True)
    return launch.describe()["under_way"]


def wait_for(condition):
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def command(*words, code=0):
    done = subprocess.run(
        [METALAB, *words], capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def launch(*words):
    return command("run", "study.py", "--executor", "lone", *words).stdout


def said(capsys, *words, code=0):
    assert main(list(words)) == code
    return capsys.readouterr()


def by_itself(command, study):
    """Give a command in a process of its own, where warnings are no errors."""
    return subprocess.run(
        [METALAB, command], cwd=study, capture_output=True, text=True, check=True, timeout=SECONDS
    )


def document(capsys, *words, code=0):
    return json.loads(said(capsys, *words, "--json", code=code).out)


def place_of(folder):
    (found,) = folder.glob("experiments/study*/launches/*/lone")
    return found


def counts(capsys):
    ((status,),) = [document(capsys, "status")]
    return status["jobs"][0]["runs"]


def some(**expected):
    return (
        dict.fromkeys(("pending", "running", "done", "failed", "cancelled", "lost"), 0) | expected
    )


# One run waits for nobody, the next one waits; before, the first one may be seen to run.
UNDER_WAY = some(pending=2, running=1, done=1)


class TestRun:
    def test_it_returns_at_once_and_says_how_to_go_on(self, study):
        told = launch("--executor-option", "held=true")
        place = f"{study / 'experiments'} -e study:1"
        assert told.startswith("study:1: 4 runs are with a process of its own (")
        assert f"`metalab watch {place}` follows, `metalab cancel {place}` ends" in told
        assert told.count("\n") == 1

    def test_as_json_it_is_a_summary_of_what_is_left(self, study):
        told = json.loads(launch("--json"))
        assert (told["detached"], told["total"], told["failures"]) == (True, 4, [])

    def test_wait_waits_and_ends_as_for_any_executor(self, study):
        (study / "go").touch()
        done = command("run", "study.py", "--executor", "lone", "--wait", code=1)
        assert "4 runs: 3 done, 1 failed" in done.stdout
        assert "1 failed: ValueError: three is too much" in done.stdout

    def test_run_again_goes_to_the_launch_that_is_under_way(self, study):
        launch()
        # One of the four waits for nobody, and may be done.
        assert re.search("[34] runs are with a process of its own", launch())
        assert len(metalab.FileStore("experiments").scoped("study:1").launches()) == 1

    def test_retry_takes_the_same_options(self, study):
        (study / "go").touch()
        command("run", "study.py", "--executor", "lone", "--wait", "--quiet", code=1)
        (study / "go").unlink()  # or the run might have failed again before it is told of
        told = command("retry", "--executor", "lone", "-j", "2").stdout
        assert told.startswith("study:1: 1 run is with a process of its own")
        (study / "go").touch()
        done = command("retry", "--executor", "lone", "--wait", "--on-code-change", "keep", code=1)
        assert "1 failed: ValueError" in done.stdout

    def test_a_script_on_a_terminal_says_it_once(self, study):
        for options, told in (("", 1), (", progress=False", 0)):
            call = f"metalab.run(experiment, executor='lone'{options})\n"
            (study / "script.py").write_text(STUDY + call)
            text = "import runpy; runpy.run_path('script.py', run_name='__main__')"
            with Terminal(text) as terminal:
                terminal.finish()
            assert terminal.raw.count("runs are with a process of its own") == told


class TestOptions:
    def test_they_reach_the_executor_as_json_or_as_text(self, study):
        launch("--executor-option", "workers=2", "--executor-option", "held=true")
        (kept,) = study.glob("experiments/study*/launches/*/dispatch.json")
        assert json.loads(kept.read_text())["options"] == {"workers": 2}
        assert (place_of(study) / "held").exists()

    def test_j_is_what_the_executor_says_it_is(self, study):
        launch("-j", "3")
        (kept,) = study.glob("experiments/study*/launches/*/dispatch.json")
        assert json.loads(kept.read_text())["options"] == {"workers": 3}

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["--executor-option", "workers=2"], "say of which executor, with --executor"),
            (["--executor-option", "workers"], "'workers' is no KEY=VALUE, such as"),
            (
                ["--executor", "lone", "--executor-option", "size=2"],
                "--executor lone has no option 'size'; there is workers, held",
            ),
            (
                ["--executor", "inline", "--executor-option", "size=2"],
                "--executor inline has no option 'size'; it takes none",
            ),
            (
                ["--executor", "lone", "--executor-option", "workers=1", "-j", "2"],
                "-j 2 and --executor-option workers say the same",
            ),
            (
                ["--executor", "lone", *2 * ["--executor-option", "workers=1"]],
                "--executor-option workers is given twice",
            ),
        ],
    )
    def test_what_cannot_be_meant_is_said_in_words(self, study, words, told):
        assert told in command("run", "study.py", *words, code=2).stderr

    def test_a_value_that_the_executor_refuses_is_said_in_its_words(self, study):
        words = ["--executor", "thread", "--executor-option", "max_workers=many"]
        assert "max_workers" in command("run", "study.py", *words, code=1).stderr


class TestStatus:
    def test_the_counts_are_true_at_every_moment(self, study, capsys):
        launch("--executor-option", "held=true")
        assert counts(capsys) == some(pending=4)
        assert "study:1:   its process waits (Held)" in said(capsys, "status").out
        (place_of(study) / "held").unlink()
        wait_for(lambda: counts(capsys) == UNDER_WAY)
        (study / "go").touch()
        wait_for(lambda: counts(capsys) == some(done=3, failed=1))
        wait_for(lambda: "its process has ended" in said(capsys, "status").out)

    def test_runs_of_a_process_that_died_are_lost(self, study, capsys):
        launch()
        wait_for(lambda: counts(capsys) == UNDER_WAY)
        os.kill(int((place_of(study) / "pid").read_text()), signal.SIGKILL)
        wait_for(lambda: counts(capsys) == some(pending=2, lost=1, done=1))
        assert "lost; the next launch tries them again" in said(capsys, "status").out

    def test_where_nobody_can_be_asked_the_files_are_told(self, study, capsys):
        launch("--executor-option", "held=true")
        (place_of(study) / "silent").touch()
        told = document(capsys, "status")[0]["jobs"][0]
        assert (told["under_way"], told["words"]) == (None, ["nobody can be asked"])
        assert told["runs"] == some(pending=4)

    def test_a_launch_that_cannot_be_read_costs_itself_alone(self, study, capsys):
        launch("--executor-option", "held=true")
        (kept,) = study.glob("experiments/study*/launches/*/dispatch.json")
        (place_of(study) / "held").unlink()
        (study / "go").touch()
        wait_for(lambda: counts(capsys) == some(done=3, failed=1))
        whole = kept.read_text()
        kept.write_text(whole[:100])
        told = by_itself("status", study)
        assert told.stderr.startswith("metalab: warning: launch ")
        assert "is left out: " in told.stderr
        assert "dispatch.json cannot be read" in told.stderr
        assert "study:1" in told.stdout
        with pytest.raises(metalab.errors.StoreError, match="cannot be read"):
            metalab.detached.DetachedLaunch.newest(
                metalab.FileStore(study / "experiments").scoped("study:1"), kept.parent.name
            )
        kept.write_text(whole.replace('"format": ', '"format": 9'))
        assert "written by a newer metalab" in by_itself("status", study).stderr
        kept.write_text(whole)

    def test_a_plugin_that_is_missing_costs_that_part_alone(self, study, capsys, monkeypatch):
        launch("--executor-option", "held=true")
        monkeypatch.setenv("METALAB_DISABLE_PLUGINS", "lone")
        detached_executor.forget_plugins()
        told = document(capsys, "status")[0]["jobs"][0]
        assert told["runs"] == some(pending=4)
        assert "no metalab.executors plugin is named 'lone'" in told["words"][0]
        assert "named 'lone'" in said(capsys, "cancel", code=1).err
        monkeypatch.undo()

    def test_looking_changes_nothing(self, study, capsys):
        launch("--executor-option", "held=true")
        before = {path: path.stat().st_mtime_ns for path in study.glob("experiments/**/*")}
        said(capsys, "status")
        said(capsys, "logs", "--launch")
        assert {path: path.stat().st_mtime_ns for path in study.glob("experiments/**/*")} == before


class TestCancel:
    def test_it_ends_a_launch_and_counts(self, study, capsys, monkeypatch):
        monkeypatch.setattr("metalab.cli.cancel._SECONDS", SECONDS)
        launch()
        wait_for(lambda: counts(capsys) == UNDER_WAY)
        told = document(capsys, "cancel")
        assert (told["over"], told["trouble"]) == (True, None)
        assert told["runs"] == some(pending=2, cancelled=1, done=1)
        again = said(capsys, "cancel").out
        assert again.endswith("is over; 4 runs: 2 pending, 1 done, 1 cancelled\n")

    def test_where_nobody_can_be_asked_it_says_so(self, study, capsys):
        launch("--executor-option", "held=true")
        (place_of(study) / "silent").touch()
        out = said(capsys, "cancel").out
        assert "is to end; 4 runs: 4 pending\n  nobody can be asked; it ends by itself\n" in out
        (place_of(study) / "silent").unlink()
        wait_for(lambda: not under_way(place_of(study)))

    def test_without_such_a_launch_it_is_2(self, study, capsys):
        (study / "go").touch()
        command("run", "study.py", "--executor", "thread", code=1)
        err = said(capsys, "cancel", code=2).err
        assert "study:1 was executed by 'thread', and nothing of it goes on by itself" in err
        assert "has no launch 'abc'" in said(capsys, "cancel", "--launch", "abc", code=2).err

    def test_one_that_has_ended_is_2(self, study, capsys):
        (study / "go").touch()
        launch()
        wait_for(lambda: document(capsys, "status")[0]["jobs"][0]["under_way"] is False)
        assert "is over: all of its runs have ended" in said(capsys, "cancel", code=2).err


class TestWatch:
    @pytest.fixture
    def watching(self, study):
        launch("--executor-option", "held=true")
        process = subprocess.Popen(
            [METALAB, "watch", "--interval", "0.1"], stdout=subprocess.PIPE, text=True
        )
        yield process
        process.kill()
        process.communicate()

    def test_it_follows_from_the_queue_to_the_end(self, study, watching):
        first = [watching.stdout.readline(), watching.stdout.readline()]
        assert first == ["its process waits (Held)\n", "study:1: 0/4 runs\n"]
        (place_of(study) / "held").unlink()
        while watching.stdout.readline() != "its process runs\n":
            assert watching.poll() is None
        (study / "go").touch()
        rest, _ = watching.communicate(timeout=SECONDS)
        assert watching.returncode == 0
        assert rest.splitlines()[-1].startswith("study:1: 4/4 runs, 1 failed")

    def test_ctrl_c_ends_the_watching_alone(self, study, watching):
        watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=SECONDS)
        assert watching.returncode == 0
        assert under_way(place_of(study))

    def test_one_that_died_is_over_by_and_by(self, study, capsys, monkeypatch):
        monkeypatch.setattr("metalab.cli.vigil._CERTAIN", 0.5)
        launch()
        wait_for(lambda: counts(capsys) == UNDER_WAY)
        os.kill(int((place_of(study) / "pid").read_text()), signal.SIGKILL)
        assert "the launch is over" in said(capsys, "watch", "--interval", "0.1", code=1).err

    def test_one_that_was_never_submitted_is_over_by_and_by(self, study, capsys, monkeypatch):
        monkeypatch.setattr("metalab.cli.vigil._CERTAIN", 0.5)
        monkeypatch.setattr("metalab.cli.vigil._PATIENCE", 0.5)
        launch("--executor-option", "held=true")
        (place_of(study) / "cancelled").touch()
        wait_for(lambda: not under_way(place_of(study)))
        (kept,) = study.glob("experiments/study*/launches/*/dispatch.json")
        kept.rename(aside := study / "aside")
        told = said(capsys, "watch", "--interval", "0.1", code=1)
        aside.rename(kept)
        assert "it was never submitted" in told.out
        assert "the launch is over" in told.err


class TestLogs:
    def test_the_output_of_the_jobs_is_printed(self, study, capsys):
        (study / "go").touch()
        launch()
        wait_for(lambda: "Farewell" in said(capsys, "logs", "--launch").out)
        told = document(capsys, "logs", "experiments", "--launch")
        (output,) = told["outputs"]
        assert output["path"] == str(place_of(study) / "1.log")
        assert said(capsys, "logs", "--launch", told["launch"]).out.startswith("==> ")

    def test_only_its_end(self, study, capsys):
        launch("--executor-option", "held=true")
        log = place_of(study) / "1.log"
        log.write_text("".join(f"line {n} {'x' * 100}\n" for n in range(2000)) + "the last")
        out = said(capsys, "logs", "--launch", "--tail", "2").out
        assert out == f"==> {log} <==\nline 1999 {'x' * 100}\nthe last\n"
        assert len(said(capsys, "logs", "--launch", "--tail", "9999").out.splitlines()) == 2002

    def test_it_is_exact_where_no_terminal_reads_it(self, study):
        launch("--executor-option", "held=true")
        log = place_of(study) / "1.log"
        log.write_bytes(content := b"\x1b[2J 10 %\r 20 %\r\n\xff\x0bdone\n")
        words = [sys.executable, "-m", "metalab", "logs", "--launch", "--tail", "2"]
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
        assert done.stdout == f"==> {log} <==\n".encode() + content

    def test_a_run_or_a_launch_has_to_be_named(self, study, capsys):
        assert "name a run, or give --launch" in said(capsys, "logs", code=2).err


def test_doctor_asks_executors_what_they_need(study, capsys):
    found = document(capsys, "doctor")["findings"]
    (about,) = [each for each in found if each["topic"] == "executor lone"]
    assert (about["state"], about["text"]) == ("ok", "it needs nothing but processes")
