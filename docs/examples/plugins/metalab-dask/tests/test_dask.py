"""How this executor comes by its cluster."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from metalab.errors import MetalabError
from metalab_dask import DaskExecutor


def test_without_an_address_it_says_what_to_write(monkeypatch):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    with pytest.raises(MetalabError, match=r"'address': 'tcp://host:8786'"):
        DaskExecutor()


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
    with pytest.raises(MetalabError, match=f"no dask scheduler answers at {address}"):
        DaskExecutor(timeout=0.5)


def test_what_is_no_address_is_named():
    with pytest.raises(MetalabError, match="no dask scheduler answers at nonsense"):
        DaskExecutor("nonsense", timeout=0.5)
