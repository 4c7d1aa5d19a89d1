"""What an operation is when a launch begins, apart from what its own runs do to it.

An operation may append to a list that it captured, or fill a cache of its module. Such
values belong to its identity and to its code, but what its runs made of them does not: the
same operation would otherwise be another one as soon as it has run. So the state at the end
of a launch is remembered, and where the next launch finds just that, the operation counts
as what it was before. What anybody else changes in between counts as changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import attrs

from metalab.errors import IdentityError
from metalab.identity.closure import closure_fingerprint
from metalab.identity.code import CodeFingerprint, code_fingerprint

if TYPE_CHECKING:
    from metalab.operation import OperationWrapper

__all__ = ["Standing", "remember", "standing"]


@attrs.frozen
class Standing:
    """The identity of an operation's captured values, and the fingerprint of its code."""

    captured: str
    code: CodeFingerprint

    @classmethod
    def now(cls, operation: OperationWrapper) -> Standing:
        """Read both as they are at this moment."""
        return cls(closure_fingerprint(operation.function), code_fingerprint(operation.function))


# As it counted at an operation's last launch, and as that launch left it.
_launches: WeakKeyDictionary[OperationWrapper, tuple[Standing, Standing]] = WeakKeyDictionary()


def standing(operation: OperationWrapper) -> Standing:
    """Return what an operation counts as now; raises IdentityError as closures do."""
    found = Standing.now(operation)
    if operation in _launches:
        counted, left = _launches[operation]
        return counted if found == left else found
    return found


def remember(operation: OperationWrapper, counted: Standing) -> None:
    """Note at the end of a launch what the operation counted as when it began."""
    try:
        _launches[operation] = (counted, Standing.now(operation))
    except IdentityError:
        # Its runs captured what has no identity: the next launch is to say so, in words.
        _launches.pop(operation, None)
