"""``metalab completion``: the scripts complete in the shells they are for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from metalab.cli import main
from metalab.cli.grammar import Argument, Command, Grammar, grammar
from metalab.cli.parser import COMMANDS
from metalab.cli.shells import SHELLS

# What is asked, and what completes it, in a folder with study.py, notes.txt and results/.
QUESTIONS = {
    "run ": ["results/", "study.py"],
    "run st": ["study.py"],
    "plan n": [],
    "st": ["status"],
    "ls --status ": ["cancelled", "failed", "running", "success"],
    "run --on-f": ["--on-failure"],
    "run --store ": ["results/"],
    "doctor r": ["results/"],
    "completion ": ["bash", "fish", "zsh"],
    "--debug pl": ["plan", "plugins"],
    "logs --name ": [],
}


@pytest.fixture
def folder(in_tmp):
    (in_tmp / "study.py").touch()
    (in_tmp / "notes.txt").touch()
    (in_tmp / "results").mkdir()
    (in_tmp / "bin").mkdir()
    # fish completes only commands that it finds.
    (in_tmp / "bin" / "metalab").symlink_to(Path(sys.executable).with_name("metalab"))
    return in_tmp


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_the_command_prints_the_script(shell, capsys):
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out.splitlines() == list(SHELLS[shell](grammar()))


def test_an_unknown_shell_names_those_there_are(capsys):
    assert main(["completion", "powershell"]) == 2
    assert "choose from" in capsys.readouterr().err


def _bash(question):
    """Have bash complete a command line and return what it offers."""
    words = ["metalab", *question.split(" ")]
    asked = " ".join(f"'{word}'" for word in words)
    lines = [
        "source ./script",
        f"COMP_WORDS=({asked})",
        f"COMP_CWORD={len(words) - 1}",
        "_metalab",
        'printf "%s\\n" "${COMPREPLY[@]}"',
    ]
    return _said("bash", "\n".join(lines))


def _fish(question):
    offered = _said("fish", f"source ./script; complete -C 'metalab {question}'")
    # fish puts the files with the suffix first and offers the others as well.
    return [line.split("\t")[0] for line in offered if not line.startswith("notes.txt")]


def _said(shell, lines):
    home = Path.cwd()
    Path("script").write_text("\n".join(SHELLS[shell](grammar())))
    done = subprocess.run(
        [shell, "-c", lines],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HOME": "/nowhere", "PATH": f"{home}/bin:{os.environ['PATH']}"},
    )
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


def _plain(words):
    return sorted(w.removesuffix("/") for w in words if w and w not in {"bin", "bin/", "script"})


# bash is everywhere; the others are asked where they are.
ASKED = {shell: ask for shell, ask in (("bash", _bash), ("fish", _fish)) if shutil.which(shell)}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("shell", ASKED)
def test_a_shell_completes(shell, question, folder):
    assert _plain(ASKED[shell](question)) == _plain(QUESTIONS[question])


@pytest.mark.parametrize("command", COMMANDS)
def test_bash_offers_every_option(command, folder):
    (found,) = (each for each in grammar().commands if each.name == command)
    assert _bash(f"{command} -") == [name for option in found.options for name in option.names]


def test_a_name_with_a_blank_is_one_answer(folder):
    (folder / "my study.py").touch()
    assert _bash("run my") == ["my study.py"]


@pytest.mark.parametrize("shell", [each for each in sorted(SHELLS) if shutil.which(each)])
def test_a_shell_reads_its_script_without_a_complaint(shell, tmp_path):
    script = tmp_path / "script"
    script.write_text("\n".join(SHELLS[shell](grammar())))
    done = subprocess.run([shell, "-n", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_words_that_mean_something_to_a_shell_are_quoted():
    argument = Argument(("--odd",), "it's [odd]: a\\b", "VALUE")
    odd = Grammar((), (Command("do", "it's", (argument,)),))
    assert "'do:it'\\''s'" in "\n".join(SHELLS["zsh"](odd))
    assert "--odd'[it'\\''s \\[odd\\]\\: a\\\\b]:VALUE: '" in "\n".join(SHELLS["zsh"](odd))
    assert r"-l odd -d 'it\'s [odd]: a\\b' -x" in "\n".join(SHELLS["fish"](odd))
