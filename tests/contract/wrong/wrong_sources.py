"""Param sources that are wrong in one way each, and the one that they are made of."""

from __future__ import annotations

import random
import threading
from typing import ClassVar

from metalab.hookspecs import hookimpl
from metalab.identity.canonical import fingerprint
from metalab.params import ParamCase, Source


class Line(Source):
    """Points at equal distances; each also has a list."""

    kind: ClassVar[str] = "line"

    def __init__(self, size, step=0.1234567):
        self.size, self.step = size, step

    def __len__(self):
        return self.size

    def case(self, index):
        return ParamCase.of({"x": index * self.step, "list": [index, [index]]})

    def to_manifest_dict(self):
        return {"kind": self.kind, "type": "Line", "size": self.size, "step": self.step}


class Plugin:
    """Rebuilds the sources of one class."""

    def __init__(self, source):
        self.source = source

    @hookimpl
    def metalab_param_source(self, manifest):
        return self.source(manifest["size"], manifest["step"])


class Reordering(Line):
    """Each pass has an order of its own."""

    kind = "reordering"

    def __iter__(self):
        places = list(range(self.size))
        random.shuffle(places)
        return map(self.case, places)


class Streaming(Line):
    """Draws whatever point is asked for next, and remembers it for the next passes."""

    kind = "streaming"

    def __init__(self, size, step=0.1):
        super().__init__(size, step)
        self._rng = random.Random(1)
        self._drawn = {}

    def case(self, index):
        if index not in self._drawn:
            self._drawn[index] = self._rng.random()
        return ParamCase.of({"x": self._drawn[index]})


class Sharing(Line):
    """Hands out its own list, as if nothing could change it."""

    kind = "sharing"
    _default: ClassVar[list] = [1, [2]]

    def case(self, index):
        params = {"x": index, "list": self._default}
        return ParamCase(params, fingerprint(params), (), are_atoms=True)


class Rounding(Line):
    """Its manifest keeps three digits."""

    kind = "rounding"

    def to_manifest_dict(self):
        return {**super().to_manifest_dict(), "step": round(self.step, 3)}


class Counting(Line):
    """Counts its points to know how many there are."""

    kind = "counting_points"

    def __len__(self):
        return sum(1 for _ in range(self.size))


class OfItsHashSeed(Line):
    """Takes names out of a set."""

    kind = "of_its_hash_seed"

    def case(self, index):
        names = ["adam", "rmsprop", "sgd", "adagrad", "lion", "adamw"]
        return ParamCase.of({"x": index, "optimizer": list(set(names))[index % len(names)]})


class Wrapping(Line):
    """Begins anew after its last point."""

    kind = "wrapping"

    def __getitem__(self, index):
        if isinstance(index, slice):
            return super().__getitem__(index)
        return self.case(index.__index__() % self.size)


class Repeating(Line):
    """Has one point twice, and does not say so."""

    kind = "repeating"

    def case(self, index):
        return super().case(max(index, 1))


class ForwardOnly(Line):
    """Knows no end to count from."""

    kind = "forward_only"

    def __getitem__(self, index):
        if type(index) is int and index < 0:
            raise IndexError(index)
        return super().__getitem__(index)


class Lenient(Line):
    """Makes a number of what it is given."""

    kind = "lenient"

    def __getitem__(self, index):
        return super().__getitem__(index if isinstance(index, slice) else int(index))


class Listing(Line):
    """A slice of it is a list."""

    kind = "listing"

    def __getitem__(self, index):
        found = super().__getitem__(index)
        return list(found) if isinstance(index, slice) else found


class Orphaned(Line):
    """Its manifest names no plugin."""

    kind = "orphaned"

    def to_manifest_dict(self):
        return {**super().to_manifest_dict(), "kind": "nobodys"}


class Remembering(Line):
    """Its manifest says how often it was looked at."""

    kind = "remembering"

    def __init__(self, size, step=0.1234567):
        super().__init__(size, step)
        self._looks = 0

    def case(self, index):
        self._looks += 1
        return super().case(index)

    def to_manifest_dict(self):
        return {**super().to_manifest_dict(), "looks": self._looks}


class Bound(Line):
    """Holds what cannot be sent to another process."""

    kind = "bound"

    def __init__(self, size, step=0.1234567):
        super().__init__(size, step)
        self._lock = threading.Lock()


class Short(Line):
    """Leaves out its last point when all are asked for."""

    kind = "short"

    def __iter__(self):
        return map(self.case, range(self.size - 1))


class Mislabelling(Line):
    """Identifies a point by its place."""

    kind = "mislabelling"

    def case(self, index):
        return ParamCase(super().case(index).params, fingerprint(index))


line = Plugin(Line)
reordering = Plugin(Reordering)
streaming = Plugin(Streaming)
sharing = Plugin(Sharing)
rounding = Plugin(Rounding)
counting_points = Plugin(Counting)
of_its_hash_seed = Plugin(OfItsHashSeed)
wrapping = Plugin(Wrapping)
repeating = Plugin(Repeating)
forward_only = Plugin(ForwardOnly)
lenient = Plugin(Lenient)
listing = Plugin(Listing)
orphaned = Plugin(Orphaned)
remembering = Plugin(Remembering)
bound = Plugin(Bound)
short = Plugin(Short)
mislabelling = Plugin(Mislabelling)
