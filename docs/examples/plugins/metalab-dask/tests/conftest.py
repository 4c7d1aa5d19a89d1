"""The cluster that all tests share."""

from __future__ import annotations

import pytest
from distributed import LocalCluster


@pytest.fixture(scope="session")
def cluster():
    """Two workers on this machine, each restarted when it dies.

    They have one thread each, so that a run that kills its worker has no other beside it.
    """
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with LocalCluster(host="127.0.0.1", dashboard_address=None, silence_logs=50, **options) as made:
        yield made
