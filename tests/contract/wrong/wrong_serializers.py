"""Serializers that are wrong in one way each, and the one that they are made of, which is right.

An entry point names an object of this module, as ``drops_nan = wrong_serializers:drops_nan``.
"""

from __future__ import annotations

import json
import math
import pickle
from itertools import count

import numpy as np

from metalab.hookspecs import hookimpl
from metalab.identity.canonical import CanonicalForm

_times = count()


class Bag:
    """What they write: a set of words, and numbers in an order."""

    def __init__(self, words=(), numbers=()):
        self.words = set(words)
        self.numbers = list(numbers)


class Sound:
    """Writes bags as one line of JSON."""

    kind, extension = "bag", "json"
    takes = Bag

    def __init__(self, name):
        self.format = f"{name}/json"

    def can_handle(self, obj):
        return type(obj) is self.takes

    def dump(self, obj, file):
        if not self.can_handle(obj):
            raise TypeError(f"a bag is wanted, not {type(obj).__name__}")
        file.write(json.dumps(self.written(obj)).encode() + b"\n")

    def written(self, bag):
        return [sorted(bag.words), bag.numbers]

    def load(self, file):
        data = file.read()
        if not data.endswith(b"\n"):
            raise ValueError("the file has lost its end")
        return self.takes(*json.loads(data))


class Plugin:
    """Serves one serializer, and identifies nothing."""

    def __init__(self, kind, name):
        self.serializer = kind(name)

    @hookimpl
    def metalab_serializer_for(self, obj):
        return self.serializer if self.serializer.can_handle(obj) else None

    @hookimpl
    def metalab_serializer_named(self, format):  # noqa: A002  the hook's name for it
        return self.serializer if format == self.serializer.format else None


class DropsNan(Sound):
    """JSON has no NaN, so null is written, and read as a zero."""

    def written(self, bag):
        return [sorted(bag.words), [None if math.isnan(n) else n for n in bag.numbers]]

    def load(self, file):
        bag = super().load(file)
        bag.numbers = [0.0 if number is None else number for number in bag.numbers]
        return bag


class OfItsHashSeed(Sound):
    """Writes a set in the order it has in this process."""

    def written(self, bag):
        return [list(bag.words), bag.numbers]


class WithoutAnEnd(Sound):
    """Reads as many numbers as there are."""

    def dump(self, obj, file):
        super().dump(obj, file)
        file.seek(0)
        file.truncate()
        lines = [" ".join(sorted(obj.words)), *map(repr, obj.numbers)]
        file.write("\n".join(lines).encode())

    def load(self, file):
        words, *numbers = file.read().decode().split("\n")
        return Bag(words.split(), map(float, numbers))


class RunsCode(Sound):
    """Reads pickles, but is of another kind."""

    def dump(self, obj, file):
        if not self.can_handle(obj):
            raise TypeError("a bag is wanted")
        pickle.dump([sorted(obj.words), obj.numbers], file)

    def load(self, file):
        return Bag(*pickle.load(file))


class Curious(Sound):
    """Asks an object what it knows before it asks what it is."""

    def can_handle(self, obj):
        return bool(obj.words is not None) and type(obj) is Bag

    def dump(self, obj, file):
        if type(obj) is not Bag:
            raise TypeError("a bag is wanted")
        super().dump(obj, file)


class Eager(Sound):
    """Imports its library to be asked about a list."""

    def can_handle(self, obj):
        import wrong_library

        return wrong_library is not None and type(obj) is Bag


class Obliging(Sound):
    """Writes whatever it is given, as a bag of one word."""

    def dump(self, obj, file):
        super().dump(obj if type(obj) is Bag else Bag([str(obj)[:10]]), file)


class Counting(Sound):
    """Writes when it was written."""

    def written(self, bag):
        return [sorted(bag.words), bag.numbers, next(_times)]

    def load(self, file):
        data = file.read()
        if not data.endswith(b"\n"):
            raise ValueError("the file has lost its end")
        return Bag(*json.loads(data)[:2])


class Tidy(Sound):
    """Puts the numbers of what it is given in order."""

    def written(self, bag):
        bag.numbers.sort()
        return super().written(bag)


class Closing(Sound):
    """Closes what it has read."""

    def load(self, file):
        with file:
            return super().load(file)


class Dotted(Sound):
    """Its files end in two dots."""

    extension = ".json"


class Misnamed(Sound):
    """Has another name than the one it is found by."""

    def __init__(self, name):
        self.format = f"{name}/JSON"


class Blinkered(Sound):
    """Shows the words of its file, and no number."""

    def view(self, memory):
        return Bag(json.loads(bytes(memory))[0])


class Grasping(Sound):
    """Takes tuples for lists, as JSON does."""

    def can_handle(self, obj):
        return type(obj) is Bag or type(obj) is tuple

    def written(self, bag):
        return super().written(bag) if type(bag) is Bag else bag

    def load(self, file):
        kept = json.loads(file.read())
        return Bag(*kept) if len(kept) == 2 and type(kept[0]) is list else kept


class Picky(Sound):
    """Declines an empty bag."""

    def can_handle(self, obj):
        return type(obj) is Bag and bool(obj.words)


class Merging(Sound):
    """Writes the words alone, and remembers the numbers by them."""

    _kept: dict = {}  # noqa: RUF012  what is wrong with it

    def written(self, bag):
        words = sorted(bag.words)
        self._kept[tuple(words)] = list(bag.numbers)
        return words

    def load(self, file):
        words = json.loads(file.read())
        return Bag(words, self._kept[tuple(words)])


class Orderless:
    """Writes arrays with the names of their dtypes, which do not tell the order of bytes."""

    kind, extension = "array", "bin"

    def __init__(self, name):
        self.format = f"{name}/bin"

    def can_handle(self, obj):
        return type(obj) is np.ndarray

    def dump(self, obj, file):
        if not self.can_handle(obj):
            raise TypeError("an array is wanted")
        file.write(json.dumps([obj.dtype.name, obj.shape]).encode() + b"\n" + obj.tobytes())

    def load(self, file):
        dtype, shape = json.loads(file.readline())
        return np.frombuffer(file.read(), dtype).reshape(shape).copy()


class Yes(Plugin):
    """Answers for every format."""

    @hookimpl
    def metalab_serializer_named(self, format):  # noqa: A002  the hook's name for it
        return self.serializer


class HashedBag(Bag):
    __module__ = "by_hash"


class LabelledBag(Bag):
    __module__ = "by_label"


class ByHash(Plugin):
    """Identifies a bag with a hash of Python's, which each process makes anew."""

    bag = HashedBag

    @hookimpl
    def metalab_canonical_form(self, obj):
        return CanonicalForm("bag", self.payload(obj)) if type(obj) is self.bag else None

    def payload(self, obj):
        return [hash(min(obj.words, default="")), sorted(obj.words), obj.numbers]

    @hookimpl
    def metalab_revive(self, tag, payload):
        return self.bag(*payload[1:]) if tag == "bag" else None


class ByLabel(ByHash):
    """Identifies a bag with its words alone."""

    bag = LabelledBag

    def payload(self, obj):
        return [0, sorted(obj.words)]


class TimedBag(Bag):
    __module__ = "by_time"


class BareBag(Bag):
    __module__ = "bare"


class LostBag(Bag):
    __module__ = "lost"


class ByTime(ByHash):
    """Identifies each bag apart from every other."""

    bag = TimedBag

    def payload(self, obj):
        return [next(_times), sorted(obj.words), obj.numbers]


class Bare(ByHash):
    """Returns the payload as it is."""

    bag = BareBag

    @hookimpl
    def metalab_canonical_form(self, obj):
        return (None, sorted(obj.words)) if type(obj) is self.bag else None


class Lost(ByHash):
    """Does not rebuild the tag it wrote."""

    bag = LostBag

    def payload(self, obj):
        return [0, sorted(obj.words), obj.numbers]

    @hookimpl
    def metalab_revive(self, tag, payload):
        return None


class Claiming(Plugin):
    """Identifies everything by its type."""

    @hookimpl
    def metalab_canonical_form(self, obj):
        return CanonicalForm("any", type(obj).__name__)


class OfTimedBags(Sound):
    takes = TimedBag


class OfBareBags(Sound):
    takes = BareBag


class OfLostBags(Sound):
    takes = LostBag


class OfHashedBags(Sound):
    takes = HashedBag


class OfLabelledBags(Sound):
    takes = LabelledBag


sound = Plugin(Sound, "sound")
drops_nan = Plugin(DropsNan, "drops_nan")
of_its_hash_seed = Plugin(OfItsHashSeed, "of_its_hash_seed")
without_an_end = Plugin(WithoutAnEnd, "without_an_end")
runs_code = Plugin(RunsCode, "runs_code")
curious = Plugin(Curious, "curious")
eager = Plugin(Eager, "eager")
obliging = Plugin(Obliging, "obliging")
counting = Plugin(Counting, "counting")
tidy = Plugin(Tidy, "tidy")
closing = Plugin(Closing, "closing")
dotted = Plugin(Dotted, "dotted")
misnamed = Yes(Misnamed, "misnamed")
blinkered = Plugin(Blinkered, "blinkered")
grasping = Plugin(Grasping, "grasping")
picky = Plugin(Picky, "picky")
merging = Plugin(Merging, "merging")
unchecked = Plugin(Sound, "unchecked")
claiming = Claiming(Sound, "claiming")
by_time = ByTime(OfTimedBags, "by_time")
bare = Bare(OfBareBags, "bare")
lost = Lost(OfLostBags, "lost")
orderless = Plugin(Orderless, "orderless")
yes = Yes(Sound, "yes")
by_hash = ByHash(OfHashedBags, "by_hash")
by_label = ByLabel(OfLabelledBags, "by_label")
