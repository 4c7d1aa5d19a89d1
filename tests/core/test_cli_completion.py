"""``metalab completion``: the scripts complete in the shells they are for."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from metalab.cli import main
from metalab.cli.grammar import Argument, Command, Grammar, grammar
from metalab.cli.parser import COMMANDS
from metalab.cli.shells import SHELLS

# What is asked, and what completes it, in a folder of results/ and FILES.
FILES = ("notes.txt", "page.html", "study.py")
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
    "re": ["report", "retry"],
    "dif": ["diff"],
    "diff --other-store r": ["results/"],
    "report --mod": ["--mode"],
    "report --mode ": ["max", "min"],
    "report -o ": ["page.html", "results/"],
    "ls --cs": ["--csv"],
    "status --csv r": ["results/"],
    "show --prov": ["--provenance"],
    "show --diff --sto": ["--store"],
    "export r": ["results/"],
}


@pytest.fixture
def folder(in_tmp):
    for name in FILES:
        (in_tmp / name).touch()
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
    return _meant((line.split("\t")[0] for line in offered), question)


def _meant(offered, question):
    # fish puts the files with a suffix first and offers the others as well, zsh where none has it.
    others = set(FILES).difference(QUESTIONS[question])
    return [word for word in offered if word not in others]


# zsh completes only what somebody types: a key asks, and what is offered goes into a file.
_ZSH = """
autoload -Uz compinit; compinit -D -u; source ./script
compadd() {
    local -a found
    if (( ! ${@[(I)-[OAD]*]} )); then
        builtin compadd -O found "$@"
        print -rl -- $found >> ./offered
    fi
    builtin compadd "$@"
}
ask() { BUFFER="metalab $QUESTION"; CURSOR=$#BUFFER; zle complete-word; exit }
zle -N ask; bindkey '^X' ask; print READY$((1 + 1))
"""


def _zsh(question):
    Path("script").write_text("\n".join(SHELLS["zsh"](grammar())))
    Path("asking").write_text(_ZSH)
    environ = {**os.environ, "TERM": "xterm", "HOME": "/nowhere", "QUESTION": question}
    leader, follower = pty.openpty()
    zsh = subprocess.Popen(
        ["zsh", "-f", "-i"], stdin=follower, stdout=follower, stderr=follower, env=environ
    )
    os.close(follower)
    os.write(leader, b"source ./asking\n")
    said = b""
    with suppress(OSError):  # how Linux tells that the other side is closed
        while part := os.read(leader, 65_536):
            if b"READY2" in (said := said + part):
                os.write(leader, b"\x18")
                said = b""
    zsh.wait(timeout=30)
    os.close(leader)
    offered = Path("offered")
    words = set(offered.read_text().split("\n")) if offered.exists() else set()
    return _meant(words - {"asking"}, question)


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
ASKING = {"bash": _bash, "fish": _fish, "zsh": _zsh}
ASKED = {shell: ask for shell, ask in ASKING.items() if shutil.which(shell)}


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
