"""Clusters for the tests of the Slurm executor, started when the first test needs one."""

from __future__ import annotations

import pytest

from slurm.slurm_cluster import ACCOUNTING, DAEMONS, SlurmCluster, advice


@pytest.fixture(scope="session")
def shared_cluster():
    """A cluster of three nodes for all tests of a session."""
    yield from _cluster(DAEMONS)


@pytest.fixture
def cluster(shared_cluster, monkeypatch):
    """The session's cluster, on which Slurm's commands act during a test."""
    yield _chosen(shared_cluster, monkeypatch)
    shared_cluster.clear()


@pytest.fixture(scope="session")
def shared_accounting_cluster():
    """A cluster with accounting, which takes seconds to start."""
    yield from _cluster((*DAEMONS, *ACCOUNTING), accounting=True, min_job_age=2)


@pytest.fixture
def accounting_cluster(shared_accounting_cluster, monkeypatch):
    """The session's cluster with accounting, on which commands act during a test."""
    yield _chosen(shared_accounting_cluster, monkeypatch)
    shared_accounting_cluster.clear()


@pytest.fixture
def make_cluster(monkeypatch):
    """Start clusters of a test's own, on whose last Slurm's commands act."""
    started = []

    def make(**options):
        _require(DAEMONS)
        started.append(SlurmCluster(**options))
        return _chosen(started[-1], monkeypatch)

    yield make
    for cluster in started:
        cluster.stop()


def _chosen(cluster, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", str(cluster.conf))
    return cluster


def _require(programs):
    if why := advice(programs):
        pytest.skip(why)


def _cluster(programs, **options):
    _require(programs)
    cluster = SlurmCluster(**options)
    yield cluster
    cluster.stop()
