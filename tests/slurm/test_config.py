"""What is asked of Slurm is checked in words before anything is submitted."""

from __future__ import annotations

import json
import sys

import attrs
import pytest
from hypothesis import given, strategies as st

from metalab_slurm.config import SlurmConfig
from metalab_slurm.site import Site

SITE = Site()


def test_the_first_options_may_be_given_by_position():
    config = SlurmConfig(
        "gpu", "2-00", 8, "16G", 2, 10, 5, ["cuda"], "base", ["ulimit -c 0"], {"mail-type": "END"}
    )
    assert config.partition == "gpu"
    assert (config.seconds, config.megabytes, config.runs_each) == (172800, 16384, 5)
    assert config.modules == ("cuda",)
    assert config.extra_sbatch == {"mail-type": "END"}


def test_times_and_sizes_are_equal_by_what_they_mean():
    assert SlurmConfig(time="60", memory="1G") == SlurmConfig(time="1:00:00", memory=1024)
    assert SlurmConfig(memory="0").megabytes == 0
    assert SlurmConfig(memory=None).megabytes is None


def test_a_single_line_is_one_line_and_not_its_letters():
    assert SlurmConfig(modules="cuda", setup="true").modules == ("cuda",)


@pytest.mark.parametrize(("time", "margin"), [("1", 15), ("10", 60), ("20", 120), ("7-00", 120)])
def test_runs_are_warned_a_tenth_of_the_time_before_the_end(time, margin):
    assert SlurmConfig(time=time).margin_seconds == margin


def test_a_margin_of_the_users_own_is_kept_when_more_is_asked_for():
    assert SlurmConfig(margin=30).more(time=4).margin_seconds == 30


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"cpus": 0}, ValueError, "cpus=0: at least 1 is needed"),
        ({"cpus": None}, TypeError, "cpus is a whole number, not None"),
        ({"cpus": 1.5}, TypeError, "cpus is a whole number, not 1.5"),
        ({"gpus": -1}, ValueError, "gpus=-1: at least 0 is needed"),
        ({"pilots": True}, TypeError, "pilots is a whole number, not True"),
        ({"max_requeues": -1}, ValueError, "max_requeues=-1: at least 0"),
        ({"attempts": 0}, ValueError, "attempts=0: at least 1"),
        ({"time": "soon"}, ValueError, "time='soon' is no time"),
        ({"memory": "much"}, ValueError, "memory='much' is no size"),
        ({"partition": "a\nb"}, ValueError, r"partition is 'a\\nb': it has to stay on one line"),
        ({"qos": "a\0"}, ValueError, "qos is"),
        ({"account": " "}, ValueError, "account is empty"),
        ({"modules": ["a", ""]}, ValueError, "modules is empty"),
        ({"setup": [1]}, TypeError, "setup is 1, which is no text"),
        ({"python": "python3"}, ValueError, "python='python3': .* absolute path"),
        ({"margin": 3601}, ValueError, "margin=3601: a job of 01:00:00 has no such time"),
        ({"margin": 70000, "time": "9-0"}, ValueError, "margin=70000"),
        ({"poll": 0}, ValueError, "poll=0"),
        ({"poll": float("inf")}, ValueError, "poll=inf"),
        ({"poll": "5"}, TypeError, "poll='5' is no number"),
        ({"snapshot": 1}, TypeError, "snapshot=1: give True or False"),
        ({"chunk_size": 2, "runs_per_pilot": 2}, ValueError, "mean the same: give one of them"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_words(options, error, words):
    with pytest.raises(error, match=words):
        SlurmConfig(**options)


@pytest.mark.parametrize(
    "name",
    ["-a", "--array", "array", "arr", "o", "-o", "--output", "job_name", "J", "signal", "requeue",
     "no-requeue", "no_requeue", "open-mode", "open", "chdir", "D", "parsable", "wrap", "W", "wait",
     "export", "export-file", "M", "clusters", "test-only", "e", "error"],
)  # fmt: skip
def test_options_of_metalabs_own_are_refused_in_any_spelling(name):
    with pytest.raises(ValueError, match=r"is sbatch's --[a-z-]+: leave it out"):
        SlurmConfig(extra_sbatch={name: "1"})


@pytest.mark.parametrize(
    ("name", "field"),
    [("-p", "partition"), ("part", "partition"), ("--mem", "memory"), ("time", "time"),
     ("t", "time"), ("c", "cpus"), ("cpus_per_task", "cpus"), ("A", "account"), ("q", "qos"),
     ("C", "constraint")],
)  # fmt: skip
def test_an_option_that_has_a_field_is_refused_with_the_fields_name(name, field):
    with pytest.raises(ValueError, match=rf"has a field of its own: use {field}="):
        SlurmConfig(extra_sbatch={name: "1"})


@pytest.mark.parametrize("name", ["", "-", "a b", "x=y", "naïve", 3, "a\nb", "--x;y"])
def test_what_is_no_options_name_is_refused(name):
    with pytest.raises(ValueError, match="is no name of an sbatch option"):
        SlurmConfig(extra_sbatch={name: "1"})


def test_flags_have_no_value_and_false_leaves_an_option_out():
    given = {"exclusive": True, "contiguous": None, "hold": False, "--nice": 5, "x": "n1"}
    wanted = {"exclusive": None, "contiguous": None, "nice": "5", "x": "n1"}
    assert SlurmConfig(extra_sbatch=given).extra_sbatch == wanted


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mail-type": ["END"]}, "is no text and no number"),
        ({"comment": "a\nb"}, "it has to stay on one line"),
        ({"comment": ""}, "is empty"),
        ({"mail-type": "END", "--mail_type": "ALL"}, "names 'mail-type' twice"),
        (["exclusive"], "is no mapping"),
    ],
)
def test_values_that_no_line_holds_are_refused(options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        SlurmConfig(extra_sbatch=options)


@pytest.mark.parametrize(
    "options",
    [
        {"gpus": 1, "extra_sbatch": {"gres": "gpu:2"}},
        {"gpus": 1, "extra_sbatch": {"G": 2}},
        {"extra_sbatch": {"mem-per-cpu": "1G"}},
    ],
)
def test_an_option_that_contradicts_a_field_is_refused(options):
    with pytest.raises(ValueError, match=r"contradicts .*; for it set (gpus=0|memory=None)"):
        SlurmConfig(**options)


def test_memory_by_cpu_is_asked_for_without_memory():
    assert SlurmConfig(memory=None, extra_sbatch={"mem_per_cpu": "1G"}).memory is None


def test_more_is_scaled_capped_and_never_less():
    config = SlurmConfig(time="1:00:00", memory="4G")
    assert config.more(2, 1.5) == SlurmConfig(time="1:30:00", memory="8G")
    assert config.more(memory=8, max_memory="16G").memory == "16G"
    assert config.more(time=8, max_time="2:00:00").seconds == 7200
    assert config.more(2, 2, max_memory="1G", max_time=1) == config
    assert SlurmConfig(memory="0").more(2).memory == "0"
    assert SlurmConfig(memory=None).more(2).memory is None


@pytest.mark.parametrize("factor", [0.5, 0, -1, float("nan"), "2", True])
def test_more_is_no_less(factor):
    with pytest.raises(ValueError, match=r"^memory=.*: more is a factor of 1 or above"):
        SlurmConfig().more(memory=factor)


@pytest.mark.parametrize(
    ("options", "runs", "pilots"),
    [
        ({}, 5, 5),
        ({}, 1000, 32),
        ({"workers_per_pilot": 4}, 100, 25),
        ({"pilots": 100}, 1000, 100),
        ({"pilots": 100}, 7, 7),
        ({"runs_per_pilot": 10}, 95, 10),
        ({"chunk_size": 10}, 95, 10),
        ({"runs_per_pilot": 10, "max_concurrent": 4}, 95, 4),
        ({"max_concurrent": 50}, 1000, 50),
        ({"max_concurrent": 50, "workers_per_pilot": 2}, 40, 20),
        ({"runs_per_pilot": 1}, 10**6, 1000),
        ({"pilots": 3}, 0, 1),
    ],
)
def test_there_are_as_many_pilots_as_are_worth_it(options, runs, pilots):
    assert SlurmConfig(**options).pilots_for(runs, SITE) == pilots


def test_there_are_no_more_pilots_than_an_array_has_tasks():
    assert SlurmConfig(pilots=500).pilots_for(10**4, Site(max_array_size=8)) == 8


def test_the_interpreter_is_the_one_that_submits():
    assert SlurmConfig().python == sys.executable
    assert SlurmConfig(python="/opt/py/bin/python").python == "/opt/py/bin/python"


CONFIGS = st.builds(
    SlurmConfig,
    time=st.integers(2, 10**5),
    memory=st.none() | st.integers(0, 10**7),
    cpus=st.integers(1, 128),
    pilots=st.none() | st.integers(1, 99),
    setup=st.lists(
        st.text(st.characters(exclude_characters="\n\r\0"), min_size=1).filter(str.strip)
    ),
    extra_sbatch=st.dictionaries(
        st.sampled_from(["exclusive", "nice", "comment"]), st.sampled_from([True, False, 3, "a b"])
    ),
    poll=st.floats(0.1, 1000),
)


@given(CONFIGS)
def test_a_configuration_survives_strict_json(config):
    text = json.dumps(config.to_dict(), allow_nan=False)
    assert SlurmConfig.from_dict(json.loads(text)) == config


def test_every_field_is_written():
    assert list(SlurmConfig().to_dict()) == [field.name for field in attrs.fields(SlurmConfig)]


def test_an_option_that_there_is_not_is_named_with_those_that_there_are():
    with pytest.raises(
        ValueError, match=r"^'mem' is no option of SlurmConfig; there are partition"
    ):
        SlurmConfig.from_dict({"mem": "4G"})
