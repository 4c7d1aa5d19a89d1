"""Collections of experiments, and the configurations that name them."""

from __future__ import annotations

import json
import pickle
import re
from typing import TYPE_CHECKING

import pytest

from metalab.errors import StoreNotFoundError
from metalab.plugins import STORES
from metalab.records import Status
from metalab.store.config import StoreConfig, parse_to_config
from metalab.testing.asking import asked_if
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import EXPERIMENT, HOSTILE, made, put, run_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from metalab.store.base import Store

__all__ = ["CollectionTests"]


class CollectionTests(StorePlace):
    """Collections of experiments, and configurations."""

    def test_experiments_are_listed_sorted(self, config: StoreConfig, collection: Store) -> None:
        for name in ("b:1", "a:2", "a:1"):
            put(collection.scoped(name), made())
        assert collection.list_experiments() == ["a:1", "a:2", "b:1"]
        assert config.list_experiments() == ["a:1", "a:2", "b:1"]

    def test_experiments_do_not_see_each_other(self, collection: Store) -> None:
        put(collection.scoped("a:1"), made())
        assert collection.scoped("b:1").list_run_records() == []

    def test_a_collection_wants_an_experiment(self, collection: Store) -> None:
        uses: list[Callable[[], object]] = [
            collection.read,
            lambda: collection.writer("launch"),
            lambda: collection.put_manifest({}),
            lambda: collection.get_log(run_id()),
            collection.list_run_records,
        ]
        for use in uses:
            with pytest.raises(ValueError, match="scoped"):
                use()

    def test_scoping_to_the_same_is_itself_to_another_refused(self, store: Store) -> None:
        assert store.is_scoped, "an experiment's store says that it is a collection"
        assert store.scoped(EXPERIMENT) is store, "scoped() to the same gives another store"
        with pytest.raises(ValueError, match="already scoped"):
            store.scoped("other:1")

    def test_opening_what_is_not_there_is_an_error_and_makes_nothing(
        self, config: StoreConfig
    ) -> None:
        with pytest.raises(StoreNotFoundError):
            config.open()
        assert config.list_experiments() == [], "opening what is not there has made something"
        with pytest.raises(StoreNotFoundError):
            config.open()

    def test_opening_an_experiment_that_is_not_there_is_an_error(
        self, config: StoreConfig, collection: Store
    ) -> None:
        assert collection.list_experiments() == []
        with pytest.raises(StoreNotFoundError):
            config.scoped(EXPERIMENT).open()

    def test_a_configuration_opens_its_store_again(self, config: StoreConfig, store: Store) -> None:
        put(store, made())
        assert store.config.experiment_id == EXPERIMENT
        for again in (store.config.open(), config.for_experiment(EXPERIMENT)):
            with again:
                assert again.run_exists(run_id()), "its configuration opens another store"

    def test_a_closed_store_can_be_used_again(self, store: Store) -> None:
        store.put_run_record(made())
        store.close()
        store.put_run_record(made(number=1))
        assert len(store.read()) == 2, "a closed store that is used again lacks runs"

    def test_whatever_its_name_an_experiment_stays_apart(
        self, config: StoreConfig, collection: Store
    ) -> None:
        names = [f"{name}:1" for name in HOSTILE] + ["a:1_2", "a_1:2", "name:é/.."]
        for number, name in enumerate(names):
            put(collection.scoped(name), made(number=number, experiment_id=name))
        with config.open() as other:
            assert other.list_experiments() == sorted(names), "names of experiments have met"
            for number, name in enumerate(names):
                (record,) = other.list_run_records(name)
                assert (record.experiment_id, record.run_id) == (name, run_id(number))

    @pytest.mark.parametrize("name", ["", "no version", ":1"])
    def test_what_is_no_experiment_id_is_refused_by_its_name(
        self, collection: Store, name: str
    ) -> None:
        with pytest.raises(ValueError, match=re.escape(repr(name))):
            put(collection.scoped(name), made())
        assert collection.list_experiments() == [], "what was refused has made an experiment"

    def test_experiments_do_not_share_what_they_keep(self, collection: Store) -> None:
        one, other = collection.scoped("a:1"), collection.scoped("b:1")
        one.put_manifest({"a": 1})
        one.put_launch("launch", {"n": 1})
        with one.writer("launch") as writer:
            writer.append_log(made(), "a line")
            writer.put_series(made(), "loss", [(0, 1.0)])
            writer.put(made())
        one.put_derived(run_id(), "f", {"x": 1})
        one.checkpoints(run_id(), 0, 1).keep(b"state")
        put(other, made(Status.FAILED))
        theirs = "an experiment has what is another's"
        assert (other.manifests(), other.launches(), other.logs()) == ({}, {}, {}), theirs
        assert (other.get_log(run_id()), other.get_derived(run_id())) == (None, {}), theirs
        assert other.read().series(run_id()) == {}, f"{theirs}: its series"
        assert not other.has_checkpoint(run_id(), 0, 1), f"{theirs}: its checkpoint"
        one.delete_run(run_id())
        assert other.run_exists(run_id()), "a run was forgotten in another experiment as well"

    def test_a_configuration_pickles_and_compares(self, config: StoreConfig, store: Store) -> None:
        scoped = config.scoped(EXPERIMENT)
        for each in (config, scoped, store.config):
            again = pickle.loads(each.pickled())  # noqa: S301  made here
            assert again == each, "a configuration that was pickled is another one"
        assert config != scoped, "a collection's configuration equals an experiment's"

    @asked_if(is_registered=True)
    def test_its_scheme_is_the_name_of_an_entry_point(self, config: StoreConfig) -> None:
        whose = f"{type(config).__name__}.scheme is {config.scheme!r}"
        assert config.scheme in STORES, f"{whose}, but {STORES.missing(config.scheme)}"

    @asked_if(is_registered=True)
    def test_a_configuration_comes_back_from_its_description(
        self, config: StoreConfig, store: Store
    ) -> None:
        put(store, made())
        described = json.loads(json.dumps(store.config.to_dict()))
        assert described["_type"] == config.scheme, (
            "`_type` of to_dict() is not the configuration's scheme"
        )
        again = StoreConfig.from_dict(described)
        assert again == store.config, "from_dict() makes another configuration"
        with again.open() as other:
            assert other.run_exists(run_id()), "what was described opens another store"

    @asked_if(is_registered=True)
    def test_a_locator_names_the_place(self, config: StoreConfig, store: Store) -> None:
        put(store, made())
        named = parse_to_config(config.locator)
        assert config.holds(named), f"{config.locator} names another place"
        assert named.holds(config), f"{config.locator} names another place"
        with named.open() as other:
            assert other.list_run_records(EXPERIMENT) == [made()]

    @asked_if(is_registered=True)
    def test_an_option_that_is_none_is_refused_by_its_name(self, config: StoreConfig) -> None:
        with pytest.raises(ValueError, match="no_such_option"):
            parse_to_config(config.locator, no_such_option=1)
        with pytest.raises(ValueError, match="no_such_option"):
            StoreConfig.from_dict({**config.to_dict(), "no_such_option": 1})
