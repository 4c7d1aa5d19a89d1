"""The contract of param sources, as tests: inherit from it and say how a source is made.

A source is right if point i is point i: in whatever order, process and pass it is asked for,
from the source that was written or from one that its manifest has rebuilt. Workers find their
run by its index alone.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, ClassVar

import cloudpickle
import pytest

from metalab.identity.canonical import fingerprint
from metalab.identity.values import from_jsonable, to_jsonable
from metalab.params.base import ParamCase, ParamSource
from metalab.params.manifest import source_from_manifest
from metalab.plugins import PARAM_SOURCES
from metalab.testing.asking import Asked, asked_if
from metalab.testing.effort import little_effort
from metalab.testing.elsewhere import HASH_SEEDS, ask

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["ParamSourceContract", "points_elsewhere"]

_MANY = 10**6
_LOOKED_AT = 64  # of the points, the first ones, where each is compared


class ParamSourceContract(Asked):
    """What every param source does. Override ``source``, and ``many`` or ``is_listed``.

    The attributes say what a source promises; the strictest promise is the default, and where
    one is not given the test of it is skipped, or asks for less::

        class TestSobol(ParamSourceContract):
            def source(self):
                return sobol({"x": (0, 1), "y": (0, 1)}, points=8, seed=1)

            def many(self):
                return sobol({"x": (0, 1)}, points=2**20, seed=1)

    A source is not asked to be pickled by name: workers are sent it with cloudpickle, or find
    it by its manifest.
    """

    is_distinct: ClassVar[bool] = True
    """Whether no two points are equal; a plan drops those that are."""
    is_listed: ClassVar[bool] = False
    """Whether each point is written down or looked at, so that a million of them take time."""
    is_rebuilt: ClassVar[bool] = True
    """Whether the manifest rebuilds it; one that holds a lambda says that it cannot."""
    has_slices: ClassVar[bool] = True
    """Whether ``source[1:3]`` is a source, as it is for those derived from ``Source``."""
    imports: ClassVar[Sequence[str]] = ()
    """Modules that have to be imported before a manifest can be rebuilt, for their functions."""

    def source(self) -> ParamSource:
        """Return a source of three points at least, made anew in each call.

        Among its values are those at the edges: NaN, -0.0, tuples, None, a list or dict.
        """
        raise NotImplementedError(f"{type(self).__name__}.source returns the source to test")

    def many(self) -> ParamSource:
        """Return a source of 10**6 points or more; not called if ``is_listed``."""
        raise NotImplementedError(
            f"{type(self).__name__}.many returns a source of 10**6 points, or is_listed is True"
        )

    def test_it_is_a_param_source(self) -> None:
        source = self._source()
        assert isinstance(source, ParamSource), f"{source!r} lacks what a ParamSource has"
        assert all(isinstance(case, ParamCase) for case in _some(source)), "a point is no ParamCase"

    def test_its_length_its_indices_and_its_points_agree(self) -> None:
        source = self._source()
        passed = _told(source)
        assert len(passed) == len(source), "it has more or fewer points than len() says"
        assert _told(source[i] for i in range(len(source))) == passed, "source[i] is no point i"

    def test_each_pass_gives_the_same_points(self) -> None:
        source = self._source()
        first = _told(source)
        assert _told(source) == first, "a second pass gives other points"
        assert _told(self._source()) == first, "one that is made again gives other points"

    def test_a_point_is_the_same_in_any_order(self) -> None:
        points = _told(self._source())
        places = list(range(len(points))) * 2
        random.Random(1).shuffle(places)  # noqa: S311  for an order, not for secrets
        source = self._source()
        for place in places:
            assert _told([source[place]]) == [points[place]], f"point {place} has changed"

    def test_indices_from_the_end_count_backwards(self) -> None:
        source = self._source()
        size = len(source)
        for place in range(-size, 0):
            assert _told([source[place]]) == _told([source[place + size]]), f"source[{place}]"

    def test_an_index_beyond_the_ends_is_an_index_error(self) -> None:
        source = self._source()
        for place in (len(source), len(source) + 1, -len(source) - 1, 2**70):
            with pytest.raises(IndexError):
                source[place]

    def test_an_index_that_is_no_number_is_a_type_error(self) -> None:
        source: Any = self._source()
        for place in ("0", None, 0.0):
            with pytest.raises(TypeError):
                source[place]

    def test_a_slice_is_a_source_of_the_same_points(self) -> None:
        source: Any = self._source()
        points = _told(source)
        for part in (slice(1, 3), slice(None, None, -1), slice(-2, None), slice(2, 1)):
            if self.has_slices:
                found = source[part]
                assert isinstance(found, ParamSource), f"source[{part}] is {found!r}"
                assert _told(found) == points[part], f"source[{part}] has other points"
            else:
                with pytest.raises(TypeError):
                    source[part]

    def test_what_is_done_to_a_point_stays_with_whoever_has_it(self) -> None:
        source = self._source()
        points = _told(source)
        for place in range(len(source)):
            params = source[place].params
            for value in params.values():
                _spoil(value)
            params.clear()
            assert _told([source[place]]) == [points[place]], f"point {place} was changed"
        assert _told(source) == points, "what was done to points has changed the source"

    def test_the_fingerprint_of_a_point_is_that_of_its_params(self) -> None:
        for case in _some(self._source()):
            assert case.case_id == fingerprint(case.params), f"{case!r} has another's id"

    def test_no_two_points_are_equal(self) -> None:
        known: dict[str, int] = {}
        for place, case in enumerate(self._source()):
            first = known.setdefault(case.case_id, place)
            assert first == place or not self.is_distinct, f"points {first} and {place} are equal"
        assert self.is_distinct or len(known) < len(self._source()), (
            "is_distinct is False, but no two points are equal"
        )

    def test_params_have_names_and_come_back_from_a_record(self) -> None:
        for case in _some(self._source()):
            assert all(type(name) is str and name for name in case.params), f"names of {case!r}"
            assert all(type(tag) is str for tag in case.tags), f"tags of {case!r}"
            back = from_jsonable(json.loads(json.dumps(to_jsonable(case.params))))
            assert fingerprint(back) == case.case_id, f"{case.params!r} comes back as {back!r}"

    def test_its_manifest_is_strict_json_and_names_its_plugin(self) -> None:
        document = self._manifest(self._source())
        kind = document.get("kind", document.get("type"))
        assert kind in PARAM_SOURCES, f"no installed plugin rebuilds the kind {kind!r}"

    def test_its_manifest_is_the_same_whenever_it_is_made(self) -> None:
        source = self._source()
        document = self._manifest(source)
        _told(source)
        assert self._manifest(source) == document, "looking at the points changes the manifest"
        _spoil(source.to_manifest_dict())
        assert self._manifest(source) == document, "the manifest is shared with its holders"
        if self.is_rebuilt:  # what has no name is written with its place in memory
            again = self._manifest(self._source())
            assert again == document, "one that is made again has another manifest"

    def test_its_manifest_rebuilds_it(self) -> None:
        source = self._source()
        document = self._manifest(source)
        if not self.is_rebuilt:
            with pytest.raises(ValueError, match="cannot be rebuilt"):
                source_from_manifest(document)
            return
        again = source_from_manifest(document)
        assert _told(again) == _told(source), "the manifest rebuilds other points"
        assert self._manifest(again) == document, "what was rebuilt has another manifest"

    def test_another_process_has_the_same_points(self) -> None:
        source = self._source()
        given = self._manifest(source) if self.is_rebuilt else cloudpickle.dumps(source).hex()
        for seed in HASH_SEEDS:
            found = ask(
                "metalab.testing.params:points_elsewhere",
                given,
                hash_seed=seed,
                imports=self.imports,
            )
            assert found == _told(source)[::-1], "another process has other points"

    def test_it_travels_to_worker_processes(self) -> None:
        source = self._source()
        points = _told(source)
        for given in (self._source(), source):  # one that was looked at, and one that was not
            try:
                data = cloudpickle.dumps(given)
            except Exception as error:  # whatever the source's own pickling raises
                raise AssertionError(f"it cannot be sent to another process: {error}") from error
            assert _told(cloudpickle.loads(data)) == points, "what arrives has other points"

    @asked_if(is_listed=False)
    def test_a_million_points_are_not_enumerated(self) -> None:
        # What is imported when it is first wanted is no effort of this source's.
        known = self._source()
        _told([known[0], next(iter(known))])
        known.to_manifest_dict()
        with little_effort():
            source = self.many()
            size = len(source)
            for place in (0, size // 2, size - 1, -1):
                assert source[place].params is not None, f"point {place} has no params"
            next(iter(source))
            source.to_manifest_dict()
        assert size >= _MANY, f"many() has {size} points; it is to have 10**6"

    def _source(self) -> ParamSource:
        source = self.source()
        assert len(source) >= 3, f"{type(self).__name__}.source has three points at least"
        return source

    def _manifest(self, source: ParamSource) -> dict[str, Any]:
        document = source.to_manifest_dict()
        text = json.dumps(document, allow_nan=False)
        back: dict[str, Any] = json.loads(text)
        assert back == document, "the manifest holds what JSON gives back as something else"
        return back


def _told(cases: Iterable[ParamCase]) -> list[Any]:
    """Return all that is known of some cases, as strict JSON that tells any two apart."""
    return [[case.case_id, list(case.tags), to_jsonable(case.params, exact=True)] for case in cases]


def _some(source: ParamSource) -> list[ParamCase]:
    return [source[place] for place in range(min(len(source), _LOOKED_AT))]


def _spoil(value: Any) -> None:
    """Empty what can be emptied, inner values first."""
    if isinstance(value, dict | list):
        for inner in list(value.values()) if isinstance(value, dict) else value:
            _spoil(inner)
    if isinstance(value, dict | list | set):
        value.clear()


def points_elsewhere(given: Any) -> list[Any]:
    """Return the points of a source that is given by its manifest, or pickled, the last first."""
    source: ParamSource
    if isinstance(given, str):
        source = cloudpickle.loads(bytes.fromhex(given))
    else:
        source = source_from_manifest(given)
    return _told(source[place] for place in reversed(range(len(source))))
