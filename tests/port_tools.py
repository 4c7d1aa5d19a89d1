"""Ports for servers that tests start: nobody else is given them before the server listens."""

from __future__ import annotations

import socket
from contextlib import contextmanager


def hold_port(port=0):
    """Return a socket that keeps a port of this machine, by default one that is free.

    Whoever names the port may listen on it, for the socket itself does not, and is to be closed
    when the server has ended. Raises OSError if another one keeps it.
    """
    holder = socket.socket()
    try:
        holder.bind(("127.0.0.1", port))
    except OSError:
        holder.close()
        raise
    # Set only now, or two could keep the same.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return holder


@contextmanager
def held_port():
    """Have a port while something is done."""
    with hold_port() as holder:
        yield holder.getsockname()[1]
