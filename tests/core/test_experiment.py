"""An experiment is checked when it is made, and describes itself as strict JSON."""

from __future__ import annotations

import json
import pickle
import re

import attrs
import pytest

import metalab
from metalab.context import freeze
from metalab.errors import IdentityError
from metalab.params import ParamCase, source_from_manifest
from metalab.seeds import SeedBundle, SeedPlan


@metalab.operation
def op(params):
    return {"x": params["x"]}


@metalab.context_spec
class Setting:
    n: int = 1


def double(meta, params):
    return {**params, "double": 2 * params["x"]}


def plain_function(params):
    return params


class Sobol:
    """A source that lies outside the algebra."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return ParamCase.of({"x": (0,)[index]})

    def __iter__(self):
        return iter([self[0]])

    def to_manifest_dict(self):
        return {"type": "sobol"}


def make(**changes):
    fields = {
        "name": "study",
        "version": "1.0",
        "context": Setting(),
        "operation": op,
        "params": metalab.grid(x=[1, 2]),
        "seeds": metalab.seeds(base=3, replicates=2),
    }
    return metalab.Experiment(**{**fields, **changes})


class TestFields:
    def test_they_may_be_given_by_place_or_by_name(self):
        context, params, seeds = Setting(), metalab.grid(x=[1]), metalab.seeds(1)
        experiment = metalab.Experiment("a", "1", context, op, params, seeds, "words", ["t"])
        assert experiment.experiment_id == "a:1"
        assert experiment.context is context
        assert experiment.operation is op
        assert experiment.params is params
        assert experiment.seeds is seeds
        assert (experiment.description, experiment.tags) == ("words", ["t"])
        assert make().experiment_id == "study:1.0"

    def test_what_may_be_left_out_is_empty(self):
        experiment = make()
        assert (experiment.description, experiment.tags, experiment.param_resolver) == (
            None,
            [],
            None,
        )
        assert (experiment.metadata, experiment.defaults) == ({}, {})
        assert experiment.allow_pickle is False

    def test_it_is_frozen_and_keeps_copies_of_what_could_change(self):
        metadata, tags, defaults = {"a": [1]}, ["t"], {"c": [1]}
        experiment = make(metadata=metadata, tags=tags, defaults=defaults)
        metadata["a"].append(2)
        tags.append("u")
        defaults["c"].append(2)
        assert experiment.metadata == {"a": [1]}
        assert experiment.tags == ["t"]
        assert experiment.defaults == {"c": [1]}
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            experiment.name = "other"

    @pytest.mark.parametrize("context", [None, {}, [1], {"a": 1}])
    def test_plain_values_are_contexts(self, context):
        assert make(context=context).context is context

    def test_any_param_source_will_do(self):
        source = Sobol()
        assert make(params=source).params is source

    def test_it_is_pickled(self):
        experiment = make(metadata={"a": 1}, param_resolver=double)
        again = pickle.loads(pickle.dumps(experiment))
        assert again.experiment_id == experiment.experiment_id
        assert again.operation is op
        assert list(again.params) == list(experiment.params)
        assert again.seeds == experiment.seeds


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "error", "text"),
        [
            ({"name": ""}, ValueError, "name is empty"),
            ({"name": "  "}, ValueError, "name is empty"),
            ({"name": "a:b"}, ValueError, "name='a:b' holds a ':'"),
            ({"name": "a\nb"}, ValueError, "name='a\\nb' holds a character that cannot be printed"),
            ({"name": "a\x00"}, ValueError, "cannot be printed"),
            ({"name": "\ud800"}, ValueError, "cannot be printed"),
            ({"name": 5}, TypeError, "did you mean name='5'?"),
            ({"version": ""}, ValueError, "version is empty"),
            ({"version": 1.0}, TypeError, "did you mean version='1.0'?"),
            ({"version": "1\t"}, ValueError, "cannot be printed"),
            ({"context": Setting}, TypeError, "did you mean Setting(...)?"),
            (
                {"operation": plain_function},
                TypeError,
                "operation=plain_function is not decorated; write @metalab.operation above it",
            ),
            ({"operation": 5}, TypeError, "decorated with @metalab.operation, not 5"),
            (
                {"params": {"x": [1]}},
                TypeError,
                "did you mean metalab.grid(**{'x': [1]}), or metalab.manual([{'x': [1]}])",
            ),
            ({"params": [{"x": 1}]}, TypeError, "did you mean metalab.manual([{'x': 1}])?"),
            ({"params": 5}, TypeError, "did you mean metalab.grid(...) or"),
            ({"params": metalab.GridSource}, TypeError, "params is a param source"),
            ({"seeds": 5}, TypeError, "did you mean metalab.seeds(base=5)?"),
            ({"seeds": SeedBundle(7, 1)}, TypeError, "did you mean metalab.seeds(base=7)?"),
            ({"seeds": None}, TypeError, "did you mean metalab.seeds(base=0)?"),
            ({"seeds": True}, TypeError, "did you mean metalab.seeds(base=0)?"),
            ({"description": 5}, TypeError, "description is a str, not 5"),
            ({"tags": "quick"}, TypeError, "did you mean tags=['quick']?"),
            ({"description": "\ud800"}, ValueError, "description '\\ud800' holds half of"),
            ({"tags": ["a", 5]}, TypeError, "tags[1] is a str, not 5"),
            ({"tags": None}, TypeError, "tags is a list of str, not None"),
            ({"tags": {"a": 1}}, TypeError, "tags is a list of str, not {'a': 1}"),
            ({"tags": ["a", "\ud800"]}, ValueError, "tags[1] '\\ud800' holds half of a surrogate"),
            ({"allow_pickle": "no"}, TypeError, "allow_pickle is True or False, not 'no'"),
            ({"allow_pickle": None}, TypeError, "allow_pickle is True or False, not None"),
            ({"param_resolver": 5}, TypeError, "the resolver 5 is neither"),
            ({"metadata": [1]}, TypeError, "metadata is a dict of values by name, not [1]"),
            ({"metadata": {1: 2}}, TypeError, "metadata: the name 1 is of type int"),
            ({"metadata": {"a": {"b": [object()]}}}, IdentityError, "metadata['a']['b'][0]: "),
            ({"defaults": 5}, TypeError, "defaults is a dict of values by name, not 5"),
            ({"defaults": {"f": lambda: 1}}, IdentityError, "defaults['f']: "),
        ],
    )
    def test_bad_input_is_refused_at_once_with_what_was_meant(self, changes, error, text):
        with pytest.raises(error, match=re.escape(text)):
            make(**changes)

    def test_non_json_metadata_is_a_type_error_that_names_the_place(self):
        with pytest.raises(TypeError, match=re.escape("metadata['model']")):
            make(metadata={"model": object()})


class TestManifest:
    def test_it_is_strict_json_that_says_what_was_run(self):
        experiment = make(
            description="why",
            tags=["t"],
            metadata={"note": (1, float("nan"))},
            defaults={"c": 2**70},
            allow_pickle=True,
        )
        frozen = freeze(experiment.context)
        document = json.loads(json.dumps(experiment.to_manifest(frozen), allow_nan=False))
        assert document == {
            "name": "study",
            "version": "1.0",
            "description": "why",
            "tags": ["t"],
            "metadata": {"note": {"$tuple": [1, {"$float": "nan"}]}},
            "operation": {"name": "op", "ref": op.ref},
            "params": experiment.params.to_manifest_dict(),
            "param_names": ["x"],
            "param_resolver": None,
            "seeds": {"type": "SeedPlan", "base_seed": 3, "replicates": 2},
            "context": frozen.manifest,
            "defaults": {"c": {"$int": str(2**70)}},
            "allow_pickle": True,
        }

    def test_params_and_seeds_come_back_from_it(self):
        experiment = make(params=metalab.grid(x=[1, 2]) * metalab.manual([{"y": 1}]))
        document = json.loads(json.dumps(experiment.to_manifest(freeze(None))))
        assert list(source_from_manifest(document["params"])) == list(experiment.params)
        assert SeedPlan.from_manifest_dict(document["seeds"]) == experiment.seeds

    def test_it_changes_nothing_in_the_experiment(self):
        experiment = make(metadata={"a": {"b": 1}}, defaults={"c": 1})
        document = experiment.to_manifest(freeze(None))
        document["metadata"]["a"]["b"] = 2
        document["defaults"]["c"] = 2
        assert experiment.metadata == {"a": {"b": 1}}
        assert experiment.defaults == {"c": 1}

    @pytest.mark.parametrize(
        ("resolver", "text"), [(double, f"{__name__}:double"), (lambda _, p: p, "<lambda>")]
    )
    def test_a_resolver_is_named(self, resolver, text):
        experiment = make(param_resolver=resolver)
        document = json.loads(json.dumps(experiment.to_manifest(freeze(None))))
        assert text in document["param_resolver"]
        assert document["param_names"] is None

    def test_names_that_only_a_look_could_tell_are_left_out(self):
        assert make(params=Sobol()).param_names is None
        assert make(params=Sobol()).to_manifest(freeze(None))["params"] == {"type": "sobol"}
