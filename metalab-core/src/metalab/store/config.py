"""Store configurations: frozen values from which a store is opened, here or in a worker."""

from __future__ import annotations

import abc
import pickle
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs

from metalab.errors import MissingPluginError
from metalab.plugins import STORES
from metalab.store.locator import LocatorInfo, parse_locator

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from metalab.store.base import Store

__all__ = ["DEFAULT_STORE_ROOT", "StoreConfig", "create_store", "parse_to_config"]

DEFAULT_STORE_ROOT = "./experiments"
"""Where ``metalab.run`` keeps results when no store is named."""


@attrs.frozen(kw_only=True)
class StoreConfig(abc.ABC):
    """Says where a store is; ``connect()`` opens it.

    Without ``experiment_id`` it names a collection, with it one experiment's store.
    """

    scheme: ClassVar[str]
    experiment_id: str | None = None

    @abc.abstractmethod
    def connect(self) -> Store:
        """Open the store, making its folder and marker where there is none yet."""

    @abc.abstractmethod
    def open(self) -> Store:
        """Open a store that exists, writing nothing; raises StoreNotFoundError."""

    @abc.abstractmethod
    def list_experiments(self) -> list[str]:
        """List the ids of the experiments kept there, sorted; empty where there is no store."""

    @property
    @abc.abstractmethod
    def locator(self) -> str:
        """Name the store in one string, without secrets."""

    @property
    def is_scoped(self) -> bool:
        """Whether this names one experiment's store."""
        return self.experiment_id is not None

    def scoped(self, experiment_id: str) -> Self:
        """Return the configuration of one experiment's store in this collection.

        Raises ValueError if this is another experiment's store already.
        """
        if self.experiment_id == experiment_id:
            return self
        if self.experiment_id is not None:
            raise ValueError(f"this store is already scoped to {self.experiment_id!r}")
        return attrs.evolve(self, experiment_id=experiment_id)

    def holds(self, other: StoreConfig) -> bool:
        """Tell whether the other names this store, or lies within it."""
        same = (self.scheme, self.locator) == (other.scheme, other.locator)
        return same and self.experiment_id in {None, other.experiment_id}

    def for_experiment(self, experiment_id: str) -> Store:
        """Open one experiment's store; short for ``scoped(id).connect()``."""
        return self.scoped(experiment_id).connect()

    def pickled(self) -> bytes:
        """Return the configuration as other processes of this launch are sent it.

        Raises TypeError, which names the field, for what cannot be pickled.
        """
        try:
            return pickle.dumps(self)
        except Exception as error:  # whatever a third party's __reduce__ raises
            whose = f"{type(self).__name__} cannot be sent to other processes"
            at = next(filter(None, map(self._unpicklable, attrs.fields(type(self)))), str(error))
            raise TypeError(f"{whose}: {at}") from error

    def _unpicklable(self, field: attrs.Attribute[Any]) -> str | None:
        try:
            pickle.dumps(getattr(self, field.name))
        except Exception as error:  # noqa: BLE001  as above
            return f"its field {field.name!r} does not pickle ({error})"
        return None

    def to_dict(self) -> dict[str, Any]:
        """Describe the configuration without secrets; ``_type`` is the scheme."""
        return {"_type": self.scheme, **attrs.asdict(self)}

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> StoreConfig:
        """Return the configuration that ``to_dict`` described.

        Raises ValueError if ``_type`` is missing, and MissingPluginError, which is one, if no
        installed plugin serves the store that it names.
        """
        if "_type" not in document:
            raise ValueError("Missing _type: this is no store configuration")
        scheme = document["_type"]
        if scheme not in STORES:
            raise MissingPluginError(
                f"Unknown config type: {scheme}; {STORES.missing(scheme)}. `_type` is the `scheme` "
                "of a configuration's class, and has to be the name of its entry point"
            )
        config: StoreConfig | None = STORES[scheme].metalab_store_config_from_dict(
            document=document
        )
        if config is None:
            raise ValueError(f"the {scheme} plugin declines this configuration: {dict(document)}")
        return config

    @staticmethod
    def from_locator(locator: str | os.PathLike[str], **fields: Any) -> StoreConfig:
        """Return the configuration that a locator names; see ``parse_to_config``."""
        return parse_to_config(locator, **fields)


def parse_to_config(locator: str | os.PathLike[str], **fields: Any) -> StoreConfig:
    """Return the configuration that a locator names; keyword fields win over its query.

    Raises MissingPluginError, which is a ValueError, for a scheme that no installed plugin
    serves, or whatever the plugin finds wrong with the locator.
    """
    info: LocatorInfo = parse_locator(locator)
    if info.scheme not in STORES:
        raise MissingPluginError(
            f"Unknown store scheme: {info.scheme}; {STORES.missing(info.scheme)}"
        )
    config: StoreConfig | None = STORES[info.scheme].metalab_store_config(
        locator=info, fields=fields
    )
    if config is None:
        raise ValueError(f"the {info.scheme} plugin declines the locator {info!r}")
    return config


def create_store(locator: str | os.PathLike[str] | StoreConfig, **fields: Any) -> Store:
    """Open the store that a locator or a configuration names, making it where it is missing.

    Fields and errors are those of ``parse_to_config`` and ``StoreConfig.connect``.
    """
    if isinstance(locator, StoreConfig):
        return attrs.evolve(locator, **fields).connect()
    return parse_to_config(locator, **fields).connect()
