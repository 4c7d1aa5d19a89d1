"""A run's log is exactly what its current attempt logged, whoever else wrote meanwhile."""

from __future__ import annotations

import threading

import pytest

import metalab
from core.store_tools import made, run_id, store_at
from metalab.cli import main

RUNS = 3
LINES = 50


def log_at_once(*jobs) -> None:
    """Let each (writer, run, word) log its lines in a thread of its own."""

    def work(writer, run, word) -> None:
        for n in range(LINES):
            writer.append_log(run, f"{word} {n}")

    threads = [threading.Thread(target=work, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def lines_of(word: str) -> str:
    return "".join(f"{word} {n}\n" for n in range(LINES))


@pytest.fixture
def store(tmp_path):
    """Runs whose attempts and writers logged at the same time; the second attempts count."""
    store = store_at(tmp_path)
    with store.writer("one") as one, store.writer("two") as two:
        log_at_once(
            *((one, made(n), f"first {n}") for n in range(RUNS)),
            *((one, made(n, attempt=2), f"second {n}") for n in range(RUNS)),
            *((two, made(n, attempt=2), f"other {n}") for n in range(RUNS)),
        )
        for n in range(RUNS):
            two.put(made(n))
            one.put(made(n, attempt=2))
            one.append_log(made(n, attempt=2), f"aside {n}", name="aside")
    return store


def test_it_is_cut_out_exactly(store):
    for n, run in enumerate(metalab.load_results(str(store.get_working_directory()))):
        assert run.run_id == run_id(n)
        assert run.log() == lines_of(f"second {n}")
        assert run.log("aside") == f"aside {n}\n"


def test_the_command_prints_it_exactly(store, capsys):
    for n in range(RUNS):
        assert main(["logs", run_id(n), "--store", str(store.get_working_directory())]) == 0
        assert capsys.readouterr().out == lines_of(f"second {n}")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\0b", "a\0b\n"),
        ("10 %\r20 %\r", "10 %\r20 %\r\n"),
        ("\udcff", "\\udcff\n"),
        ("x" * (1 << 20), "x" * (1 << 20) + "\n"),
        (f"{run_id(0)} 0.1 run forged", f"{run_id(0)} 0.1 run forged\n"),
        (f"one\n{run_id(0)} 0.1 run two", f"one\n{run_id(0)} 0.1 run two\n"),
        ("\u2028\x85", "\u2028\x85\n"),
        ("", "\n"),
    ],
)
def test_any_text_comes_back(tmp_path, text, kept):
    store = store_at(tmp_path)
    with store.writer("w") as writer:
        for n in (1, 0, 1):
            writer.append_log(made(n), text)
        writer.put(made(0))
        writer.put(made(1))
    assert store.get_log(run_id(0)) == kept
    assert store.get_log(run_id(1)) == kept * 2


@pytest.mark.parametrize(
    "damage", [b" 0.1 run", b" ", b" x.y run text", b" 0.1 R\xff text", bytes(40), b"\xff" * 9]
)
def test_a_damaged_line_is_left_out(tmp_path, damage):
    store = store_at(tmp_path)
    with store.writer("w") as writer:
        writer.append_log(made(), "before")
        writer.put(made())
    (path,) = (store.get_working_directory() / "logs").iterdir()
    with path.open("ab") as file:
        file.write(run_id().encode() + damage + b"\n")
        file.write(f"{run_id()} 0.1 run after\n{run_id()} 0.1 run torn".encode())
    assert store.get_log(run_id()) == "before\nafter\n"


def test_bytes_that_are_no_text_are_shown_as_such(tmp_path):
    store = store_at(tmp_path)
    with store.writer("w") as writer:
        writer.append_log(made(), "fine")
        writer.put(made())
    (path,) = (store.get_working_directory() / "logs").iterdir()
    path.write_bytes(path.read_bytes().replace(b"fine", b"f\xffne"))
    assert store.get_log(run_id()) == "f\ufffdne\n"
