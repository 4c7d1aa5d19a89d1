"""Asking: which tests of a contract are asked of a plugin that says what it cannot do."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest

from metalab.testing.wholeness import ask_if_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Asked", "asked_if"]

_Test = TypeVar("_Test", bound="Callable[..., None]")


def asked_if(**capabilities: bool) -> Callable[[_Test], _Test]:
    """Ask something of those classes of tests alone whose attributes are these."""

    def marked(test: _Test) -> _Test:
        vars(test)["asked_if"] = capabilities
        return test

    return marked


class Asked:
    """A contract of which some is asked only where attributes of the class say so.

    What is not asked is skipped, and the reason names the attribute.
    """

    @pytest.fixture(autouse=True)
    def _is_asked(self, request: pytest.FixtureRequest) -> None:
        """Pass over what is asked of others, and over all of what lacks methods."""
        ask_if_whole(request)
        wanted: Mapping[str, bool] = vars(request.function).get("asked_if", {})
        for name, value in wanted.items():
            if getattr(self, name) is not value:
                pytest.skip(f"{type(self).__name__}.{name} is {not value}")
