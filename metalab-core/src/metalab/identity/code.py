"""Code: a fingerprint of what a function does, through all of the user's code it relies on."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import attrs

from metalab.identity.canonical import canonical_bytes
from metalab.identity.closure import closure_fingerprint
from metalab.identity.following import Following

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["CodeFingerprint", "changed_parts", "closure_fingerprint", "code_fingerprint"]


@attrs.frozen
class CodeFingerprint:
    """What a function's results depend on in the user's own code.

    ``hash`` is 16 hex digits over ``parts``, which has a hash for each function, class and
    constant by ``module:name``. ``files`` has the sha256 of each source file involved by
    path. ``opaque`` lists what the code uses but no reader of code can see into.
    """

    hash: str
    parts: dict[str, str]
    files: dict[str, str]
    opaque: tuple[str, ...]


def code_fingerprint(function: Callable[..., Any]) -> CodeFingerprint:
    """Return the fingerprint of a function and of the own code that it names, recursively.

    Comments, docstrings and layout do not count. Own code is what lies outside the standard
    library and site-packages, and the function's own package. Without source, as for text
    that was executed, the bytecode stands in, and the part's name says so.
    """
    following = Following(function)
    following.run()
    parts = dict(sorted(following.parts.items()))
    digest = blake2b(canonical_bytes(parts), digest_size=8).hexdigest()
    return CodeFingerprint(
        digest, parts, dict(sorted(following.files.items())), tuple(sorted(following.opaque))
    )


def changed_parts(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return the names of the parts that differ, are new or are gone, sorted."""
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
