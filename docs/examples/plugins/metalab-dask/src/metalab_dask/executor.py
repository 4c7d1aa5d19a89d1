"""The executor: a dask cluster as the pool of metalab's executor of futures.

That executor cuts a launch into chunks, keeps a few of them in the pool, reads in the store what
a worker that died has left, and goes on. What is dask's own is how the pool is come by, and given
back.
"""

from __future__ import annotations

import os
import socket
from typing import Any, ClassVar

from metalab import FuturesExecutor
from metalab.errors import MetalabError
from metalab_dask.pool import DaskPool

__all__ = ["DaskExecutor"]

_VARIABLE = "DASK_SCHEDULER_ADDRESS"
_OTHERS = ("inproc", "ucx", "ucxx")  # schemes of addresses that no socket is for


class DaskExecutor(FuturesExecutor):
    """Executes runs on the workers of a dask cluster, which stays its owner's to shut down.

    ``address`` is the scheduler's, by default what DASK_SCHEDULER_ADDRESS says. ``workers`` is
    how many chunks of runs are kept at work, by default as many as the cluster has threads;
    ``timeout`` for how many seconds the scheduler is waited for. The workers see the store, and
    have metalab and what the operation imports. Raises MetalabError where no scheduler answers.
    """

    name: ClassVar[str] = "dask"
    # Dask cancels what waits, and lets what runs go on: it has no means to end a run.
    can_kill: ClassVar[bool] = False
    is_detached: ClassVar[bool] = False

    def __init__(
        self, address: str | None = None, *, workers: int | None = None, timeout: float = 30.0
    ) -> None:
        self.client: Any = _connected(address or os.environ.get(_VARIABLE), timeout)
        try:
            size = max(1, sum(self.client.nthreads().values())) if workers is None else workers
            super().__init__(DaskPool(self.client, size), workers=size)
        except BaseException:
            self.client.close()
            raise

    def shutdown(self, *, wait: bool = True) -> None:
        """Take no further batch; with ``wait``, return once those given are over."""
        super().shutdown(wait=wait)
        if wait:  # what is still under way needs the connection
            self.pool.shutdown()
            self.client.close()


def _connected(address: str | None, timeout: float) -> Any:
    if address is None:
        raise MetalabError(
            "executor='dask' needs the address of a scheduler: give "
            f"executor={{'dask': {{'address': 'tcp://host:8786'}}}}, or set {_VARIABLE}"
        )
    # Whoever lists executors, or asks this one what it can do, does not wait for dask.
    from distributed import Client  # noqa: PLC0415

    untyped: Any = Client
    try:
        _knock(address, timeout)
        return untyped(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError) as error:  # the second for what is no address
        raise MetalabError(f"no dask scheduler answers at {address}: {error}") from error


def _knock(address: str, timeout: float) -> None:
    """Raise OSError where nobody listens, for a client that fails leaves a thread behind."""
    from distributed.comm.addressing import get_address_host_port  # noqa: PLC0415  as above

    untyped: Any = get_address_host_port
    if address.partition("://")[0] not in _OTHERS:
        socket.create_connection(untyped(address, strict=True), timeout).close()
