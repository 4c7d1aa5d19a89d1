"""Refusals: why a value cannot be identified, and where in a nested value it stands."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from metalab.errors import IdentityError
from metalab.plugins import SERIALIZERS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PLAIN_TYPES", "RefusalError", "placed", "refusal_of"]

PLAIN_TYPES = (bool, bytes, dict, float, frozenset, int, list, set, str, tuple, type(None))


class RefusalError(Exception):
    """A value that is refused; containers add, from the inside out, where it stands."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.steps: list[str] = []

    @property
    def place(self) -> str:
        """Where the value stands, as it would be written in Python: ``['opt'].lr[2]``."""
        return "".join(reversed(self.steps))


@contextmanager
def placed(path: str) -> Iterator[None]:
    """Turn a refusal into an IdentityError that names the place, starting with ``path``."""
    try:
        yield
    except RefusalError as refusal:
        raise IdentityError(f"{path}{refusal.place}: {refusal}") from refusal.__cause__
    except RecursionError:
        raise IdentityError(f"{path}: contains itself, or is nested too deeply") from None


def refusal_of(value: object) -> str:
    """Say why a value is refused and what to write instead."""
    cls = type(value)
    name = f"{cls.__module__}.{cls.__qualname__}"
    libraries = {base.__module__.partition(".")[0] for base in cls.__mro__}
    for library in libraries & SERIALIZERS.extras().keys():
        return f"a {name}: {SERIALIZERS.missing(library)}"
    for base in cls.__mro__[1:]:
        if base in PLAIN_TYPES:
            return (
                f"a {name} is more than the {base.__name__} it extends, and an id cannot hold "
                f"what; write {base.__name__}(...)"
            )
    return (
        f"a {name} cannot be told apart from others for certain; write plain values, make it "
        "an attrs class or dataclass, or give its class fingerprint_payload()"
    )
