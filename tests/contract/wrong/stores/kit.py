"""The contract of stores, asked of stores that break it; test_wrong_stores runs this file."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import Phase, settings

from contract.memory_store import MemoryStoreConfig
from contract.wrong.stores import (
    acknowledges_early,
    believes_listings,
    checks_before_it_claims,
    compacts_too_much,
    counts_by_arrival,
    counts_deliveries,
    cuts_artifacts,
    drops_nan,
    dumps_what_is_before,
    forgets_negative_zero,
    gives_claims_twice,
    ignores_case,
    lists_in_disk_order,
    loses_the_last_record,
    mends_when_it_opens,
    mixes_attempts,
    never_syncs,
    reads_on_from_the_wrong_place,
    says_the_dead_live,
    shares_records,
    shows_other_experiments,
    sorts_nan_first,
    stumbles_over_torn_lines,
    swallows_a_bad_id,
    trusts_clocks,
    trusts_file_times,
)
from metalab.testing import StoreContract


class InMemory(StoreContract):
    is_registered = False
    is_shared_between_processes = False
    syncs_through_os = False
    keeps_launch_files = False
    can_compact = False
    can_inspect = False
    made_by = MemoryStoreConfig
    # The same histories each time, and nobody reads the smallest that fails.
    history_settings = settings(
        StoreContract.history_settings, derandomize=True, phases=[Phase.generate]
    )

    @pytest.fixture
    def config(self):
        return self.made_by(place=uuid.uuid4().hex)


class InFiles(StoreContract):
    is_registered = False

    @pytest.fixture
    def config(self, tmp_path):
        return self.made_by(tmp_path / "store", commit_interval=0.02)

    def appended_files(self, store):
        return sorted((store.get_working_directory() / "runs").glob("*.jsonl"))


class InOneFile(InMemory):
    @pytest.fixture
    def config(self, tmp_path):
        return self.made_by(str(tmp_path))

    def appended_files(self, store):
        return [store.path]


class TestAcknowledgesEarly(InFiles):
    made_by = acknowledges_early.Config


class TestBelievesListings(InFiles):
    made_by = believes_listings.Config


class TestChecksBeforeItClaims(InMemory):
    made_by = checks_before_it_claims.Config


class TestCompactsTooMuch(InFiles):
    made_by = compacts_too_much.Config


class TestCountsByArrival(InMemory):
    made_by = counts_by_arrival.Config


class TestCountsDeliveries(InMemory):
    made_by = counts_deliveries.Config


class TestCutsArtifacts(InMemory):
    made_by = cuts_artifacts.Config


class TestDropsNan(InMemory):
    made_by = drops_nan.Config


class TestDumpsWhatIsBefore(InMemory):
    made_by = dumps_what_is_before.Config


class TestForgetsNegativeZero(InMemory):
    made_by = forgets_negative_zero.Config


class TestGivesClaimsTwice(InMemory):
    made_by = gives_claims_twice.Config


class TestIgnoresCase(InMemory):
    made_by = ignores_case.Config


class TestListsInDiskOrder(InMemory):
    made_by = lists_in_disk_order.Config


class TestLosesTheLastRecord(InMemory):
    made_by = loses_the_last_record.Config


class TestMendsWhenItOpens(InOneFile):
    made_by = mends_when_it_opens.Config


class TestMixesAttempts(InMemory):
    made_by = mixes_attempts.Config


class TestNeverSyncs(InFiles):
    made_by = never_syncs.Config


class TestReadsOnFromTheWrongPlace(InMemory):
    made_by = reads_on_from_the_wrong_place.Config


class TestSaysTheDeadLive(InFiles):
    made_by = says_the_dead_live.Config


class TestSharesRecords(InMemory):
    made_by = shares_records.Config


class TestShowsOtherExperiments(InMemory):
    made_by = shows_other_experiments.Config


class TestSortsNanFirst(InMemory):
    made_by = sorts_nan_first.Config


class TestStumblesOverTornLines(InFiles):
    made_by = stumbles_over_torn_lines.Config


class TestSwallowsABadId(InMemory):
    made_by = swallows_a_bad_id.Config


class TestTrustsClocks(InMemory):
    made_by = trusts_clocks.Config


class TestTrustsFileTimes(InFiles):
    made_by = trusts_file_times.Config
