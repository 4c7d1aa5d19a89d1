"""Where a file store lies, what it makes and when, and what it says when it cannot."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import types
import unicodedata

import attrs
import pytest

import metalab.store
from core.store_tools import EXPERIMENT, made, run_id, store_at
from metalab.errors import MissingExtraError, StoreError, StoreNotFoundError
from metalab.plugins import STORES
from metalab.store import (
    DEFAULT_STORE_ROOT,
    FileStore,
    FileStoreConfig,
    LocatorInfo,
    Store,
    StoreConfig,
    create_store,
    parse_locator,
    parse_to_config,
)
from metalab.store.file import disk
from metalab.store.file.layout import Collection
from metalab.testing.faults import Faulty


def tree(path) -> list[str]:
    return sorted(str(each.relative_to(path)) for each in path.rglob("*"))


class TestMaking:
    def test_connecting_makes_the_folder_its_marker_and_a_page_for_people(self, tmp_path):
        FileStoreConfig(tmp_path / "a" / "b").connect()
        assert tree(tmp_path) == ["a", "a/b", "a/b/README.txt", "a/b/metalab-store.json"]
        marker = json.loads((tmp_path / "a/b/metalab-store.json").read_text())
        assert (marker["format"], marker["min_reader"], len(marker["store_id"])) == (1, 1, 32)

    def test_connecting_again_changes_nothing(self, tmp_path):
        FileStoreConfig(tmp_path).connect()
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        FileStoreConfig(tmp_path).connect()
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before

    def test_of_many_that_make_a_store_the_first_wins(self, tmp_path):
        root = tmp_path / "store"
        threads = [threading.Thread(target=FileStoreConfig(root).connect) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert tree(root) == ["README.txt", "metalab-store.json"]

    def test_reading_makes_nothing(self, tmp_path):
        store = FileStore(tmp_path / "store").scoped(EXPERIMENT)
        assert store.list_run_records() == []
        assert store.manifests() == {}
        assert store.launches() == {}
        assert store.get_log(run_id()) is None
        assert store.list_experiments() == []
        assert FileStoreConfig(tmp_path / "store").list_experiments() == []
        assert tree(tmp_path) == []

    def test_scoping_makes_nothing_and_folders_come_with_what_is_put_into_them(self, tmp_path):
        store = store_at(tmp_path)
        marker = ["README.txt", "metalab-store.json"]
        assert tree(tmp_path) == marker
        with store.writer("k3f9a1") as writer:
            assert tree(tmp_path) == marker
            writer.put(made())
        assert tree(tmp_path) == [
            *marker,
            "my_exp_1.0",
            "my_exp_1.0/experiment.json",
            "my_exp_1.0/runs",
            f"my_exp_1.0/runs/{writer.name}.jsonl",
        ]

    def test_a_store_that_was_never_connected_is_made_by_the_first_put(self, tmp_path):
        FileStore(tmp_path / "store").scoped(EXPERIMENT).put_run_record(made())
        assert FileStoreConfig(tmp_path / "store").open().list_experiments() == [EXPERIMENT]

    def test_the_experiment_s_file_says_what_it_is(self, tmp_path):
        store_at(tmp_path).put_run_record(made())
        document = json.loads((tmp_path / "my_exp_1.0" / "experiment.json").read_text())
        assert document == {"format": 1, "id": EXPERIMENT, "name": "my_exp", "version": "1.0"}

    def test_no_temporary_file_is_left(self, tmp_path):
        store = store_at(tmp_path)
        store.put_manifest({"a": 1})
        store.put_launch("x", {})
        with store.writer("w") as writer:
            writer.put_artifact(made(), "big", b"x" * 300_000, extension="bin")
        assert not [name for name in tree(tmp_path) if ".tmp" in name]

    def test_a_file_system_without_hard_links_will_do(self, tmp_path, monkeypatch):
        def link(*_):
            raise PermissionError(1, "not here")

        monkeypatch.setattr(os, "link", link)
        store_at(tmp_path).put_run_record(made())
        FileStoreConfig(tmp_path).connect()
        monkeypatch.delattr(os, "link")
        store_at(tmp_path / "other").put_run_record(made())
        assert store_at(tmp_path).list_run_records() == [made()]
        assert (tmp_path / "other" / "metalab-store.json").exists()

    def test_a_marker_made_meanwhile_without_hard_links_wins(self, tmp_path, monkeypatch):
        def link(_, path):
            path.write_bytes(b"theirs")
            raise PermissionError(1, "not here")

        monkeypatch.setattr(os, "link", link)
        assert not disk.publish(tmp_path / "x", b"ours")
        assert (tmp_path / "x").read_bytes() == b"theirs"


class TestExperimentFolders:
    @pytest.mark.parametrize(
        "experiment_id",
        ["../escaped:1", "/abs:1", "a_b:c", "a:b_c", "Model:1", "é:1", "con:1", "x" * 300 + ":1"],
    )
    def test_any_id_keeps_its_runs_below_the_root_and_is_listed_again(
        self, tmp_path, experiment_id
    ):
        root = tmp_path / "deep" / "store"
        store = FileStoreConfig(root).connect().scoped(experiment_id)
        store.put_run_record(made())
        assert store.get_working_directory().parent == root
        assert store.list_experiments() == [experiment_id]
        assert tree(tmp_path / "deep") == sorted(
            ["store", *(f"store/{each}" for each in tree(root))]
        )

    def test_alike_ids_do_not_meet(self, tmp_path):
        ids = ["a_b:c", "a:b_c", "M:1", "m:1", "é:1", unicodedata.normalize("NFD", "é") + ":1"]
        for number, each in enumerate(ids):
            store_at(tmp_path)  # the collection
            FileStoreConfig(tmp_path).for_experiment(each).put_run_record(made(number))
        assert FileStoreConfig(tmp_path).list_experiments() == sorted(ids)
        for number, each in enumerate(ids):
            (record,) = FileStoreConfig(tmp_path).for_experiment(each).list_run_records()
            assert record == made(number)

    def test_what_is_no_id_is_refused_before_anything_is_made(self, tmp_path):
        with pytest.raises(ValueError, match="'plain' is no experiment id; write name:version"):
            FileStore(tmp_path / "store").scoped("plain")
        assert tree(tmp_path) == []

    def test_a_folder_of_another_experiment_is_refused(self, tmp_path):
        store_at(tmp_path).put_run_record(made())
        (tmp_path / "my_exp_1.0").rename(tmp_path / "other_1")
        with pytest.raises(StoreError, match=r"holds the experiment 'my_exp:1\.0', not 'other:1'"):
            FileStoreConfig(tmp_path).scoped("other:1").connect()

    def test_a_damaged_experiment_file_is_read_off_the_folder_s_name(self, tmp_path):
        store_at(tmp_path).put_run_record(made())
        (tmp_path / "my_exp_1.0" / "experiment.json").write_bytes(b"")
        assert FileStoreConfig(tmp_path).list_experiments() == [EXPERIMENT]
        (tmp_path / "my_exp_1.0" / "experiment.json").write_bytes(b"[]")
        assert FileStoreConfig(tmp_path).open().list_experiments() == [EXPERIMENT]

    @pytest.mark.parametrize("content", [b"", b"{}", b'{"id": 5}'])
    def test_a_damaged_file_in_a_renamed_folder_is_an_error_that_names_it(self, tmp_path, content):
        store_at(tmp_path).put_run_record(made())
        (tmp_path / "my_exp_1.0").rename(tmp_path / "renamed")
        (tmp_path / "renamed" / "experiment.json").write_bytes(content)
        with pytest.raises(StoreError, match=r"renamed/experiment\.json names no experiment"):
            FileStoreConfig(tmp_path).list_experiments()


class TestAnExperimentsOwnFolder:
    @pytest.fixture
    def folder(self, tmp_path):
        store_at(tmp_path / "store").put_run_record(made())
        return tmp_path / "store" / "my_exp_1.0"

    @pytest.mark.parametrize("open_with", ["open", "connect"])
    def test_it_is_the_scoped_store_of_the_collection_above(self, folder, open_with):
        store = getattr(FileStoreConfig(folder), open_with)()
        assert store.experiment_id == EXPERIMENT
        assert store.root == folder.parent
        assert store.config == FileStoreConfig(folder.parent, EXPERIMENT)
        assert store.list_run_records() == [made()]

    def test_it_may_be_asked_for_by_its_id(self, folder):
        assert FileStoreConfig(folder).scoped(EXPERIMENT).open().root == folder.parent

    def test_another_id_is_refused(self, folder):
        with pytest.raises(ValueError, match=r"already scoped to 'my_exp:1\.0'"):
            FileStoreConfig(folder).scoped("other:1").open()

    def test_it_may_be_copied_away_and_renamed(self, folder, tmp_path):
        shutil.copytree(folder, tmp_path / "mine")
        store = FileStoreConfig(tmp_path / "mine").open()
        assert store.list_run_records() == [made()]
        assert store.list_experiments() == [EXPERIMENT]
        store.put_run_record(made(1))
        store.close()
        again = store.config.connect()
        assert len(again.list_run_records()) == 2
        assert store.get_working_directory() == tmp_path / "mine"


class TestWhatIsRefused:
    def test_a_place_where_nothing_is_names_it(self, tmp_path):
        with pytest.raises(StoreNotFoundError, match=f"there is no store at {tmp_path}/none"):
            FileStoreConfig(tmp_path / "none").open()

    def test_a_folder_that_is_no_store_says_so(self, tmp_path):
        with pytest.raises(StoreNotFoundError, match=r"is no store: it has no metalab-store\.json"):
            FileStoreConfig(tmp_path).open()
        assert tree(tmp_path) == []

    def test_an_experiment_that_is_not_there_names_those_that_are(self, tmp_path):
        store_at(tmp_path).put_run_record(made())
        with pytest.raises(
            StoreNotFoundError, match=r"no experiment 'b:1' in .*there: my_exp:1\.0"
        ):
            FileStoreConfig(tmp_path, "b:1").open()

    def test_a_copy_without_its_marker_is_a_store(self, tmp_path):
        store_at(tmp_path).put_run_record(made())
        (tmp_path / "metalab-store.json").unlink()
        assert FileStoreConfig(tmp_path).open().list_experiments() == [EXPERIMENT]

    @pytest.mark.parametrize("use", ["open", "connect"])
    def test_a_file_in_the_folder_s_place_is_said_to_be_one(self, tmp_path, use):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(StoreError, match="file is a file"):
            getattr(FileStoreConfig(tmp_path / "file"), use)()
        if use == "connect":
            with pytest.raises(StoreError, match=r"file is a file; .* cannot be made below it"):
                FileStoreConfig(tmp_path / "file" / "store").connect()
        assert (tmp_path / "file").read_text() == "mine"

    @pytest.mark.parametrize("use", ["open", "connect"])
    @pytest.mark.parametrize(
        "marker", [{"format": 2, "min_reader": 2}, {"format": 9}, {"format": "x"}]
    )
    def test_a_newer_format_is_refused_before_any_run(self, tmp_path, use, marker):
        (tmp_path / "metalab-store.json").write_text(json.dumps(marker))
        with pytest.raises(StoreError, match="reads formats up to 1: upgrade it"):
            getattr(FileStoreConfig(tmp_path), use)()

    def test_a_newer_format_is_not_written_to_by_a_store_never_connected(self, tmp_path):
        (tmp_path / "metalab-store.json").write_text('{"format": 2, "min_reader": 2}')
        with pytest.raises(StoreError, match="upgrade it"):
            FileStore(tmp_path).scoped(EXPERIMENT).put_manifest({})

    def test_a_newer_format_that_old_readers_understand_is_read(self, tmp_path):
        store_at(tmp_path).put_run_record(made())
        (tmp_path / "metalab-store.json").write_text('{"format": 2, "min_reader": 1}')
        assert FileStoreConfig(tmp_path).open().list_experiments() == [EXPERIMENT]

    @pytest.mark.parametrize("content", ["", "{", "[]", "\x00\x00"])
    def test_a_damaged_marker_is_named(self, tmp_path, content):
        (tmp_path / "metalab-store.json").write_text(content)
        with pytest.raises(StoreError, match=r"metalab-store\.json is damaged"):
            FileStoreConfig(tmp_path).connect()

    def test_a_folder_that_cannot_be_written_to_is_refused_before_any_run(self, public_path):
        """As another user, since nothing is forbidden to root."""
        store_at(public_path / "store").put_run_record(made())
        script = f"""if True:
            import os, sys
            from metalab.errors import StoreError
            from metalab.store import FileStore, FileStoreConfig
            import metalab.store.file.store
            from core.store_tools import made
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            root = {str(public_path / "store")!r}
            for use in (
                FileStoreConfig(root).connect,
                FileStoreConfig(root, "my_exp:1.0").connect,
                FileStoreConfig(root + "/new").connect,
                lambda: FileStore(root).scoped("b:1").put_manifest({{}}),
                lambda: FileStore(root).scoped("b:1").put_run_record(made()),
            ):
                try:
                    use()
                except StoreError as error:
                    assert "permission" in str(error), error
                else:
                    sys.exit("it was written to")
            assert FileStoreConfig(root, "my_exp:1.0").open().list_run_records() == [made()]
        """
        if os.getuid() != 0:
            (public_path / "store").chmod(0o500)
        # Another user cannot write what measures coverage, either.
        unmeasured = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**unmeasured, "PYTHONPATH": "tests", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")

    def test_a_disk_that_takes_no_store_says_so(self, tmp_path, monkeypatch):
        full = Faulty(disk.make_directory, range(1, 9), errno.ENOSPC)
        monkeypatch.setattr(disk, "make_directory", full)
        with pytest.raises(
            StoreError, match=r"no store can be made at .*: No space left on device"
        ):
            FileStoreConfig(tmp_path / "store").connect()
        monkeypatch.undo()
        store = store_at(tmp_path / "store")
        monkeypatch.setattr(disk, "publish", Faulty(disk.publish, range(1, 9), errno.EDQUOT))
        with pytest.raises(
            StoreError, match=r"cannot be written: .*quota.*free some of your quota"
        ):
            store.put_manifest({})

    def test_a_folder_that_cannot_be_read_is_an_error_in_words(self, tmp_path, monkeypatch):
        store = store_at(tmp_path)
        monkeypatch.setattr(disk, "names", Faulty(disk.names, [1], errno.EIO))
        with pytest.raises(StoreError, match=r"runs cannot be read: Input/output error"):
            store.read()

    def test_an_experiment_folder_that_is_a_file_is_refused(self, tmp_path):
        FileStoreConfig(tmp_path).connect()
        (tmp_path / "my_exp_1.0").write_text("mine")
        with pytest.raises(StoreError, match=r"my_exp_1\.0 cannot be written to"):
            FileStoreConfig(tmp_path, EXPERIMENT).connect()
        with pytest.raises(StoreError, match="a file stands where a folder is needed"):
            FileStore(tmp_path).scoped(EXPERIMENT).put_manifest({})

    def test_a_manifest_that_is_no_json_is_refused(self, tmp_path):
        for bad in ({"a": {1, 2}}, {"a": float("nan")}):
            with pytest.raises(TypeError, match="the manifest is not strict JSON"):
                store_at(tmp_path).put_manifest(bad)
        assert tree(tmp_path) == ["README.txt", "metalab-store.json"]

    def test_a_damaged_manifest_is_named(self, tmp_path):
        store = store_at(tmp_path)
        name = store.put_manifest({"a": 1})
        (store.get_working_directory() / "manifests" / f"{name}.json").write_text("{")
        with pytest.raises(StoreError, match=f"{name}.json is damaged"):
            store.manifests()


class TestConfiguration:
    def test_the_root_is_absolute_and_a_tilde_is_home(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        assert FileStoreConfig("x").root == str(tmp_path / "x")
        assert FileStoreConfig(tmp_path / "x").root == str(tmp_path / "x")
        assert FileStoreConfig("~/x").root == str(tmp_path / "home" / "x")
        assert FileStoreConfig(f"file://{tmp_path}/x").root == str(tmp_path / "x")

    def test_another_scheme_s_locator_is_no_root(self):
        with pytest.raises(ValueError, match="is no folder"):
            FileStoreConfig("postgresql://localhost/db")

    def test_it_goes_to_a_dictionary_and_back(self, tmp_path):
        config = FileStoreConfig(tmp_path, EXPERIMENT, commit_interval=1, durability="os")
        document = json.loads(json.dumps(config.to_dict()))
        assert document["_type"] == "file"
        assert StoreConfig.from_dict(document) == config

    def test_a_field_that_does_not_pickle_is_named(self):
        @attrs.frozen
        class Config(FileStoreConfig):
            lock: object = attrs.field(factory=threading.Lock)

        with pytest.raises(TypeError, match=r"Config cannot be sent .*: its field 'lock' does not"):
            Config("/x").pickled()

    def test_what_is_wrong_as_a_whole_does_not_pickle_either(self):
        @attrs.frozen
        class Config(FileStoreConfig): ...

        with pytest.raises(TypeError, match=r"Config cannot be sent to other processes: .*local"):
            Config("/x").pickled()

    @pytest.mark.parametrize(
        ("document", "text"),
        [
            ({}, "Missing _type"),
            ({"_type": "nosuch"}, "Unknown config type: nosuch; .*the name of its entry point"),
            ({"_type": "file", "root": "/x", "colour": 1}, "a file store has no option colour"),
        ],
    )
    def test_what_is_no_configuration_is_refused(self, document, text):
        with pytest.raises(ValueError, match=text):
            StoreConfig.from_dict(document)

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"commit_interval": -1}, "commit_interval=-1: give seconds, 0 or more"),
            ({"commit_interval": "fast"}, "commit_interval='fast'"),
            ({"store_timeout": -5}, "store_timeout=-5"),
            ({"durability": "maybe"}, "durability"),
            ({"experiment_id": "plain"}, "write name:version"),
        ],
    )
    def test_bad_options_are_refused(self, tmp_path, options, text):
        with pytest.raises(ValueError, match=text):
            FileStoreConfig(tmp_path, **options)

    def test_a_path_is_a_locator(self, tmp_path):
        assert parse_to_config(tmp_path) == FileStoreConfig(tmp_path)
        assert StoreConfig.from_locator(str(tmp_path)) == FileStoreConfig(tmp_path)

    def test_a_locator_s_options_are_read_and_fields_win(self, tmp_path):
        locator = f"file://{tmp_path}/a%20b?commit_interval=0.5&durability=os&experiment_id=a:1"
        config = parse_to_config(locator, durability="disk")
        assert config == FileStoreConfig(tmp_path / "a b", "a:1", commit_interval=0.5)
        assert parse_to_config(locator, root="/x").root == "/x"

    def test_unknown_options_of_a_locator_are_refused(self, tmp_path):
        with pytest.raises(ValueError, match=r"no option colour; it has root, experiment_id"):
            parse_to_config(f"file://{tmp_path}?colour=red")

    def test_an_unknown_scheme_says_what_is_installed(self):
        with pytest.raises(
            ValueError, match=r"Unknown store scheme: s3; no metalab.stores plugin .*file"
        ):
            parse_to_config("s3://bucket")

    def test_a_plugin_that_declines_is_named(self, tmp_path, monkeypatch):
        hooks = types.SimpleNamespace(
            metalab_store_config=lambda **_: None, metalab_store_config_from_dict=lambda **_: None
        )
        monkeypatch.setitem(STORES._loaded, "file", hooks)
        with pytest.raises(ValueError, match="the file plugin declines the locator"):
            parse_to_config(tmp_path)
        with pytest.raises(ValueError, match="the file plugin declines this configuration"):
            StoreConfig.from_dict({"_type": "file"})

    def test_create_store_opens_what_is_named(self, tmp_path):
        assert create_store(tmp_path / "a").root == tmp_path / "a"
        config = FileStoreConfig(tmp_path / "b")
        assert create_store(config, experiment_id=EXPERIMENT).experiment_id == EXPERIMENT
        assert (tmp_path / "b" / "metalab-store.json").exists()

    def test_a_store_names_itself(self, tmp_path):
        store = FileStore(str(tmp_path))
        assert store.locator == str(tmp_path)
        assert repr(store) == f"FileStore({str(tmp_path)!r})"
        assert repr(store.scoped(EXPERIMENT)).endswith(", experiment_id='my_exp:1.0')")
        assert store.get_working_directory() == tmp_path
        assert isinstance(store, Store)


class TestLocators:
    def test_a_url_is_taken_apart(self):
        info = parse_locator("postgresql://me:s3cret@db:5432/lab?sslmode=require&file_root=/s")
        assert info == LocatorInfo(
            "postgresql", "/lab", "db", 5432, "me", "s3cret",
            {"sslmode": "require", "file_root": "/s"}, info.raw,
        )  # fmt: skip

    def test_the_password_shows_in_no_repr(self):
        assert "s3cret" not in repr(parse_locator("postgresql://me:s3cret@db/lab"))

    def test_an_empty_text_is_no_store(self):
        with pytest.raises(ValueError, match="an empty text is no store"):
            parse_locator("")

    def test_a_file_url_with_a_host_is_asked_back(self):
        with pytest.raises(ValueError, match=r"write file:///data/x or \./data/x"):
            parse_locator("file://data/x")


class TestPublicNames:
    def test_every_name_can_be_had(self):
        for name in metalab.store.__all__:
            assert getattr(metalab.store, name) is not None
        assert DEFAULT_STORE_ROOT == "./experiments"
        assert set(metalab.store.__all__) <= set(dir(metalab.store))
        assert "PostgresStore" in dir(metalab.store)

    def test_the_names_are_listed_sorted(self):
        assert metalab.store.__all__ == sorted(metalab.store.__all__)

    def test_another_name_is_an_attribute_error(self):
        with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
            metalab.store.Nothing  # noqa: B018
        with pytest.raises(AttributeError):
            metalab.store.SlurmConfig  # noqa: B018

    def test_a_plugin_that_is_not_installed_says_what_to_install(self, monkeypatch):
        monkeypatch.delitem(vars(metalab.store), "PostgresStore", raising=False)
        monkeypatch.setitem(sys.modules, "metalab_postgres", None)
        with pytest.raises(MissingExtraError, match=r"pip install 'metalab\[postgres\]'"):
            from metalab.store import PostgresStore  # noqa: F401

    def test_importing_the_package_imports_no_store(self):
        script = "import sys, metalab.store; print([m for m in sys.modules if 'store.' in m])"
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "[]"


class TestTheRaceForAName:
    def test_the_first_to_publish_wins(self, tmp_path):
        assert disk.publish(tmp_path / "x", b"first")
        assert not disk.publish(tmp_path / "x", b"second")
        assert (tmp_path / "x").read_bytes() == b"first"

    def test_collections_are_values(self, tmp_path):
        assert Collection(tmp_path) == Collection(tmp_path)
