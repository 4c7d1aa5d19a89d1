"""The kit finds what is wrong: plugins that are wrong in one way fail the test that says so.

Those that they are made of are right, and fail none. All are installed, as metadata on
sys.path, and looked at in a process of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from plugin_tools import install

WRONG = Path(__file__).parent / "wrong"

# The distributions: what they require, the name they serve, and their module.
_MAJOR, _MINOR, *_ = map(int, version("metalab-core").split("."))
RANGE = f"metalab-core>={_MAJOR}.{_MINOR},<{_MAJOR}.{_MINOR + 1}"
HOOKS = """
from metalab.hookspecs import hookimpl

@hookimpl
def metalab_store_config(locator): return None

@hookimpl
def metalab_store_config_from_dict(document): return None
"""
DISTRIBUTIONS = {
    "well-behaved": (RANGE, "well-behaved", HOOKS),
    "hasty": (RANGE, "hasty", f"import wrong_library\n{HOOKS}"),
    "misspelt": (RANGE, "misspelt", HOOKS.replace("config_from", "config_form")),
    "inventive": (RANGE, "inventive", HOOKS.replace("(locator)", "(locator, flavour)")),
    "half": (RANGE, "half", HOOKS.partition("\n@hookimpl\ndef metalab_store_config_from")[0]),
    "endless": (f"metalab-core>={_MAJOR}.{_MINOR}", "endless", HOOKS),
    "outdated": ("metalab-core>=0.0.1,<0.0.2", "outdated", HOOKS),
    "rival": (RANGE, "contested", HOOKS),
    "contested": (RANGE, "contested", HOOKS),
    "capital": (RANGE, "Capital_S", HOOKS),
    "helpful": (RANGE, "helpful", HOOKS + "\ndef metalab_helper(): return None\n"),
}

SOUND = ("sound", "line", "well_behaved")
CAUGHT = {
    "drops_nan": "test_an_object_comes_back_the_same",
    "of_its_hash_seed": "test_another_process_reads_the_object",
    "without_an_end": "test_a_file_without_its_end_is_no_other_object",
    "runs_code": "test_reading_a_file_runs_no_code",
    "curious": "test_can_handle_raises_nothing",
    "eager": "test_can_handle_imports_nothing",
    "obliging": "test_what_it_does_not_take_it_refuses_in_words",
    "counting": "test_the_same_object_gives_the_same_bytes",
    "tidy": "test_an_object_is_left_as_it_was",
    "closing": "test_the_file_stays_open",
    "yes": "test_its_plugin_declines_a_format_it_does_not_write",
    "by_hash": "test_an_identity_is_that_of_every_process",
    "by_label": "test_different_objects_have_different_identities",
    "dotted": "test_its_kind_is_a_word_and_its_extension_has_no_dot",
    "misnamed": "test_its_plugin_finds_it_by_its_format",
    "blinkered": "test_what_is_viewed_is_what_is_loaded",
    "grasping": "test_what_it_takes_of_pythons_own_objects_comes_back_the_same",
    "picky": "test_it_takes_the_objects_it_is_for",
    "merging": "test_different_objects_give_different_bytes",
    "unchecked": "test_a_damaged_file_ends_in_an_error_or_an_object",
    "claiming": "test_it_identifies_no_object_that_it_does_not_know",
    "by_time": "test_equal_objects_have_one_identity",
    "bare": "test_a_canonical_form_is_a_plain_value_or_a_tagged_one",
    "lost": "test_a_parameter_comes_back_from_its_form",
    "orderless": "test_an_object_comes_back_the_same",
    "reordering": "test_each_pass_gives_the_same_points",
    "streaming": "test_a_point_is_the_same_in_any_order",
    "sharing": "test_what_is_done_to_a_point_stays_with_whoever_has_it",
    "rounding": "test_its_manifest_rebuilds_it",
    "counting_points": "test_a_million_points_are_not_enumerated",
    "names_of_its_hash_seed": "test_another_process_has_the_same_points",
    "wrapping": "test_an_index_beyond_the_ends_is_an_index_error",
    "repeating": "test_no_two_points_are_equal",
    "forward_only": "test_indices_from_the_end_count_backwards",
    "lenient": "test_an_index_that_is_no_number_is_a_type_error",
    "listing": "test_a_slice_is_a_source_of_the_same_points",
    "orphaned": "test_its_manifest_is_strict_json_and_names_its_plugin",
    "remembering": "test_its_manifest_is_the_same_whenever_it_is_made",
    "bound": "test_it_travels_to_worker_processes",
    "short": "test_its_length_its_indices_and_its_points_agree",
    "mislabelling": "test_the_fingerprint_of_a_point_is_that_of_its_params",
    "hasty": "test_it_is_loaded_without_what_is_needed_only_later",
    "misspelt": "test_each_of_its_plugins_loads_and_answers_as_its_hooks_say",
    "inventive": "test_each_of_its_plugins_loads_and_answers_as_its_hooks_say",
    "half": "test_hooks_that_need_each_other_are_both_there",
    "endless": "test_it_says_for_which_versions_of_core_it_is_made",
    "outdated": "test_it_is_made_for_the_core_that_is_installed",
    "rival": "test_no_other_distribution_serves_its_names",
    "capital": "test_its_names_are_those_that_its_groups_look_for",
    "helpful": "test_every_function_that_is_called_like_a_hook_is_one",
}


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    """The names of the tests that failed, by plugin, of those that are of interest."""
    root = tmp_path_factory.mktemp("wrong")
    serializers = (WRONG / "wrong_serializers.py").read_text()
    sources = (WRONG / "wrong_sources.py").read_text()
    entries = {
        "metalab.serializers": _objects("wrong_serializers", serializers),
        "metalab.param_sources": _objects("wrong_sources", sources),
    }
    install(root / "objects", "wrong-objects", entries, requires=[RANGE])
    for dist, (requires, name, source) in DISTRIBUTIONS.items():
        module = f"{dist.replace('-', '_')}_plugin"
        stores = {"metalab.stores": {name: module}}
        install(root / dist, dist, stores, requires=[requires], modules={module: source})
    kits = WRONG / "wrong_kits.py"
    tests = [f"{kits}::Test_{name}::{test}" for name, test in CAUGHT.items()]
    tests += [f"{kits}::Test_{name}" for name in SOUND]
    report = root / "report.xml"
    options = ["-q", "-p", "no:cacheprovider", "--noconftest", "-c", os.devnull]
    paths = [WRONG, *sorted(folder for folder in root.iterdir() if folder.is_dir())]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"--junitxml={report}", *tests],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    return _failures(report)


def _objects(module, source):
    """Name the entry points of the objects that a module ends with."""
    names = [line.partition(" = ")[0] for line in source.splitlines() if " = " in line]
    return {name: f"{module}:{name}" for name in names if name.isidentifier() and name[0] != "_"}


def _failures(report):
    found = {}
    for case in ET.parse(report).iter("testcase"):
        kit = case.get("classname").rpartition("Test_")[2]
        failed = found.setdefault(kit, {})
        assert case.find("error") is None, "".join(case.itertext())
        if case.find("failure") is not None:
            failed[case.get("name")] = "".join(case.itertext())
    return found


@pytest.mark.parametrize("name", CAUGHT)
def test_what_is_wrong_fails_the_test_that_says_so(failures, name):
    assert set(failures[name]) == {CAUGHT[name]}


@pytest.mark.parametrize("name", SOUND)
def test_what_the_wrong_ones_are_made_of_is_right(failures, name):
    assert not failures[name], "\n".join(failures[name].values())
