"""``metalab postgres`` as people use it, as root and as an ordinary user."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from itertools import count
from pathlib import Path

import psycopg
import pytest

from metalab.cli import main
from metalab_postgres.account import Account, within_reach
from metalab_postgres.programs import choose_programs
from metalab_postgres.server import Server
from postgres.pg_scratch import scratch

_numbers = count()

# All is imported and read before the process becomes the user, who may not reach the interpreter.
AS_USER = """if True:
    import os, runpy, sys, psycopg, metalab.plugins
    from metalab.cli import main, text, usage
    from metalab_postgres import command, plugin
    metalab.plugins.read_metadata()
    uid, gid, *words = sys.argv[1:]
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    sys.exit(main(words))
"""


@pytest.fixture(params=["root", "user"])
def user(request):
    """Who gives the commands: root, and somebody else whom root can become."""
    own = os.geteuid()
    if own != 0:
        if request.param == "root":
            pytest.skip("only root is root")
        return pwd.getpwuid(own)
    return pwd.getpwnam("root" if request.param == "root" else "nobody")


@pytest.fixture
def place(user, pg_major):
    """A folder that does not exist yet, inside one that is the user's."""
    home = scratch() / f"home-{os.getpid()}-{next(_numbers)}"
    home.mkdir(mode=0o711)
    os.chown(home, user.pw_uid, user.pw_gid)
    path = home / "mein größter Index"
    yield path
    Server(path).stop()


@pytest.fixture
def give(user, pg_major, place):
    """Give a command as the user; return its exit code, output and error stream."""
    account = Account(user.pw_name, user.pw_uid, user.pw_gid)
    programs = within_reach(choose_programs(pg_major), account, place.parent)

    def run(*words):
        # What measures subprocesses writes where the user may not.
        kept = {name: text for name, text in os.environ.items() if "COVERAGE" not in name}
        environment = kept if account.is_other else os.environ
        done = subprocess.run(
            [sys.executable, "-c", AS_USER, str(user.pw_uid), str(user.pw_gid), "postgres", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env={**environment, "METALAB_POSTGRES_BIN": str(programs.folder), "HOME": "/tmp"},
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_a_server_is_started_found_and_stopped(give, place, user):
    assert give("status", place) == (1, f"no server runs in {place}\n", "")
    code, locator, told = give("start", place, "--file-root", "/somewhere else")
    assert code == 0, told
    assert locator.startswith("postgresql://metalab@/metalab?host=/")
    assert locator.endswith("&file_root=/somewhere%20else\n")
    assert f" runs in {place} (process " in told
    assert give("start", place, "--file-root", "/somewhere else") == (0, locator, told)

    code, document, told = give("status", place, "--json")
    assert (code, told) == (0, "")
    status = json.loads(document)
    assert (status["running"], status["place"], status["port"]) == (True, str(place), None)
    assert status["locator"] == f"{status['dsn']}&file_root=/experiments"
    assert Path(f"/proc/{status['pid']}").stat().st_uid != 0

    kept = place / "pgpass"
    assert (kept.stat().st_mode & 0o777, kept.stat().st_uid) == (0o600, user.pw_uid)
    password = kept.read_text().split(":")[-1].strip()
    assert password not in locator + document + Path(status["log"]).read_text()
    with psycopg.connect(status["dsn"]) as connection:
        assert connection.execute("select current_user").fetchone() == ("metalab",)

    assert give("stop", place) == (0, f"stopped the server in {place}\n", "")
    if os.geteuid() == 0:  # whoever root helps keeps what is theirs
        Server(place).start()
        assert kept.stat().st_uid == user.pw_uid
        Server(place).stop()
    assert give("stop", place) == (0, f"no server runs in {place}\n", "")
    assert give("status", place, "--json")[0] == 1


@pytest.mark.one_postgres
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has what others may not touch")
@pytest.mark.parametrize("user", ["user"], indirect=True)
def test_the_server_of_another_user_is_out_of_reach(give, place):
    place.parent.chmod(0o755)
    os.chown(place.parent, 0, 0)
    served = Server(place, initdb=("--no-sync", "--wal-segsize=1")).start()
    for action in ("start", "stop", "status"):
        code, said, told = give(action, place)
        assert (code, said) == (1, "")
        assert told.startswith("metalab: error: ")
        assert told.endswith(": Permission denied\n") or "belongs to" in told
    assert Server(place).status() == served


class TestWords:
    @pytest.mark.parametrize("port", ["0", "65536"])
    def test_a_port_that_is_none_is_refused(self, port, tmp_path, capsys):
        assert main(["postgres", "start", str(tmp_path / "new"), "--port", port]) == 2
        assert "a number from 1 to 65535" in capsys.readouterr().err
        assert not (tmp_path / "new").exists()

    def test_a_port_is_for_a_start(self, tmp_path, capsys):
        assert main(["postgres", "stop", str(tmp_path), "--port", "5432"]) == 2
        assert "--port is for start" in capsys.readouterr().err

    def test_other_actions_are_refused(self, capsys):
        assert main(["postgres", "restart"]) == 2
        assert "choose from" in capsys.readouterr().err

    def test_help_says_where_the_server_would_be(self, capsys, monkeypatch):
        monkeypatch.setenv("XDG_DATA_HOME", "/data/100%")
        assert main(["postgres", "--help"]) == 0
        expected = "/var/lib/metalab/postgres" if os.geteuid() == 0 else "/data/100%/metalab"
        assert expected in "".join(capsys.readouterr().out.split())
