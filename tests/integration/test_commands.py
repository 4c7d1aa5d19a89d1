"""The command line as people use it: real processes, pipes, terminals and signals."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import metalab

METALAB = str(Path(sys.executable).with_name("metalab"))

STUDY = """
import os, time
import metalab

@metalab.operation
def work(params, seeds, capture):
    print("working on", params["x"])
    time.sleep(float(os.environ.get("SLEEP", "0")))
    capture.log(f"x is {params['x']}")
    if params["x"] > LIMIT:
        raise ValueError(f"{params['x']} is too much")
    capture.metric("score", seeds.rng().random() * params["x"])

LIMIT = 2
print("loading")

experiment = metalab.Experiment(
    name="study", version="1", context={}, operation=work,
    params=metalab.grid(x=[0, 1, 2]), seeds=metalab.seeds(base=1),
)

if __name__ == "__main__":
    metalab.run(experiment, progress=False).wait()
"""
FAILING = STUDY.replace("LIMIT = 2", "LIMIT = 0")


@pytest.fixture
def study(in_tmp):
    """The study of the tests in an empty working folder."""
    (in_tmp / "study.py").write_text(STUDY)
    return in_tmp


def command(*words, start=(METALAB,), env=None, **options):
    return subprocess.run(
        [*start, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(env or {})},
        **options,
    )


def summary(*words, env=None):
    """Run an experiment quietly and return its exit code and summary."""
    done = command("run", *words, "--json", "--quiet", env=env)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def ids(store="experiments"):
    return [run.run_id for run in metalab.load_results(store)]


def codes(store="experiments"):
    return {run.provenance.code_hash for run in metalab.load_results(store)}


class TestRun:
    @pytest.mark.parametrize("start", [(METALAB,), (sys.executable, "-m", "metalab")])
    def test_runs_what_is_left_and_says_how_it_ended(self, study, start):
        done = command("run", "study.py", start=start)
        assert done.returncode == 0, done.stderr
        told = done.stdout.splitlines()[-1]
        assert told == f"study:1: 3 runs: 3 done, in {study / 'experiments'}"
        again = command("run", "study.py", start=start).stdout.splitlines()
        assert again == ["loading", f"study:1: 3 runs: 3 done before, in {study / 'experiments'}"]

    def test_a_failed_run_is_1_and_named_with_its_cause(self, study):
        (study / "study.py").write_text(FAILING)
        done = command("run", "study.py")
        assert done.returncode == 1
        *_, counted, one, other = done.stdout.splitlines()
        assert counted.startswith("study:1: 3 runs: 1 done, 2 failed, in ")
        failed = metalab.load_results("experiments").failed
        assert one == f"  1 failed: ValueError: 1 is too much (metalab show {failed[0].run_id[:8]})"
        assert other.endswith(f"(metalab show {failed[1].run_id[:8]})")

    def test_many_causes_are_cut(self, study):
        text = FAILING.replace("[0, 1, 2]", "list(range(9))")
        (study / "study.py").write_text(text)
        done = command("run", "study.py")
        assert done.stdout.splitlines()[-1] == "  and 3 other causes; metalab status lists them"

    def test_ids_and_code_are_those_of_python_and_of_an_import(self, study):
        """The script's own launch, the command and an import find each other's results."""
        assert command("study.py", start=(sys.executable,)).returncode == 0
        by_python = ids()
        done = command("run", "study.py")
        assert (done.returncode, done.stderr) == (0, "")
        assert "3 done before" in done.stdout
        lines = "import study, metalab; metalab.run(study.experiment, 'imported').wait()"
        assert command("-c", lines, start=(sys.executable,)).returncode == 0
        assert by_python == ids("imported")
        codes = {run.record.provenance.code_hash for run in metalab.load_results("imported")}
        assert codes == {
            run.record.provenance.code_hash for run in metalab.load_results("experiments")
        }

    def test_a_file_elsewhere_keeps_its_results_here(self, study, tmp_path):
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        (study / "study.py").rename(folder / "study.py")
        assert command("run", "elsewhere/study.py").returncode == 0
        assert len(ids()) == 3

    def test_store_jobs_and_executor(self, study):
        code, told = summary("study.py", "--store", "results", "-j", "2")
        assert (code, told["completed"], told["store"]) == (0, 3, str(study / "results"))
        assert summary("study.py", "--store", "inline", "--executor", "inline")[0] == 0
        code, _ = summary("study.py", "--store", "thread", "--executor", "thread", "--jobs", "3")
        assert (code, ids("thread")) == (0, ids("results"))

    def test_json_is_all_that_stands_on_standard_output(self, study):
        (study / "study.py").write_text(FAILING)
        done = command("run", "study.py", "--json")
        told = json.loads(done.stdout)
        counts = ("total", "completed", "skipped", "failed", "cancelled", "lost", "pending")
        assert [told[name] for name in counts] == [3, 1, 0, 2, 0, 0, 0]
        assert told["experiment_id"] == "study:1"
        assert [each["cause"] for each in told["failures"]] == [
            "ValueError: 1 is too much",
            "ValueError: 2 is too much",
        ]
        assert "loading" in done.stderr

    def test_quiet_says_nothing_of_its_own(self, study):
        done = command("run", "study.py", "--quiet")
        said = [line for line in done.stdout.splitlines() if not line.startswith("working on")]
        assert (done.returncode, said, done.stderr) == (0, ["loading"], "")

    def test_no_resume_executes_everything_again(self, study):
        summary("study.py")
        assert summary("study.py", "--no-resume")[1]["completed"] == 3

    def test_on_failure_stop_leaves_the_rest(self, study):
        (study / "study.py").write_text(FAILING.replace("[0, 1, 2]", "[5, 0, 1]"))
        code, told = summary("study.py", "--on-failure", "stop")
        assert (code, told["failed"], told["completed"]) == (1, 1, 0)
        code, told = summary("study.py", "--on-failure", "2", "--store", "other")
        assert (code, told["failed"], told["completed"]) == (1, 2, 1)

    def test_changed_code_is_told_in_a_line_and_decided_by_an_option(self, study):
        summary("study.py")
        (study / "study.py").write_text(STUDY.replace("random() *", "random() + 0 *"))
        refused = command("run", "study.py", "--on-code-change", "error", "--quiet")
        assert refused.returncode == 1
        assert refused.stderr.startswith("metalab: error: 3 stored results of study:1 were made by")
        assert summary("study.py", "--on-code-change", "keep")[1]["skipped"] == 3
        warned = command("run", "study.py", "--on-code-change", "warn", "--quiet")
        assert warned.stderr.startswith("metalab: warning: 3 stored results of study:1")
        assert warned.stderr.count("\n") == 1
        asked = command("run", "study.py", "--json", "--quiet")
        assert "metalab: warning: " in asked.stderr
        assert json.loads(asked.stdout)["completed"] == 3

    def test_other_warnings_look_as_python_shows_them(self, study):
        text = STUDY.replace('print("loading")', "import warnings; warnings.warn('mind the gap')")
        (study / "study.py").write_text(text)
        assert "study.py:15: UserWarning: mind the gap" in command("run", "study.py").stderr

    def test_a_launch_at_the_top_level_runs_as_in_an_import(self, study):
        (study / "study.py").write_text(STUDY.replace('if __name__ == "__main__":', "if True:"))
        code, told = summary("study.py")
        assert (code, told["skipped"]) == (0, 3)

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["missing.py"], "there is no file missing.py"),
            (["study.py:none"], "study.py has no 'none' at its top level"),
            (["study.py", "--executor", "treads"], "no metalab.executors plugin is named 'treads'"),
            (["study.py", "--executor", "inline", "-j", "2"], "the inline executor runs one at"),
            (["study.py", "-j", "0"], "'0' is no number of runs; give 1 or more"),
            (["study.py", "--on-failure", "never"], "'never' is no number of runs"),
            (["study.py", "--on-code-change", "never"], "invalid choice: 'never'"),
            ([], "the following arguments are required: FILE[:NAME]"),
        ],
    )
    def test_what_cannot_be_meant_is_2_and_leaves_nothing(self, study, words, told):
        done = command("run", *words)
        assert done.returncode == 2
        last = done.stderr.splitlines()[-1]
        assert last.startswith(("metalab: error: ", "metalab run: error: "))
        assert told in last
        assert not (study / "experiments").exists()

    def test_a_file_that_fails_is_1_with_its_line(self, study):
        (study / "study.py").write_text(STUDY + "\n1 / 0\n")
        done = command("run", "study.py")
        assert done.returncode == 1
        lines = STUDY.count("\n") + 2
        assert (
            done.stderr
            == f"metalab: error: study.py:{lines}: ZeroDivisionError: division by zero\n"
        )


class TestPlan:
    def test_says_what_run_would_do_and_does_nothing(self, study):
        done = command("plan", "study.py")
        assert done.returncode == 0, done.stderr
        assert "study:1: 3 runs in" in done.stdout
        assert "3 to do" in done.stdout
        assert not (study / "experiments").exists()

    def test_json_has_the_counts(self, study):
        (study / "study.py").write_text(FAILING)
        command("run", "study.py", "--store", "results")
        done = command("plan", "study.py", "--store", "results", "--json")
        told = json.loads(done.stdout)
        assert [told[name] for name in ("total", "done", "pending", "failed")] == [3, 1, 2, 2]
        assert told["experiment_id"] == "study:1"


class TestErrors:
    def test_one_line_unless_the_traceback_is_asked_for(self, in_tmp):
        plain = command("ls", "nowhere")
        line = f"metalab: error: there is no store at {in_tmp / 'nowhere'}\n"
        assert (plain.returncode, plain.stdout, plain.stderr) == (1, "", line)
        for words, env in (
            (["--debug", "ls", "nowhere"], {}),
            (["ls", "nowhere", "--debug"], {}),
            (["ls", "nowhere"], {"METALAB_DEBUG": "1"}),
        ):
            full = command(*words, env=env)
            assert full.returncode == 1
            assert full.stderr.startswith("Traceback (most recent call last):")
            assert full.stderr.endswith(line)
        assert command("ls", "nowhere", env={"METALAB_DEBUG": "0"}).stderr == line

    def test_an_error_of_the_system_names_its_file(self, in_tmp):
        (in_tmp / "study.py").mkdir()
        assert command("run", "study.py").stderr == (
            "metalab: error: study.py is a folder; name a python file in it\n"
        )
        (in_tmp / "loop").symlink_to("loop")
        done = command("ls", "loop/loop")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1

    def test_a_text_that_the_terminal_cannot_show_is_no_error(self, study):
        text = STUDY.replace("[0, 1, 2]", "[1]").replace('name="study"', 'name="größe"')
        (study / "study.py").write_text(text)
        assert command("run", "study.py", env={"PYTHONIOENCODING": "ascii"}).returncode == 0
        done = command("ls", env={"PYTHONIOENCODING": "ascii"})
        assert (done.returncode, done.stderr) == (0, "")
        assert "gr\\xf6\\xdfe:1" in done.stdout


class TestPipes:
    @pytest.mark.parametrize("words", [["ls"], ["ls", "--json"], ["--help"], ["completion", "zsh"]])
    def test_a_reader_that_has_gone_is_no_error(self, study, words):
        summary("study.py")
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [METALAB, *words], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (0, "")

    def test_failed_runs_are_1_even_so(self, study):
        (study / "study.py").write_text(FAILING)
        reader, writer = os.pipe()
        os.close(reader)
        words = [METALAB, "run", "study.py", "--json", "--quiet"]
        done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
        os.close(writer)
        assert done.returncode == 1
        assert "Broken" not in done.stderr


class TestTerminal:
    """On a terminal: a table drawn with rich, the first runs of many, and a bar."""

    def test_a_table_is_drawn(self, study):
        summary("study.py")
        code, text = _on_terminal(METALAB, "ls")
        assert code == 0
        assert "─" in text
        assert "study:1" in text
        assert "─" in _on_terminal(METALAB, "plugins")[1]

    def test_without_rich_it_is_plain(self, study):
        summary("study.py")
        lines = "import sys; sys.modules['rich'] = None; from metalab.cli import main; main(['ls'])"
        code, text = _on_terminal(sys.executable, "-c", lines)
        assert code == 0
        assert "study:1" in text
        assert "─" not in text

    def test_of_many_runs_the_first_fifty_are_shown(self, study):
        (study / "study.py").write_text(STUDY.replace("[0, 1, 2]", "[n / 100 for n in range(60)]"))
        summary("study.py")
        _, text = _on_terminal(METALAB, "ls", "-e", "study")
        assert "and 10 more; --limit 0 shows all" in text
        assert len(command("ls", "-e", "study").stdout.splitlines()) == 61

    def test_the_width_of_the_help_is_the_terminals(self, in_tmp):
        _, text = _on_terminal(METALAB, "run", "--help", env={"COLUMNS": "70"})
        assert max(len(line) for line in text.splitlines()) < 70


def _on_terminal(*words, env=None):
    """Run a command on a terminal of its own; its exit code and all that it shows."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        words,
        stdout=child,
        stderr=child,
        stdin=child,
        env={**os.environ, "COLUMNS": "120", "TERM": "xterm", **(env or {})},
    )
    os.close(child)
    shown = b""
    while True:
        try:
            block = os.read(parent, 65536)
        except OSError:  # how Linux says that the other side has gone
            break
        if not block:
            break
        shown += block
    os.close(parent)
    return process.wait(30), shown.decode()


class TestInterrupt:
    def test_ctrl_c_ends_with_130_says_what_is_left_and_can_be_continued(self, study):
        (study / "study.py").write_text(STUDY.replace("[0, 1, 2]", "[n / 100 for n in range(50)]"))
        process = subprocess.Popen(
            [METALAB, "run", "study.py"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "SLEEP": "0.2", "PYTHONUNBUFFERED": "1"},
        )
        for line in process.stdout:
            if line.startswith("working on 0.01"):
                break
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert time.monotonic() - begun < 10
        assert "metalab: stopped; 50 runs: " in err
        assert "Traceback" not in err
        done = len(metalab.load_results("experiments").successful)
        assert 0 < done < 50
        code, told = summary("study.py")
        assert (code, told["skipped"], told["completed"]) == (0, done, 50 - done)

    def test_inline_too(self, study):
        process = subprocess.Popen(
            [METALAB, "run", "study.py", "--executor", "inline", "--quiet"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "SLEEP": "20", "PYTHONUNBUFFERED": "1"},
        )
        for line in process.stdout:
            if line.startswith("working"):
                break
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (130, "")
        assert [run.status for run in metalab.load_results("experiments")] == ["cancelled"]


class TestDoctor:
    def test_a_broken_plugin_is_wrong(self, in_tmp):
        folder = in_tmp / "packages"
        info = folder / "acme-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[metalab.stores]\nbroken = acme_broken\n")
        (folder / "acme_broken.py").write_text("1 / 0\n")
        done = command("doctor", env={"PYTHONPATH": str(folder)})
        assert done.returncode == 1
        (wrong,) = [line for line in done.stdout.splitlines() if line.startswith("wrong")]
        assert wrong.split(maxsplit=2)[1:] == [
            "plugins",
            (
                "acme 1.0 does not load its metalab.stores plugin 'broken' (acme_broken): "
                "ZeroDivisionError: division by zero"
            ),
        ]

    def test_numpy_without_its_plugin_is_noted(self, in_tmp):
        done = command("doctor", "--json", env={"METALAB_DISABLE_PLUGINS": "metalab-numpy"})
        assert done.returncode == 0
        (found,) = [f for f in json.loads(done.stdout)["findings"] if f["topic"] == "numpy"]
        assert found["state"] == "note"
        assert "pip install 'metalab[numpy]'" in found["text"]

    def test_source_that_is_not_installed_is_wrong_and_says_what_to_install(self, in_tmp):
        source = Path(metalab.__file__).parent.parent
        lines = f"""
            import sys
            import attrs, cattrs, msgspec, pluggy
            sys.path[:] = [p for p in sys.path if "site-packages" not in p and "metalab-" not in p]
            sys.path.append({str(source)!r})
            from metalab.cli import main
            sys.exit(main(["doctor"]))
        """
        done = command("-c", textwrap.dedent(lines), start=(sys.executable,))
        assert done.returncode == 1, done.stderr
        wrong = [line for line in done.stdout.splitlines() if line.startswith("wrong")]
        assert any("source that is not installed" in line for line in wrong)
        notes = [line.split(maxsplit=2) for line in done.stdout.splitlines() if "note" in line]
        assert [
            "note",
            "pandas",
            "not installed: no data frames; pip install 'metalab[pandas]'",
        ] in notes
