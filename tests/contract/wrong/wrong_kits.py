"""The contracts of plugins that are wrong; executed by ``test_wrong_plugins`` alone."""

from __future__ import annotations

import math

import numpy as np
import wrong_serializers
import wrong_sources

from metalab.testing.params import ParamSourceContract
from metalab.testing.plugin import PluginContract
from metalab.testing.sameness import is_same
from metalab.testing.serializer import SerializerContract

WORDS = ("adam", "rmsprop", "sgd", "adagrad", "lion", "adamw")


class Bags(SerializerContract):
    kind = wrong_serializers.Bag

    def objects(self):
        return [
            self.kind(),
            self.kind(WORDS),
            self.kind(["x"], [2.5, 1.5]),
            self.kind(["x"], [1.5]),
            self.kind(["y"], [math.nan, -0.0, math.inf]),
        ]

    def refused(self):
        return ["no bag"]

    def same(self, one, other):
        return type(one) is type(other) and is_same(
            [sorted(one.words), one.numbers], [sorted(other.words), other.numbers]
        )


def bags(name, kit=Bags, **more):
    return type(f"Test_{name}", (kit,), {"format": f"{name}/json", **more})


Test_sound = bags("sound")
Test_drops_nan = bags("drops_nan")
Test_of_its_hash_seed = bags("of_its_hash_seed")
Test_without_an_end = bags("without_an_end")
Test_runs_code = bags("runs_code")
Test_curious = bags("curious")
Test_eager = bags("eager")
Test_obliging = bags("obliging")
Test_counting = bags("counting")
Test_tidy = bags("tidy")
Test_closing = bags("closing")
Test_yes = bags("yes")


Test_dotted = bags("dotted")
Test_misnamed = bags("misnamed")
Test_blinkered = bags("blinkered")
Test_grasping = bags("grasping")
Test_picky = bags("picky")
Test_merging = bags("merging")
Test_unchecked = bags("unchecked", detects_damage=True)
Test_claiming = bags("claiming")


class IdentifiedBags(Bags):
    def parameters(self):
        return [self.kind(WORDS), self.kind(["x"], [1.5]), self.kind(["x"], [2.5])]


Test_by_hash = bags("by_hash", IdentifiedBags, kind=wrong_serializers.HashedBag)
Test_by_label = bags("by_label", IdentifiedBags, kind=wrong_serializers.LabelledBag)


Test_by_time = bags("by_time", IdentifiedBags, kind=wrong_serializers.TimedBag)
Test_bare = bags("bare", IdentifiedBags, kind=wrong_serializers.BareBag)
Test_lost = bags("lost", IdentifiedBags, kind=wrong_serializers.LostBag)


class Orderless(SerializerContract):
    format = "orderless/bin"

    def objects(self):
        return [np.array([1, 2], "<i4"), np.array([1, 2], ">i4"), np.zeros((2, 0))]

    def same(self, one, other):
        is_one = (one.dtype.str, one.shape) == (other.dtype.str, other.shape)
        return is_one and one.tobytes() == other.tobytes()


Test_orderless = type("Test_orderless", (Orderless,), {})


class Lines(ParamSourceContract):
    kind = wrong_sources.Line

    def source(self):
        return self.kind(5)

    def many(self):
        return self.kind(10**6)


def lines(kind):
    return type(f"Test_{kind.kind}", (Lines,), {"kind": kind})


Test_line = lines(wrong_sources.Line)
Test_reordering = lines(wrong_sources.Reordering)
Test_streaming = lines(wrong_sources.Streaming)
Test_sharing = lines(wrong_sources.Sharing)
Test_rounding = lines(wrong_sources.Rounding)
Test_counting_points = lines(wrong_sources.Counting)
Test_names_of_its_hash_seed = lines(wrong_sources.OfItsHashSeed)
Test_wrapping = lines(wrong_sources.Wrapping)
Test_repeating = lines(wrong_sources.Repeating)
Test_forward_only = lines(wrong_sources.ForwardOnly)
Test_lenient = lines(wrong_sources.Lenient)
Test_listing = lines(wrong_sources.Listing)
Test_orphaned = lines(wrong_sources.Orphaned)
Test_remembering = lines(wrong_sources.Remembering)
Test_bound = lines(wrong_sources.Bound)
Test_short = lines(wrong_sources.Short)
Test_mislabelling = lines(wrong_sources.Mislabelling)


def distribution(name, *libraries):
    return type(
        f"Test_{name}",
        (PluginContract,),
        {"distribution": name.replace("_", "-"), "libraries": libraries},
    )


Test_well_behaved = distribution("well_behaved", "wrong_library")
Test_hasty = distribution("hasty", "wrong_library")
Test_misspelt = distribution("misspelt")
Test_inventive = distribution("inventive")
Test_half = distribution("half")
Test_endless = distribution("endless")
Test_outdated = distribution("outdated")
Test_rival = distribution("rival")
Test_capital = distribution("capital")
Test_helpful = distribution("helpful")
