"""What identifies a library's objects as parameters: one id for equal ones, in every process."""

from __future__ import annotations

from typing import Any

import msgspec

from metalab.identity.canonical import CanonicalForm, fingerprint
from metalab.identity.values import from_jsonable, to_jsonable
from metalab.testing.elsewhere import HASH_SEEDS, ask
from metalab.testing.hostile import plain_objects, rude_objects
from metalab.testing.written import Written

__all__ = ["IdentityContract", "identities"]


class IdentityContract(Written):
    """What is asked of ``metalab_canonical_form`` and ``metalab_revive`` where there are such."""

    def test_objects_are_given_for_a_plugin_that_identifies_them(self) -> None:
        identifies = bool(self._hooks().metalab_canonical_form.get_hookimpls())
        assert identifies or not self.parameters(), "the plugin has no metalab_canonical_form"
        assert not identifies or self.parameters(), (
            f"the plugin has a metalab_canonical_form: {type(self).__name__}.parameters returns "
            "objects for it"
        )

    def test_it_identifies_no_object_that_it_does_not_know(self) -> None:
        for obj in [*plain_objects(), *rude_objects()]:
            form = self._hooks().metalab_canonical_form(obj=obj)
            assert form is None, f"{type(obj)} is none of its library's, but has the form {form!r}"
        revived = self._hooks().metalab_revive(tag="no such tag", payload=None)
        assert revived is None, f"metalab_revive makes {revived!r} of a tag that is none of its own"

    def test_a_canonical_form_is_a_plain_value_or_a_tagged_one(self) -> None:
        for obj in self.parameters():
            form = self._hooks().metalab_canonical_form(obj=obj)
            assert isinstance(form, CanonicalForm), f"{obj!r} has the form {form!r}"
            assert form.tag is None or form.tag, f"the form of {obj!r} has an empty tag"

    def test_equal_objects_have_one_identity(self) -> None:
        for one, other in zip(self.parameters(), self.parameters(), strict=True):
            assert fingerprint(one) == fingerprint(other), f"an equal of {one!r} has another id"

    def test_different_objects_have_different_identities(self) -> None:
        known: dict[str, Any] = {}
        for obj in self.parameters():
            other = known.setdefault(fingerprint(obj), obj)
            assert other is obj, f"{obj!r} and {other!r} have one identity"

    def test_an_identity_is_that_of_every_process(self) -> None:
        objects = self.parameters()
        kept = [to_jsonable(obj, exact=True) for obj in objects]
        for seed in HASH_SEEDS if kept else ():
            found = ask("metalab.testing.identifying:identities", kept, hash_seed=seed)
            for obj, name in zip(objects, found, strict=True):
                assert name == fingerprint(obj), f"{obj!r} has another id in another process"

    def test_a_parameter_comes_back_from_its_form(self) -> None:
        for obj in self.parameters():
            back = from_jsonable(msgspec.json.decode(msgspec.json.encode(to_jsonable(obj))))
            assert fingerprint(back) == fingerprint(obj), f"{obj!r} comes back as {back!r}"
            if self._hooks().metalab_canonical_form(obj=obj).tag is not None:
                assert self.same(back, obj), f"{obj!r} comes back as {back!r}"


def identities(kept: list[Any]) -> list[str]:
    """Return the fingerprints of objects that are kept as strict JSON."""
    return [fingerprint(from_jsonable(document)) for document in kept]
