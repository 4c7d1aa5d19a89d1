"""The hooks a plugin may implement: factories alone, called once a launch, never once a run.

A plugin is a module named by an entry point of one of the four groups. Its hook
implementations are marked with ``metalab.hookimpl``; each may take fewer arguments than
its specification. What a factory returns is a typed object of core (``Store``,
``Executor``, ``Serializer``, ``ParamSource``).

The hooks and those types are a contract, and metalab-core's version is the version of it: a
plugin asks for ``metalab-core>=0.1,<0.2``. A hook, an argument or a method with a default may
be added in any version, for implementations take the arguments they know. What is to go is
first deprecated for a minor version: an argument through its specification,

    @_hookspec(firstresult=True, warn_on_impl_args={"url": DeprecationWarning("...")})

which warns, at the line of the implementation that takes it, whoever runs the plugin's tests,
and a whole hook through ``warn_on_impl``. The text names the version it goes away in and what
to take instead. Until then both work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.execution.base import Executor
    from metalab.identity.canonical import CanonicalForm
    from metalab.params.base import ParamSource
    from metalab.serializers.base import Serializer
    from metalab.store.config import StoreConfig
    from metalab.store.locator import LocatorInfo

__all__ = ["ExecutorHooks", "ParamSourceHooks", "SerializerHooks", "StoreHooks", "hookimpl"]

_hookspec = pluggy.HookspecMarker("metalab")
hookimpl = pluggy.HookimplMarker("metalab")


class StoreHooks:
    """Group ``metalab.stores``; an entry point's name is the URL scheme it serves."""

    @_hookspec(firstresult=True)
    def metalab_store_config(
        self, locator: LocatorInfo, fields: Mapping[str, Any]
    ) -> StoreConfig | None:
        """Return the configuration of the store that a locator names.

        ``fields`` are keyword arguments that win over the locator's query. Nothing may be
        written or connected to here; that is ``StoreConfig.connect``'s work.
        """

    @_hookspec(firstresult=True)
    def metalab_store_config_from_dict(self, document: Mapping[str, Any]) -> StoreConfig | None:
        """Return the configuration that ``StoreConfig.to_dict`` wrote."""

    @_hookspec(firstresult=True)
    def metalab_command(self) -> str | None:
        """Return the name of the module of a command, which is called as the entry point is.

        The module has what those of ``metalab.cli`` have: ``add_arguments(parser)`` and
        ``run(arguments)``. It looks after what the store needs, as a server; a command that
        works on any store is core's.
        """


class ExecutorHooks:
    """Group ``metalab.executors``; an entry point's name is what ``executor="name"`` says."""

    @_hookspec(firstresult=True)
    def metalab_make_executor(self, name: str, options: Mapping[str, Any]) -> Executor | None:
        """Return an executor made from the options given beside its name."""

    @_hookspec(firstresult=True)
    def metalab_executor_class(self, name: str) -> type[Executor] | None:
        """Return what ``metalab_make_executor`` makes, so that it can be asked without options."""


class SerializerHooks:
    """Group ``metalab.serializers``; an entry point's name is the library of its objects."""

    @_hookspec(firstresult=True)
    def metalab_serializer_for(self, obj: object) -> Serializer | None:
        """Return the serializer for an object of the library, or None to decline it."""

    @_hookspec(firstresult=True)
    def metalab_serializer_named(self, format: str) -> Serializer | None:  # noqa: A002
        """Return the serializer that reads a format, or None if the plugin does not write it."""

    @_hookspec(firstresult=True)
    def metalab_canonical_form(self, obj: object) -> CanonicalForm | None:
        """Return what identifies an object of the library as a parameter, or None to decline it.

        The form either is a plain value the object equals (a numpy float is a float) or a
        tagged payload of plain values.
        """

    @_hookspec(firstresult=True)
    def metalab_revive(self, tag: str, payload: object) -> object | None:
        """Rebuild the object of a tagged payload that ``metalab_canonical_form`` made.

        None for a tag that is not the plugin's own.
        """


class ParamSourceHooks:
    """Group ``metalab.param_sources``; an entry point's name is the kind written in a manifest."""

    @_hookspec(firstresult=True)
    def metalab_param_source(self, manifest: Mapping[str, Any]) -> ParamSource | None:
        """Rebuild a param source from its manifest, with the same order and the same points."""
