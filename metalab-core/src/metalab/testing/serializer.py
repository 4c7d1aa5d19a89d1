"""The contract of serializers, as tests: inherit from it, name a format, give a few objects.

A serializer is right if an object comes back with its type and value wherever it is read,
if what cannot is refused in words, and if a file that is not whole is never taken for another
object. The plugin has to be installed, an editable install included: readers find it by the
format's name alone.
"""

from __future__ import annotations

import io
import re
from base64 import b64decode, b64encode
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from metalab.capture import Capture, MemoryWriter
from metalab.records import RunRecord
from metalab.serializers.base import Mappable, Serializer
from metalab.serializers.registry import serializer_named
from metalab.testing.asking import asked_if
from metalab.testing.elsewhere import HASH_SEEDS, ask
from metalab.testing.hostile import files_that_run_code, plain_objects
from metalab.testing.identifying import IdentityContract
from metalab.testing.refusing import RefusalContract
from metalab.testing.written import ERROR, REFUSALS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["SerializerContract", "written_again"]

_FORMAT = re.compile(r"[A-Za-z_]\w*/[a-z0-9][a-z0-9._-]*")
_WORD = re.compile(r"[a-z][a-z0-9_-]*")
_EXTENSION = re.compile(r"[a-z0-9][a-z0-9._-]*")
_CUTS = 48  # of a long file; a short one is cut everywhere


class SerializerContract(RefusalContract, IdentityContract):
    """What every serializer does: set ``format`` and override ``objects``, as ``Written`` says.

    Give ``refused`` what cannot be kept, ``parameters`` if the plugin identifies objects, and
    ``same`` where ``==`` does not answer with True or False::

        class TestSquares(SerializerContract):
            format = "shapes/square"

            def objects(self):
                return [Square(1.5), Square(math.inf)]

            def refused(self):
                return [Square("a text")]
    """

    def test_its_plugin_finds_it_by_its_format(self) -> None:
        found = self._serializer()
        assert isinstance(found, Serializer), f"{found!r} lacks what a Serializer has"
        assert found.format == self.format, f"asked for {self.format!r} it is {found.format!r}"
        assert _FORMAT.fullmatch(self.format), f"{self.format!r} is not written library/form"

    def test_its_plugin_declines_a_format_it_does_not_write(self) -> None:
        unknown = f"{self._library()}/no-such-form"
        answer = self._hooks().metalab_serializer_named(format=unknown)
        assert answer is None, f"for the format {unknown!r} it returns {answer!r}"

    def test_its_kind_is_a_word_and_its_extension_has_no_dot(self) -> None:
        found = self._serializer()
        assert _WORD.fullmatch(found.kind), f"the kind {found.kind!r} is no word"
        assert _EXTENSION.fullmatch(found.extension), f"{found.extension!r} is no file's ending"

    def test_what_its_plugin_offers_for_an_object_can_be_found_again(self) -> None:
        for obj in self._objects():
            offer = self._hooks().metalab_serializer_for(obj=obj)
            if offer is not None:
                named = serializer_named(offer.format, allow_pickle=True)
                assert named.format == offer.format, f"{offer.format!r} finds {named.format!r}"

    def test_it_takes_the_objects_it_is_for(self) -> None:
        for obj in self._objects():
            assert self._serializer().can_handle(obj), f"can_handle declines {obj!r}"

    def test_an_object_comes_back_the_same(self) -> None:
        for obj in self._objects():
            back = self._load(self._dump(obj))
            if self.is_exact:
                assert self.same(back, obj), f"{obj!r} comes back as {back!r}"

    def test_an_object_is_left_as_it_was(self) -> None:
        for obj, untouched in zip(self._objects(), self._objects(), strict=True):
            self._dump(obj)
            if self.is_exact:
                assert self.same(obj, untouched), f"dump changed {untouched!r} to {obj!r}"

    def test_what_it_takes_of_pythons_own_objects_comes_back_the_same(self) -> None:
        for obj in plain_objects():
            if not self._serializer().can_handle(obj):
                continue
            try:
                data = self._dump(obj)
            except REFUSALS as error:
                assert str(error), f"{obj!r} is refused without a word"
                continue
            if self.is_exact and type(obj) is not object:  # which equals no other
                assert self.same(self._load(data), obj), f"{obj!r} comes back as another"

    def test_the_file_stays_open(self) -> None:
        for obj in self._objects():
            file = io.BytesIO()
            self._serializer().dump(obj, file)
            assert not file.closed, "dump closed a file that is the caller's"
            file.seek(0)
            self._serializer().load(file)
            assert not file.closed, "load closed a file that is the caller's"

    def test_another_process_reads_the_object(self) -> None:
        objects = self._objects()
        files = [self._dump(obj) for obj in objects]
        for seed in HASH_SEEDS:
            again = self._written_again(files, seed)
            if self.is_exact and self.is_deterministic:
                assert again == files, "what another process reads is written as other bytes"
            for obj, data in zip(objects, again, strict=True) if self.is_exact else ():
                back = self._load(data)
                assert self.same(back, obj), f"by another process {obj!r} is read as {back!r}"

    def test_an_artifact_of_a_run_says_how_it_is_read(self) -> None:
        writer = MemoryWriter()
        record = RunRecord.running(run_id="0" * 32)
        found = self._serializer()
        with Capture(record, writer, allow_pickle=not self.is_safe) as capture:
            for place, obj in enumerate(self._objects()):
                kept = capture.artifact(f"object {place}", obj, format=self.format)
                assert (kept.kind, kept.format) == (found.kind, found.format)
                assert kept.uri.endswith(f".{found.extension}"), f"{kept.uri} has another ending"
                data = writer.artifacts[kept.uri]
                if self.is_exact:
                    assert self.same(self._load(data), obj), f"{obj!r} is kept as another"

    def test_what_is_viewed_is_what_is_loaded(self) -> None:
        found = self._serializer()
        if isinstance(found, Mappable):
            for obj in self._objects():
                data = self._dump(obj)
                view = found.view(memoryview(data))
                assert self.same(view, self._load(data)), f"the view of {obj!r} shows another"

    @asked_if(is_deterministic=True)
    def test_the_same_object_gives_the_same_bytes(self) -> None:
        for one, other in zip(self._objects(), self._objects(), strict=True):
            first = self._dump(one)
            assert first == self._dump(one), f"{one!r} is written differently each time"
            assert first == self._dump(other), f"an equal of {one!r} is written differently"

    @asked_if(is_exact=True)
    def test_different_objects_give_different_bytes(self) -> None:
        for one, other in pairwise(self._objects()):
            if not self.same(one, other):
                assert self._dump(one) != self._dump(other), f"{one!r} is written as {other!r}"

    def test_a_file_without_its_end_is_no_other_object(self) -> None:
        for obj in self._objects():
            data = self._dump(obj)
            for size in _cuts(len(data)):
                back = self._attempt(data[:size])
                if self.detects_truncation and self.is_exact:
                    assert back is ERROR or self.same(back, obj), (
                        f"{size} of the {len(data)} bytes of {obj!r} are read as {back!r}"
                    )

    @asked_if(is_safe=True)
    def test_a_damaged_file_ends_in_an_error_or_an_object(self) -> None:
        for obj in self._objects():
            data = self._dump(obj)
            for place in _cuts(len(data)):
                altered = bytearray(data)
                altered[place] ^= 0x55
                back = self._attempt(bytes(altered))
                if self.detects_damage and self.is_exact:
                    assert back is ERROR or self.same(back, obj), (
                        f"with byte {place} changed {obj!r} is read as {back!r}"
                    )

    @asked_if(is_safe=True)
    def test_reading_a_file_runs_no_code(self, tmp_path: Path) -> None:
        mark = tmp_path / "code-ran"
        for what, data in files_that_run_code(mark).items():
            self._attempt(data)
            assert not mark.exists(), f"{what} ran code when it was read"

    def test_what_runs_code_when_it_is_read_is_of_the_kind_pickle(self) -> None:
        # That word keeps it from being read unless the reader allows it.
        kind = self._serializer().kind
        assert (kind == "pickle") is not self.is_safe, (
            f"is_safe is {self.is_safe}, and the kind is {kind!r}"
        )

    def _written_again(self, files: Sequence[bytes], seed: str) -> list[bytes]:
        texts = [b64encode(data).decode() for data in files]
        document = [self.format, texts, self.is_exact]
        answer = ask("metalab.testing.serializer:written_again", document, hash_seed=seed)
        return list(map(b64decode, answer))


def _cuts(size: int) -> Iterator[int]:
    """Yield places in a file of so many bytes, the last ones among them."""
    step = max(1, size // _CUTS)
    yield from range(0, size, step)
    yield from range(max(0, size - 8), size)


def written_again(document: Any) -> list[str]:
    """Read files of a format and write what they held, where that is an object again."""
    name, texts, is_exact = document
    serializer = serializer_named(name, allow_pickle=True)
    written = []
    for text in texts:
        obj = serializer.load(io.BytesIO(b64decode(text)))
        file = io.BytesIO()
        if is_exact:
            serializer.dump(obj, file)
        written.append(b64encode(file.getvalue()).decode())
    return written
