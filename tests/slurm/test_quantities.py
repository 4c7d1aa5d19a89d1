"""Times and sizes mean here what they mean to Slurm."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from metalab_slurm.quantities import memory_text, read_memory, read_time, time_text

TIMES = {
    "90": 5400,
    "90:30": 5430,
    "1:00:00": 3600,
    "12:34:56": 45296,
    "2-12": 216000,
    "2-12:30": 217800,
    "1-06:30:05": 109805,
    " 5 ": 300,
}
SIZES = {"4G": 4096, "500M": 500, "1500": 1500, "1T": 1 << 20, "2048K": 2, "1K": 1, "0": 0}


@pytest.mark.parametrize(("text", "seconds"), TIMES.items())
def test_every_form_of_sbatchs_is_read(text, seconds):
    assert read_time(text) == seconds


def test_a_number_is_minutes_and_a_timedelta_is_itself():
    assert read_time(90) == 5400
    assert read_time(timedelta(hours=1, milliseconds=1)) == 3601


@given(st.integers(1, 400 * 86400))
def test_a_time_that_is_written_is_read_again(seconds):
    assert read_time(time_text(seconds)) == seconds


@given(st.integers(0, 200), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_days_hours_minutes_and_seconds_add_up(days, hours, minutes, seconds):
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if length:
        assert read_time(f"{days}-{hours}:{minutes}:{seconds}") == length.total_seconds()


@pytest.mark.parametrize(
    "text",
    ["", "1:2:3:4", "1-", "-5", "one hour", "1h", "1-2:3:4:5", "٣", "infinite", "1:00:00\n;"],
)
def test_text_that_sbatch_would_refuse_is_refused(text):
    with pytest.raises(ValueError, match=r"^time=.* is no time that sbatch reads: use '90'"):
        read_time(text)


@pytest.mark.parametrize("value", [0, -1, "0:00", timedelta(0), timedelta(-1), 10**12])
def test_no_time_at_all_and_for_ever_are_refused(value):
    with pytest.raises(ValueError, match=r"^max_time=.*: a time limit is more than none"):
        read_time(value, "max_time")


@pytest.mark.parametrize("value", [True, 1.5, None, [1]])
def test_what_is_no_time_is_a_type_error(value):
    with pytest.raises(TypeError, match=r"is no time: give text such as"):
        read_time(value)


@pytest.mark.parametrize(("text", "megabytes"), SIZES.items())
def test_every_size_of_sbatchs_is_read(text, megabytes):
    assert read_memory(text) == megabytes


def test_parts_of_a_megabyte_count_and_a_number_is_megabytes():
    assert read_memory("1.5G") == 1536
    assert read_memory("100k") == 1
    assert read_memory("4 GiB") == 4096
    assert read_memory(512) == 512


@given(st.integers(0, 1 << 36))
def test_a_size_that_is_written_is_read_again(megabytes):
    assert read_memory(memory_text(megabytes)) == megabytes


@pytest.mark.parametrize("value", ["", "G", "-1G", "4X", "4 gigabytes", "1e3", -1, "9999999999T"])
def test_what_is_no_size_is_refused(value):
    with pytest.raises(ValueError, match=r"^memory="):
        read_memory(value)


@pytest.mark.parametrize("value", [True, 1.5, None])
def test_what_is_no_text_and_no_number_is_a_type_error(value):
    with pytest.raises(TypeError, match=r"^memory=.* is no size"):
        read_memory(value)
