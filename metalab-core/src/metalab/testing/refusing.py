"""What a serializer refuses: in words, and without looking at more than it has to."""

from __future__ import annotations

import sys
from typing import Any

from metalab.serializers.registry import serializer_named
from metalab.testing.elsewhere import ask
from metalab.testing.hostile import plain_objects, rude_objects
from metalab.testing.written import REFUSALS, Written

__all__ = ["RefusalContract", "imported_by_asking"]


class RefusalContract(Written):
    """What is asked of ``can_handle``, and of ``dump`` where an object is not taken."""

    def test_can_handle_raises_nothing(self) -> None:
        for obj in [*plain_objects(), *rude_objects(), *self.refused()]:
            try:
                verdict = self._serializer().can_handle(obj)
            except Exception as error:  # a plugin may raise anything, and is told what
                what = f"can_handle raises {error!r} for an object of {type(obj)}"
                raise AssertionError(what) from error
            assert type(verdict) is bool, f"can_handle says {verdict!r}, neither True nor False"

    def test_can_handle_imports_nothing(self) -> None:
        imported = ask("metalab.testing.refusing:imported_by_asking", self.format)
        assert imported == [], f"can_handle imports {', '.join(imported)}"

    def test_what_it_does_not_take_it_refuses_in_words(self) -> None:
        for obj in plain_objects():
            if not self._serializer().can_handle(obj):
                self._check_refusal(obj)

    def test_what_it_cannot_keep_exactly_it_refuses_in_words(self) -> None:
        for obj in self.refused():
            self._check_refusal(obj)

    def _check_refusal(self, obj: Any) -> None:
        try:
            self._dump(obj)
        except REFUSALS as error:
            assert str(error), f"{obj!r} is refused without a word"
        except Exception as error:  # as above
            what = f"{obj!r} ends in {error!r}; a refusal is a TypeError or a ValueError"
            raise AssertionError(what) from error
        else:
            raise AssertionError(f"dump takes {obj!r}, which would come back as another")


def imported_by_asking(name: str) -> list[str]:
    """Return the libraries that are imported by asking a serializer about Python's objects."""
    serializer = serializer_named(name, allow_pickle=True)
    objects = plain_objects()
    before = set(sys.modules)
    for obj in objects:
        serializer.can_handle(obj)
    new = {module.partition(".")[0] for module in set(sys.modules) - before}
    return sorted(new - sys.stdlib_module_names - {"metalab"})
