"""Connection strings are taken as people write them, and passwords go nowhere."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given, strategies as st
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from metalab.store import PostgresStore, PostgresStoreConfig, StoreConfig
from metalab_postgres.dsn import Dsn, take_own

STRINGS = [
    "postgresql://me@host:5432/db?sslmode=require&connect_timeout=3",
    "postgres://host/db",
    "postgresql://h1:1,h2:2/db?target_session_attrs=read-write",
    "postgresql://u@[::1]:33/x",
    "postgresql://%2Fvar%2Frun/db",
    "postgresql:///db?host=/tmp&user=x&options=-c%20a%3Db",
    "postgresql:///?service=s&passfile=/p",
    "host='a b' port=5 dbname='it''s' user=me".replace("''", r"\'"),
    "service=s",
    "dbname=d host=h1,h2 port=1,2",
    "port=7",
    "user=me dbname=a/b?c#d",
]
SECRET = "s3cr%t/@:?#&= "


class TestConnectionStrings:
    @pytest.mark.parametrize("text", STRINGS)
    def test_every_option_of_libpq_is_kept(self, text):
        assert conninfo_to_dict(str(Dsn.of(text))) == conninfo_to_dict(text)
        assert conninfo_to_dict(Dsn.of(text).conninfo()) == conninfo_to_dict(text)
        assert Dsn.written(str(Dsn.of(text))) == Dsn.of(text)

    @given(
        st.fixed_dictionaries(
            {},
            optional=dict.fromkeys(
                ["host", "dbname", "user", "options", "sslmode", "application_name"],
                st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1),
            ),
        )
    )
    def test_any_text_in_an_option_comes_back(self, options):
        text = make_conninfo("", **options)
        assert conninfo_to_dict(str(Dsn.of(text))) == options

    @pytest.mark.parametrize(
        "text",
        [
            "postgresql://h/d?sslmode=require&file_root=/a%20b+c&schema=s",
            r"host=h dbname=d file_root = '/a b+c' sslmode=require schema=s",
        ],
    )
    def test_options_of_metalab_are_taken_out(self, text):
        rest, own = take_own(text, ["file_root", "schema"])
        assert own == {"file_root": "/a b+c", "schema": "s"}
        assert conninfo_to_dict(rest) == {"host": "h", "dbname": "d", "sslmode": "require"}

    @pytest.mark.parametrize(
        "text", ["postgresql://h:" + "x" * 5 + "/d?nothing=1", "nothing", "a='b", "nosuch=1"]
    )
    def test_what_libpq_does_not_understand_is_refused_without_repeating_it(self, text):
        with pytest.raises(ValueError, match="connection string") as caught:
            PostgresStoreConfig(f"{text}", "/somewhere")
        assert text not in str(caught.value)


class TestPasswords:
    @pytest.fixture(
        params=[
            f"postgresql://me:{'s3cr%25t%2F%40%3A%3F%23%26%3D%20'}@h:5432/d",
            f"host=h dbname=d user=me password='{SECRET}' sslpassword='{SECRET}'",
            "postgresql://h/d?user=me&password=s3cr%25t%2F%40%3A%3F%23%26%3D%20",
        ]
    )
    def config(self, request, tmp_path):
        return PostgresStoreConfig(request.param, tmp_path)

    def test_they_are_used_to_connect(self, config):
        assert conninfo_to_dict(config.dsn.conninfo())["password"] == SECRET

    def test_they_are_in_nothing_that_is_shown_or_kept(self, config):
        shown = [
            repr(config),
            config.locator,
            config.connection_string,
            repr(config.to_dict()),
            repr(config.dsn),
            str(config.dsn),
            repr(PostgresStore(config)),
            repr(PostgresStore(config).index),
            pickle.dumps(config).decode("latin-1"),
            repr(copy.deepcopy(config)),
        ]
        for text in shown:
            assert "s3cr" not in text

    def test_a_document_that_has_one_is_read_as_any_other_string(self, config):
        told = {**config.to_dict(), "connection_string": f"postgresql://me:{'s3cr'}@h/d"}
        assert "s3cr" not in repr(StoreConfig.from_dict(told))


class TestConfig:
    def test_a_locator_gives_the_configuration_and_the_other_way_round(self, tmp_path):
        text = f"postgres://me@h:1/d?sslmode=require&file_root={tmp_path}&schema=s"
        config = StoreConfig.from_locator(text)
        assert isinstance(config, PostgresStoreConfig)
        assert (config.file_root, config.schema) == (str(tmp_path), "s")
        assert "sslmode=require" in config.locator
        assert StoreConfig.from_locator(config.locator) == config
        assert StoreConfig.from_dict(config.to_dict()) == config
        assert pickle.loads(pickle.dumps(config)) == config

    def test_fields_win_over_the_string(self, tmp_path):
        text = f"postgresql://h/d?file_root={tmp_path}&schema=s"
        assert StoreConfig.from_locator(text, schema="t").schema == "t"

    def test_without_file_root_it_is_refused(self):
        for call in (PostgresStoreConfig, StoreConfig.from_locator):
            with pytest.raises(ValueError, match="file_root"):
                call("postgresql://h/d")

    @pytest.mark.parametrize("name", ["public", "", "pg_x", "x" * 60, "a\0b"])
    def test_schemas_that_cannot_be_its_own_are_refused(self, name, tmp_path):
        with pytest.raises(ValueError, match="schema"):
            PostgresStoreConfig("postgresql://h/d", tmp_path, schema=name)

    def test_options_it_does_not_have_are_refused(self, tmp_path):
        with pytest.raises(ValueError, match="no option colour"):
            PostgresStoreConfig("postgresql://h/d", tmp_path, colour=1)

    def test_a_scope_is_kept(self, tmp_path):
        config = PostgresStoreConfig("postgresql://h/d", tmp_path)
        scoped = config.scoped("e:1")
        assert scoped.is_scoped
        assert scoped.scoped("e:1") is scoped
        with pytest.raises(ValueError, match="already scoped"):
            scoped.scoped("e:2")
        assert config.holds(scoped)
