"""Writers, ingesters and the server are killed; the index is what the files say in the end."""

from __future__ import annotations

import random

import pytest

from core.store_tools import run_id
from metalab_postgres.connection import link_to
from postgres.chaos_tools import Chaos
from postgres.pg_tools import contents

BLOWS = ("cut_connections", "crash_server", "kill_ingester", "kill_writer", "compact", "rebuild")


@pytest.mark.parametrize(
    ("rounds", "writers"), [(1, 2), pytest.param(8, 3, marks=pytest.mark.slow)]
)
def test_nothing_acknowledged_is_missing_from_the_index(durable_server, tmp_path, rounds, writers):
    chaos = Chaos(durable_server, tmp_path, writers=writers, ingesters=3, seed=rounds)
    chance = random.Random(rounds)
    try:
        chaos.settle()
        for _ in range(rounds):
            for blow in chance.sample(BLOWS, len(BLOWS)):
                getattr(chaos, blow)()
                if chance.random() < 0.5:
                    chaos.settle()
        chaos.settle()
    finally:
        chaos.end()
    index = chaos.index
    assert index.verify() == []
    acknowledged = chaos.acknowledged()
    assert len(acknowledged) == len(set(acknowledged))
    assert set(map(run_id, acknowledged)) <= chaos.indexed()
    before = contents(index)
    index.rebuild()
    assert contents(index) == before
    link_to(index.config.dsn).close()
