"""Runs whose jobs died for the lack of memory or time are given more of it."""

from __future__ import annotations

import pytest

from metalab_slurm import SlurmConfig, SlurmRetry
from metalab_slurm.escalation import Escalation
from slurm.slurm_operations import greedy
from slurm.slurm_tools import experiment, losses, output, run, successes


class TestRules:
    def test_each_death_asks_for_more_up_to_a_most(self):
        rules = Escalation.of(SlurmRetry(on_oom=2, on_timeout=1, max_memory="3G"))
        base = SlurmConfig(memory="1G")
        asked = [rules.config(base, {"memory": n}).megabytes for n in range(4)]
        assert asked == [1024, 2048, 3072, 3072]
        assert rules.steps(base) == 2
        assert rules.level(base, {"memory": 9, "timeout": 4}) == {"memory": 2}

    def test_what_can_be_had_no_more_of_is_no_bar(self):
        rules = Escalation.of(SlurmRetry(on_oom=2, on_timeout=1.5, max_memory="2G", max_time="90"))
        base = SlurmConfig(memory="1G", time="60")
        assert rules.allowance(base, {}) == {"memory": 0, "timeout": 0}
        assert rules.allowance(base, {"memory": 1}) == {"timeout": 0}
        assert rules.allowance(base, {"memory": 1, "timeout": 1}) == {}

    def test_without_a_policy_nothing_more_is_asked_for(self):
        rules = Escalation()
        base = SlurmConfig()
        assert rules.config(base, {"memory": 3, "timeout": 3}) == base
        assert rules.allowance(base, {}) == {}

    @pytest.mark.parametrize("factor", [0.5, 0, -1])
    def test_less_is_refused(self, factor):
        with pytest.raises(ValueError, match="less than before"):
            SlurmRetry(on_oom=factor)


@pytest.mark.slurm
class TestMemory:
    def test_a_run_killed_for_its_memory_gets_more_and_the_others_do_not_wait(self, cluster, store):
        exp = experiment(greedy, megabytes=[10, 400, 20])
        handle = run(exp, store, pilots=2, memory="300M", retry=SlurmRetry(on_oom=2))
        results = handle.result(timeout=120)
        assert len(results.successful) == 3, output(store)
        assert losses(store) == ["memory"]
        assert set(successes(store).values()) == {1}
        big = next(run for run in results if run.params["megabytes"] == 400)
        assert big.record.attempt == 2

    @pytest.mark.slow
    def test_without_more_it_fails_in_words_after_its_attempts(self, cluster, store):
        handle = run(experiment(greedy, megabytes=[400, 10]), store, pilots=1, memory="300M")
        results = handle.result(timeout=120)
        (failed,) = results.failed
        assert failed.params["megabytes"] == 400
        assert "memory" in failed.record.error["message"]
        assert losses(store) == ["memory"] * 3
