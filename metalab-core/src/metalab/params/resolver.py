"""Resolvers: params that depend on the context or on other params."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from metalab.params.algebra import Source
from metalab.params.base import ParamCase, ParamResolver, ParamSource
from metalab.params.manifest import (
    callable_of,
    composed,
    described,
    described_callable,
    marked,
    revived,
    source_from_manifest,
)
from metalab.params.words import checked_name, shown

__all__ = ["ResolvedSource", "Resolver", "with_resolver"]

Resolver = ParamResolver | Callable[[Any, dict[str, Any]], Mapping[str, Any]]
"""An object with ``resolve(context_meta, params)``, or a function of the two."""


def checked_resolver(resolver: Resolver) -> Resolver:
    """Return what may serve as a resolver; TypeError that says what was meant for the rest."""
    if isinstance(resolver, type):
        raise TypeError(
            f"the resolver is the class {resolver.__name__}; did you mean {resolver.__name__}()?"
        )
    if isinstance(resolver, ParamResolver) or callable(resolver):
        return resolver
    raise TypeError(
        f"the resolver {shown(resolver)} is neither a function of (context_meta, params) "
        "nor an object with such a method called resolve"
    )


@attrs.frozen(eq=False)
class ResolvedSource(Source):
    """The cases of a source, their params made anew by a resolver whenever one is asked for."""

    source: ParamSource
    resolver: Resolver = attrs.field(converter=checked_resolver)
    context_meta: Any = attrs.field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.source)

    def case(self, index: int) -> ParamCase:
        """Return the case of an index, resolved."""
        case = self.source[index]
        try:
            params = self._resolve(case.params)
        except Exception as error:  # a resolver is the user's: any error gets its place
            error.add_note(f"raised while resolving point {index}: {shown(case.params)}")
            raise
        return ParamCase.of(params, case.tags)

    def _resolve(self, params: dict[str, Any]) -> dict[str, Any]:
        if isinstance(self.resolver, ParamResolver):
            resolved = self.resolver.resolve(self.context_meta, params)
        else:
            resolved = self.resolver(self.context_meta, params)
        if not isinstance(resolved, Mapping):
            raise TypeError(
                f"the resolver returned {shown(resolved)}; it returns a dict of all the params"
            )
        return {checked_name(name, "resolver"): value for name, value in resolved.items()}

    def to_manifest_dict(self) -> dict[str, Any]:
        """Describe the source, the resolver and what it was given."""
        resolver, is_known = described_callable(self.resolver)
        meta, is_plain = described(self.context_meta)
        document = composed("resolved", source=self.source)
        return marked(
            {**document, "resolver": resolver, "context_meta": meta},
            is_known=is_known and is_plain,
        )

    @classmethod
    def from_manifest_dict(cls, document: Mapping[str, Any]) -> ResolvedSource:
        """Return the source that ``to_manifest_dict`` described."""
        source = source_from_manifest(document["source"])
        resolver = callable_of(document, "resolver")
        return cls(source, resolver, revived(document["context_meta"], document))


def with_resolver(
    source: ParamSource, resolver: Resolver, context_meta: Any = None
) -> ResolvedSource:
    """Let a resolver make the params of every case of a source.

    It is given ``context_meta`` and a dict of the case's params, and returns all the params
    that the operation receives.
    """
    if not isinstance(source, ParamSource):
        raise TypeError(f"with_resolver wants a param source, not {shown(source)}")
    return ResolvedSource(source, resolver, context_meta)
