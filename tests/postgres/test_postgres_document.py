"""What docs/postgres.md and README.md show of an index works on a server."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from core.store_tools import EXPERIMENT, made
from document_tools import FENCE, NEEDS_SERVER, ROOT, blocks, run
from metalab.store import PostgresStore, Query
from metalab_postgres.server import Server
from metalab_postgres.trouble import IndexReadOnly
from port_tools import held_port
from postgres.pg_scratch import scratch
from postgres.pg_server import HASTY, INITDB, programs_by_major

pytestmark = pytest.mark.one_postgres

PAGE = ROOT / "docs" / "postgres.md"
STUDY = "study.py"

# Who executes the statements of a block, by its first line.
ADMINISTRATOR, READER = "metalab", "grace"
WHO = {
    "-- an administrator, in any database": (ADMINISTRATOR, "postgres"),
    "-- an administrator, in lab": (ADMINISTRATOR, "lab"),
    "-- grace, in lab": (READER, "lab"),
}
EXECUTE = """if True:
    import os, sys, psycopg
    dsn, user, dbname, *statements = sys.argv[1:]
    own = {} if user == "metalab" else {"user": user, "passfile": os.environ["PGPASSFILE"]}
    with psycopg.connect(dsn, dbname=dbname, autocommit=True, **own) as connection:
        for statement in statements:
            done = connection.execute(statement)
            print(done.fetchall() if done.description else done.statusmessage)
"""


@pytest.fixture
def home(tmp_path):
    """A folder that the server of root can enter, and that the document takes for home."""
    folder = Path(tempfile.mkdtemp(prefix="home-", dir=scratch()))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def port():
    with held_port() as port:
        yield port


@pytest.fixture
def server(home, port, pg_major, monkeypatch):
    """The server that `metalab postgres start` finds, with a port to reach it as another's."""
    server = Server(home / "server", settings=HASTY, initdb=INITDB)
    served = server.start(port, programs=programs_by_major()[pg_major])
    for name in ("PGPASSWORD", "PGUSER", "PGDATABASE", "PGHOST", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    # Where libpq would look by itself depends on its version and the user.
    monkeypatch.setenv("PGPASSFILE", str(home / ".pgpass"))
    monkeypatch.setenv("PGSERVICEFILE", str(home / ".pg_service.conf"))
    monkeypatch.setenv("PGPORT", str(port))
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "60")
    yield served
    server.stop()


def here(text, home):
    """Return a text with the places that it takes for an example replaced by this machine's."""
    return (
        text.replace("metalab postgres start", f"metalab postgres start {home / 'server'}")
        .replace("/shared/experiments", str(home / "shared"))
        .replace("db.example", "127.0.0.1")
    )


def as_shell(language, body, number, dsn):
    """Return a block of the page as lines for bash."""
    if language == "bash":
        return body
    if language == "sql":
        first, _, rest = body.partition("\n")
        user, database = WHO[first]
        words = [dsn, user, database, *statements_of(rest)]
        return shlex.join([sys.executable, "-c", EXECUTE, *words])
    script = STUDY if number == 0 else f"script_{number}.py"
    saved = f"cat > {script} <<'END_OF_SCRIPT'\n{body}END_OF_SCRIPT"
    return saved if number == 0 else f"{saved}\npython {script}"


class TestPage:
    def test_every_block_works_in_the_order_of_the_text(self, server, home, tmp_path):
        if shutil.which("jq") is None:
            pytest.skip("jq is not installed; apt-get install jq")
        found = [each for each in FENCE.findall(PAGE.read_text()) if each[0] != "text"]
        lines = [
            as_shell(language, here(body, home), number, server.dsn)
            for number, (language, body) in enumerate(found)
        ]
        script = "\n".join(lines)
        said = run(["bash", "-euo", "pipefail", "-s"], tmp_path, stdin=script)
        for block in blocks(PAGE, "text"):
            assert here(block, home) in said, f"it is not printed:\n{block}\n--\n{said}"
        assert (
            "[('failed', 2), ('success', 6)]" in said or "[('success', 6), ('failed', 2)]" in said
        )
        assert "('ValueError', '3 is too far out')" in said
        assert "[('0', True), ('1', True), ('2', True)]" in said

    def test_every_statement_says_who_executes_it(self):
        assert {body.partition("\n")[0] for body in blocks(PAGE, "sql")} == set(WHO)


class TestReadme:
    def test_its_snippets_run_in_a_fresh_process(self, server, home, tmp_path):
        first, *others = blocks(ROOT / "README.md", "python")
        indexed = [each for each in others if NEEDS_SERVER in each]
        execute(server, "postgres", "CREATE ROLE me LOGIN PASSWORD 'mine'")
        execute(server, "postgres", "CREATE DATABASE lab OWNER me")
        (home / ".pgpass").write_text("127.0.0.1:*:lab:me:mine\n")
        (home / ".pgpass").chmod(0o600)
        assert len(indexed) == 2
        (tmp_path / "mvp.py").write_text(here("\n\n".join([first, *indexed]), home))
        said = run([sys.executable, "-W", "error", "mvp.py"], tmp_path)
        assert said.splitlines()[-1] == "[]"
        assert execute(server, "lab", "SELECT count(*) FROM metalab.records") == [(6,)]


class TestRoles:
    """What the page says of those whom it gives rights."""

    @pytest.fixture
    def as_role(self, server, home):
        """Return the store as a role has it; another member of the writers is there as well."""
        for block in blocks(PAGE, "sql")[:2]:
            first, _, rest = block.partition("\n")
            for statement in statements_of(rest):
                execute(server, WHO[first][1], statement)
        execute(server, "lab", "CREATE ROLE emmy LOGIN PASSWORD 'hers' IN ROLE lab_writers")
        execute(server, "lab", "ALTER ROLE emmy IN DATABASE lab SET role = 'lab_writers'")
        passwords = {"ada": "change me", "grace": "change me, too", "emmy": "hers"}
        lines = [f"127.0.0.1:*:lab:{role}:{word}\n" for role, word in passwords.items()]
        (home / ".pgpass").write_text("".join(lines))
        (home / ".pgpass").chmod(0o600)
        return lambda role: PostgresStore(f"postgresql://{role}@127.0.0.1/lab", home / "shared")

    def test_readers_are_answered_and_change_nothing(self, server, as_role, caplog):
        writer, reader = as_role("ada"), as_role("grace")
        writer.make()
        fill(writer, range(3))
        # Nothing is there yet that the reader could ask.
        assert len(reader.scoped(EXPERIMENT).query(Query())) == 3
        assert writer.index.update() > 0
        caplog.clear()
        assert reader.index.status().lag_bytes == 0
        assert reader.verify() == []
        fill(writer, range(3, 5))
        assert len(reader.scoped(EXPERIMENT).query(Query())) == 5
        assert reader.index.status().lag_bytes > 0
        for refused in (reader.index.update, reader.verify, reader.index.rebuild):
            with pytest.raises(IndexReadOnly):
                refused()
        assert caplog.records == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            execute(server, "lab", "DELETE FROM metalab.runs", user=READER)

    def test_writers_look_after_each_others_index(self, server, as_role):
        first, second = as_role("ada"), as_role("emmy")
        first.make()
        fill(first, range(3))
        assert first.index.update() > 0
        fill(first, range(3, 5))
        assert second.index.update() > 0
        assert second.index.rebuild() > 0
        second.index.index_field("metrics", "score")
        assert first.verify() == []
        counted = "SELECT count(*) FROM metalab.records"
        assert execute(server, "lab", counted, user=READER) == [(5,)]


def statements_of(block):
    """Return the statements of a block of SQL."""
    return [each for each in block.split(";\n") if each.strip()]


def execute(server, database, statement, user=ADMINISTRATOR):
    """Execute a statement as a role, and return its rows."""
    own = {} if user == ADMINISTRATOR else {"user": user, "passfile": os.environ["PGPASSFILE"]}
    with psycopg.connect(server.dsn, dbname=database, autocommit=True, **own) as connection:
        done = connection.execute(statement)
        return done.fetchall() if done.description else []


def fill(store, numbers):
    """Have runs in the store."""
    with store.scoped(EXPERIMENT).writer("launch") as writer:
        for number in numbers:
            writer.put(made(number))
