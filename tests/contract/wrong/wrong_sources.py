"""Param sources that are wrong in one way each, and the one that they are made of."""

from __future__ import annotations

import random
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
mislabelling = Plugin(Mislabelling)
