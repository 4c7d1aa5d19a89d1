"""The benchmark command: every row is printed, and what exceeds its limit is found."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from math import prod
from pathlib import Path

import attrs
import pytest

from benchmarks import command, pg_rows, slurm_rows
from benchmarks.cost import EFFICIENCY, THROUGHPUT, Cost
from benchmarks.limits import LIMITS, SLACK, AtLeast, AtMost, Efficiency
from benchmarks.measure import Bench, Phase, PhaseError
from benchmarks.peers import PEERS, POOLS
from benchmarks.report import PeerRow, Row, peer_table, table
from benchmarks.slurm_work import count_calls, counted_calls
from benchmarks.work import compute, sweep

FOLDER = Path(__file__).parent


def row(times, *, key="W1", runs=10_000, peak_mb=50.0, judged=True):
    limit = LIMITS[key] if judged else None
    return Row(key, "some work", 10.0, 10.0 * times, runs=runs, peak_mb=peak_mb, limit=limit)


def reached(percent, *, floor, limit):
    return Row("W5", "some work", floor, percent, unit="%", limit=limit)


def cost(wall_us):
    return Cost(1.0, wall_us, 10.0, 20.0, 0.0, 0.0)


def called(folder, *options):
    call = [sys.executable, str(FOLDER), "--dir", str(folder), "--repetitions", "1", *options]
    return subprocess.run(call, capture_output=True, text=True, check=False)


class TestVerdict:
    def test_at_the_limit_is_ok(self):
        assert row(LIMITS["W1"].times).verdict == "ok"

    def test_a_little_over_is_said_but_does_not_fail(self):
        over = row(LIMITS["W1"].times * 1.2)
        assert (over.verdict, over.fails) == ("over", False)

    def test_beyond_the_slack_fails(self):
        beyond = row(LIMITS["W1"].times * SLACK * 1.01)
        assert (beyond.verdict, beyond.fails) == ("FAIL", True)

    def test_few_runs_are_shown_not_judged(self):
        few = row(100, runs=1_000)
        assert (few.verdict, few.fails) == ("-", False)

    def test_what_is_there_to_be_known_is_not_judged(self):
        assert not row(100, judged=False).fails

    def test_memory_beyond_its_limit_fails_however_fast(self):
        assert row(0.1, key="W6", peak_mb=1_000.0).fails
        assert not row(0.1, key="W6", peak_mb=100.0).fails

    def test_memory_without_a_limit_is_only_shown(self):
        assert not row(0.1, key="W1", peak_mb=1_000.0).fails

    def test_a_phase_that_fails_fails_whatever_the_number_of_runs(self):
        failed = Row("W1", "some work", 10.0, None, runs=10, reason="it broke")
        assert failed.fails
        assert "it broke" in table([failed])


class TestMoreIsBetter:
    def test_at_least_so_many_times_the_floor(self):
        rows = [attrs.evolve(row(times), limit=AtLeast(1.6)) for times in (1.7, 1.5, 1.2)]
        assert [each.verdict for each in rows] == ["ok", "over", "FAIL"]
        assert ">= 1.6x" in table(rows)

    def test_at_least_so_many_percent_of_which_the_loss_is_compared(self):
        limit = Efficiency(92.0)
        rows = [reached(percent, floor=97.0, limit=limit) for percent in (92.1, 91.0, 89.0)]
        assert [each.verdict for each in rows] == ["ok", "over", "FAIL"]
        assert ">= 92 %" in table(rows)

    def test_a_busy_machine_asks_for_what_its_floor_reaches(self):
        assert reached(60.0, floor=60.0, limit=Efficiency(92.0)).verdict == "ok"
        assert reached(30.0, floor=60.0, limit=Efficiency(92.0)).fails

    def test_at_least_the_floor_but_for_a_little(self):
        limit = Efficiency(below=1.0)
        rows = [reached(percent, floor=96.0, limit=limit) for percent in (95.0, 94.0, 93.0)]
        assert [each.verdict for each in rows] == ["ok", "over", "FAIL"]
        assert ">= floor - 1 %" in table(rows)

    def test_a_peer_is_judged_where_metalab_has_to_be_ahead(self):
        ahead, behind = (
            PeerRow("W5", "other", theirs, 95.0, unit="%", limit=Efficiency())
            for theirs in (90.0, 99.0)
        )
        assert (ahead.verdict, ahead.times > 1, ahead.fails) == ("ok", True, False)
        assert (behind.verdict, behind.times < 1, behind.fails) == ("FAIL", True, True)

    def test_a_peer_that_is_absent_judges_nothing(self):
        absent = PeerRow("W5", "other", None, None, reason="not installed", limit=Efficiency())
        assert (absent.verdict, absent.fails) == ("-", False)

    def test_metalab_failing_beside_a_peer_fails(self):
        assert PeerRow("W5", "other", 90.0, None, reason="broke", limit=Efficiency()).fails


class TestGauges:
    def test_efficiency_is_the_share_of_the_time_in_which_two_workers_compute(self):
        assert EFFICIENCY.read(cost(1_000.0), 0.001) == pytest.approx(50.0)

    def test_throughput_counts_runs_a_second(self):
        assert THROUGHPUT.read(cost(20.0), 0.0) == pytest.approx(50_000.0)

    def test_of_times_the_best_counts(self):
        samples = [cost(30.0), cost(20.0), cost(40.0)]
        assert EFFICIENCY.of(samples) is samples[1]


class TestTables:
    def test_figures_ratio_and_verdict_stand_in_one_line(self):
        line = table([row(2.5)]).splitlines()[-1]
        assert line.split("  ")[0] == "W1"
        for text in ("10,000", "10.0 us", "25.0 us", "2.50x", "3x", "ok"):
            assert text in line

    def test_markdown_has_a_rule_below_its_head(self):
        lines = table([row(2.5)], markdown=True).splitlines()
        assert len({line.count("|") for line in lines}) == 1
        assert set(lines[1]) == set("|- ")

    def test_a_peer_is_so_many_times_metalab(self):
        told = peer_table([PeerRow("W1", "other", 300.0, 30.0, runs=10)]).splitlines()[-1]
        assert "10.0x" in told

    def test_a_peer_that_is_absent_says_so(self):
        absent = PeerRow("W1", "other", None, None, runs=10, reason="not installed")
        assert "not installed" in peer_table([absent])

    def test_a_failure_of_metalab_is_told_beside_the_peers_figure(self):
        failed = PeerRow("W1", "other", 300.0, None, runs=10, reason="exits with 1")
        told = peer_table([failed]).splitlines()[-1]
        assert "300 us" in told
        assert "exits with 1" in told


class TestWork:
    @pytest.mark.parametrize("runs", [1, 7, 10, 50, 2_000, 1_000_000])
    def test_ten_params_and_as_many_points_as_asked_for(self, runs):
        values = sweep(runs)
        assert len(values) == 10
        assert prod(map(len, values.values())) == runs
        assert all(len(set(choices)) == len(choices) for choices in values.values())

    def test_computing_takes_a_processor_for_so_long(self):
        begun = time.thread_time()
        compute(0.01)
        assert 0.01 <= time.thread_time() - begun < 0.1


class TestMeasuring:
    def test_a_phase_that_breaks_is_told_with_its_last_words(self, tmp_path):
        (cost,) = Bench(tmp_path).take_turns([Phase("floors:absent")], 10, 1)
        assert isinstance(cost, PhaseError)
        assert "absent" in str(cost)

    def test_a_phase_finds_what_the_one_before_it_left(self, tmp_path):
        resume = Phase("floors:resume", after=Phase("floors:append"))
        (cost,) = Bench(tmp_path).take_turns([resume], 10, 2)
        assert cost.cpu_us > 0
        assert cost.peak_mb >= cost.before_mb > 1
        assert cost.files == 1 / 10

    def test_what_another_measured_in_the_folder_is_not_found_again(self, tmp_path):
        # metalab would find all its runs done, and have nothing to do.
        for _ in range(2):
            (cost,) = Bench(tmp_path).take_turns([Phase("ours:append")], 20, 1)
            assert isinstance(cost, Cost)

    def test_a_phase_that_deals_with_fewer_runs_is_no_sample(self, tmp_path):
        (tmp_path / "runs.jsonl").write_text('{"id": "other"}\n')
        call = [sys.executable, "-m", "benchmarks.child", "floors:resume", "10", str(tmp_path), "0"]
        done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=FOLDER.parent)
        assert done.returncode == 1
        assert "0 of 10 runs" in done.stderr


class TestSlurm:
    def test_calls_of_commands_are_counted_by_whomever_they_are_made(self, tmp_path, monkeypatch):
        (tmp_path / "bin").mkdir()
        for name in ("sbatch", "squeue"):
            (tmp_path / "bin" / name).write_text('#!/bin/sh\necho "$@"\n')
            (tmp_path / "bin" / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
        count_calls(tmp_path)
        said = subprocess.check_output(
            ["sh", "-c", "sbatch a 'b c'; squeue d; squeue e"], text=True
        )
        assert said.splitlines() == ["a b c", "d", "e"]
        assert counted_calls(tmp_path) == {"sbatch": 1, "squeue": 2}

    @pytest.mark.parametrize(("wanted", "code"), [("0", 0), ("1", 1)])
    def test_without_slurm_it_is_left_out_in_words(self, monkeypatch, capsys, wanted, code):
        monkeypatch.setattr(slurm_rows, "absent", lambda: "slurmd")
        monkeypatch.setenv("METALAB_REQUIRE_ALL", wanted)
        assert command.main(["--only", "W7"]) == code
        assert "no slurmd" in capsys.readouterr().out

    @pytest.mark.skipif(bool(slurm_rows.absent()), reason=f"{slurm_rows.absent()} not installed")
    def test_chunks_by_hand_execute_every_run_once(self, tmp_path):
        with slurm_rows.cluster():
            (cost,) = Bench(tmp_path).take_turns([Phase("slurm_floors:chunks")], 30, 1)
        assert isinstance(cost, Cost), cost
        written = [*tmp_path.glob("slurm_floors-chunks-30-*/work/records/*.json")]
        assert len(written) == 30


@pytest.mark.parametrize(("wanted", "code"), [("0", 0), ("1", 1)])
def test_without_postgres_it_is_left_out_in_words(monkeypatch, capsys, wanted, code):
    monkeypatch.setattr(pg_rows, "absent", lambda: "no PostgreSQL is here")
    monkeypatch.setenv("METALAB_REQUIRE_ALL", wanted)
    assert command.main(["--only", "P1"]) == code
    assert "P1 was left out: no PostgreSQL is here" in capsys.readouterr().out


class TestCommand:
    @pytest.mark.slow
    def test_it_prints_every_row(self, tmp_path):
        done = called(tmp_path, "--check", "--runs", "20")
        # Twenty runs are too few to be judged; importing is judged, and the machine may be busy.
        assert done.returncode in {0, 1}, done.stderr
        lines = done.stdout.splitlines()
        rows = Counter(
            line.split()[0]
            for line in lines
            if any(unit in line for unit in (" us ", " ms ", " % ", " /s ", " calls "))
        )
        expected = Counter(
            S1=1, S2=2, S3=2, S4=1, S5=1, S6=1, S7=2, S8=2, W1=2, W2=1, W3=2, W4=2, W5=7, W6=1
        )
        expected["P1"] = 0 if pg_rows.absent() else 6
        expected["W7"] = 0 if slurm_rows.absent() else 6
        assert rows == +expected
        assert " failed: " not in done.stdout
        assert not list(tmp_path.iterdir())

    def test_it_prints_the_rows_that_are_asked_for(self, tmp_path):
        done = called(tmp_path, "--runs", "20", "--only", "S4", "S7", "W3")
        assert done.returncode == 0, done.stderr
        rows = [line.split()[0] for line in done.stdout.splitlines() if " us " in line]
        assert rows == ["S4", "S7", "S7", "W3", "W3"]
        assert not list(tmp_path.iterdir())

    def test_peers_are_measured_or_said_to_be_absent(self, tmp_path):
        done = called(tmp_path, "--runs", "10", "--peers", "--only", "W1")
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        for peer in PEERS:
            (told,) = [line for line in lines if f"  {peer.name}  " in line]
            assert peer.is_installed != ("not installed" in told)

    def test_other_workers_are_measured_or_said_to_be_absent(self, tmp_path):
        done = called(tmp_path, "--runs", "10", "--peers", "--only", "W5")
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        for pool in POOLS:
            told = [line for line in lines if f"  {pool.name}, " in line]
            assert len(told) == 3
            assert all(pool.is_installed != ("not installed" in line) for line in told)

    def test_check_exits_with_1_for_an_exceeded_limit(self, monkeypatch, capsys):
        monkeypatch.setattr(
            command, "import_rows", lambda *_: iter([row(100, key="W4", runs=None)])
        )
        assert command.main(["--only", "W4", "--check"]) == 1
        assert command.main(["--only", "W4"]) == 0
        assert "FAIL" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("turns", "asked", "code"),
        [
            (1, [["W1", "W4"]], 1),
            (2, [["W1", "W4"], ["W1"]], 1),
            (5, [["W1", "W4"], ["W1"], ["W1"]], 0),
        ],
    )
    def test_what_is_beyond_its_limit_is_measured_anew_and_nothing_else(
        self, monkeypatch, turns, asked, code
    ):
        figures = {"W1": iter([100, 100, 1]), "W4": iter([1])}
        measured = []

        def measure(_bench, _options, keys):
            measured.append(list(keys))
            return iter([row(next(figures[key]), key=key, runs=None) for key in keys])

        monkeypatch.setattr(command, "_measured", measure)
        options = ["--only", "W1", "W4", "--check", "--turns", str(turns)]
        assert command.main(options) == code
        assert measured == asked

    @pytest.mark.skipif(bool(pg_rows.absent()), reason=str(pg_rows.absent()))
    def test_a_turn_begins_anew(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setitem(LIMITS, "P1 counts", AtMost(1e-9))
        options = ["--only", "P1", "S4", "--runs", "20", "--repetitions", "1", "--turns", "2"]
        assert command.main([*options, "--dir", str(tmp_path)]) == 0
        told = capsys.readouterr()
        assert told.err.count("measuring P1 counts") == 2
        assert told.err.count("measuring S4") == 1
        assert not list(tmp_path.iterdir())

    def test_check_exits_with_0_within_the_limits(self, monkeypatch, capsys):
        rows = [row(1, key="W4", runs=None)]
        monkeypatch.setattr(command, "import_rows", lambda *_: iter(rows))
        assert command.main(["--only", "W4", "--check"]) == 0
        assert "ok" in capsys.readouterr().out
