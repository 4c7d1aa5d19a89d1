"""The script that bash executes before Python does what it says, whatever it is given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from metalab_slurm.config import SlurmConfig
from metalab_slurm.options import directive
from metalab_slurm.script import NO_DIRECTORY, batch_script, log_of

SAY = "import os, sys; print(os.getcwd(), *sys.argv[1:], sep='|')"
TEXT = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), min_size=1)


def script_of(folder, *words, config=None, directory=None, array=1, environment=None):
    return batch_script(
        config or SlurmConfig(),
        name="metalab-a",
        array=array,
        folder=folder,
        command=words or (sys.executable, "-c", SAY),
        directory=directory,
        environment=environment,
    )


def executed(text, cwd, **environment):
    return subprocess.run(
        ["bash", "-s"],
        input=text,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environment},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def directives(text):
    return [line.removeprefix("#SBATCH ") for line in text.splitlines() if line[:8] == "#SBATCH "]


def test_sbatch_is_asked_for_what_the_configuration_says(tmp_path):
    config = SlurmConfig(
        partition="gpu",
        time="2-00",
        cpus=8,
        memory="16G",
        gpus=2,
        max_concurrent=3,
        account="me",
        extra_sbatch={"exclusive": True, "nice": 5, "x": "n[1-2]", "H": None},
    )
    assert directives(script_of(tmp_path, config=config, array=10)) == [
        '"--job-name=metalab-a"',
        '"--array=0-9%3"',
        f'"--output={tmp_path}/out/%A_%a.log"',
        '"--open-mode=append"',
        "--requeue",
        '"--signal=B:USR2@120"',
        '"--time=2-00:00:00"',
        '"--cpus-per-task=8"',
        '"--mem=16384M"',
        '"--gres=gpu:2"',
        '"--partition=gpu"',
        '"--account=me"',
        "--exclusive",
        '"--nice=5"',
        '"-xn[1-2]"',
        "-H",
    ]


@pytest.mark.parametrize(
    ("memory", "wanted"), [("0", ['"--mem=0"']), (None, []), ("1500M", ['"--mem=1500M"'])]
)
def test_memory_may_be_all_of_a_node_or_what_the_site_gives(tmp_path, memory, wanted):
    given = directives(script_of(tmp_path, config=SlurmConfig(memory=memory)))
    assert [line for line in given if "--mem" in line] == wanted


def test_an_array_that_fits_at_once_has_no_limit(tmp_path):
    config = SlurmConfig(max_concurrent=4)
    assert '"--array=0-3"' in directives(script_of(tmp_path, config=config, array=4))


def test_a_value_is_quoted_as_sbatch_reads_it():
    assert directive("comment", 'a "b" \\ #') == '#SBATCH "--comment=a \\"b\\" \\\\ #"'


def test_a_percent_sign_in_a_path_stays_one(tmp_path):
    folder = tmp_path / "50%A"
    assert f'"--output={tmp_path}/50%%A/out/%A_%a.log"' in directives(script_of(folder))
    assert log_of(folder, "17", 3) == folder / "out" / "17_3.log"


@pytest.mark.parametrize("name", ["a\\b", "a\nb"])
def test_a_folder_that_slurm_writes_no_logs_to_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="give the store another place"):
        script_of(tmp_path / name)


def test_a_command_takes_the_scripts_place_in_its_directory(tmp_path):
    place = tmp_path / "a b'c\"$(touch x)é%A;*"
    place.mkdir()
    words = (sys.executable, "-c", SAY, "$HOME", "`x`", "a 'b'")
    done = executed(script_of(tmp_path, *words, directory=str(place)), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{place}|$HOME|`x`|a 'b'\n"
    assert [each.name for each in tmp_path.iterdir()] == [place.name]


@given(TEXT, TEXT)
def test_no_word_and_no_variable_is_changed_on_its_way(word, value):
    words = ("bash", "-c", 'printf "%s|%s|" "$MINE" "$1"', "-", word)
    text = script_of(Path("/folder"), *words, environment={"MINE": value})
    done = subprocess.run(["bash", "-c", text], capture_output=True, timeout=50, check=False)
    assert done.stdout.decode() == f"{value}|{word}|", done.stderr


def test_a_directory_that_is_not_there_ends_the_job_with_words(tmp_path):
    done = executed(script_of(tmp_path, directory="/no/such place"), tmp_path)
    assert done.returncode == NO_DIRECTORY
    assert done.stdout == ""
    assert "metalab: this job ends with exit code 64 at: cd /no/such place" in done.stderr


def test_an_interpreter_that_is_not_there_ends_the_job_with_words(tmp_path):
    done = executed(script_of(tmp_path, "/no/python", "-m", "x"), tmp_path)
    assert done.returncode == 127
    assert "exit code 127 at: /no/python -m x" in done.stderr


def test_lines_of_setup_are_executed_in_order_in_one_shell(tmp_path):
    setup = ["A='x y'", 'export B="$A;"', "cd /", "f() { export C=$1; }; f 3", "true  # comment"]
    words = ("bash", "-c", 'echo "$B$C"; pwd')
    done = executed(script_of(tmp_path, *words, config=SlurmConfig(setup=setup)), tmp_path)
    assert (done.stdout, done.stderr) == ("x y;3\n/\n", "")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("false", 1),
        ("no-such-command --x", 127),
        ("exit 7", 7),
        ("(exit 9)", 9),
        ("echo 'unbalanced", 2),
        ("if true; then", 2),
        ("source /no/such/file", 1),
        ("set -u; echo $NOT_SET", 1),
        ("true && true; false | true; (exit 3)", 3),
    ],
)
def test_a_line_of_setup_that_fails_ends_the_job_with_its_code_and_words(tmp_path, line, code):
    config = SlurmConfig(setup=["true", line, "echo never"])
    done = executed(script_of(tmp_path, config=config), tmp_path)
    assert done.stdout == ""
    assert done.returncode == code
    assert f"metalab: this job ends with exit code {done.returncode} at: {line}\n" in done.stderr


def test_threads_of_libraries_share_the_cpus_of_a_job(tmp_path):
    words = ("bash", "-c", 'echo "$OMP_NUM_THREADS $MKL_NUM_THREADS"')
    config = SlurmConfig(cpus=8, workers_per_pilot=3)
    text = script_of(tmp_path, *words, config=config)
    assert executed(text, tmp_path).stdout == "2 2\n"
    assert executed(text, tmp_path, OMP_NUM_THREADS="5").stdout == "5 2\n"
    crowded = SlurmConfig(cpus=1, workers_per_pilot=4)
    assert executed(script_of(tmp_path, *words, config=crowded), tmp_path).stdout == "1 1\n"


def test_the_environment_is_added_to_what_is_there(tmp_path):
    words = ("bash", "-c", 'echo "$MINE|$THEIRS"')
    text = script_of(tmp_path, *words, environment={"MINE": "a '$(b)'\nc"})
    assert executed(text, tmp_path, THEIRS="kept").stdout == "a '$(b)'\nc|kept\n"


@pytest.mark.parametrize("name", ["", "a b", "1a", "a=b", "ä"])
def test_what_is_no_variables_name_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="is no name of a variable"):
        script_of(tmp_path, environment={name: "x"})


def test_an_early_signal_does_not_end_a_job(tmp_path):
    words = (sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGUSR2))")
    config = SlurmConfig(setup=["kill -USR2 $$"])
    done = executed(script_of(tmp_path, *words, config=config), tmp_path)
    assert done.stdout == f"{signal.SIG_IGN}\n"


MODULE = """\
module() {
  [ "$2" != broken ] || { echo "no module $2" >&2; return 1; }
  export LOADED="$LOADED $1:$2"
}
"""


def test_modules_are_loaded_by_the_sites_own_hook(tmp_path):
    (tmp_path / "init").mkdir()
    (tmp_path / "init" / "bash").write_text(MODULE)
    words = ("bash", "-c", 'echo "$LOADED"')
    config = SlurmConfig(modules=["gcc/12", "a b;c"])
    done = executed(script_of(tmp_path, *words, config=config), tmp_path, MODULESHOME=str(tmp_path))
    assert (done.stdout, done.stderr) == (" load:gcc/12 load:a b;c\n", "")


def test_a_module_that_is_not_there_ends_the_job_with_words(tmp_path):
    config = SlurmConfig(modules=["broken"], setup=["echo never"])
    text = script_of(tmp_path, config=config).replace("set -e", f"set -e\n{MODULE}", 1)
    done = executed(text, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no module broken" in done.stderr
    assert "exit code 1 at: module load broken" in done.stderr


CONDA = """\
#!/bin/sh
[ "$*" = "shell.bash hook" ] || exit 2
echo 'conda() { [ "$2" = there ] || return 4; export CHOSEN="$1:$2"; false; true; }'
"""


def test_a_conda_environment_is_activated_by_condas_own_hook(tmp_path):
    conda = tmp_path / "conda"
    conda.write_text(CONDA)
    conda.chmod(0o755)
    words = ("bash", "-c", 'echo "$CHOSEN"')
    text = script_of(tmp_path, *words, config=SlurmConfig(conda_env="there"))
    assert executed(text, tmp_path, CONDA_EXE=str(conda)).stdout == "activate:there\n"
    text = script_of(tmp_path, *words, config=SlurmConfig(conda_env="no such"))
    done = executed(text, tmp_path, CONDA_EXE=str(conda))
    assert done.returncode == 4
    assert "exit code 4 at: conda activate no such" in done.stderr


def test_conda_that_is_not_there_ends_the_job_with_words(tmp_path):
    text = script_of(tmp_path, config=SlurmConfig(conda_env="base"))
    done = executed(text, tmp_path, CONDA_EXE="/no/conda")
    assert done.returncode == 127
    assert "at: asking conda for its shell hook" in done.stderr


@pytest.mark.parametrize("config", [SlurmConfig(), SlurmConfig(modules="a", conda_env="b")])
def test_bash_reads_every_script(tmp_path, config):
    text = script_of(tmp_path, config=config)
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0


def test_no_hook_is_sought_that_was_not_asked_for(tmp_path):
    text = script_of(tmp_path)
    assert "module " not in text
    assert "conda" not in text
