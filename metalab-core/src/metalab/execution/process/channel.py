"""The channel between a worker process and its supervisor, for what tasks and board do not say.

A message is a list of plain values, sent in one frame: its length in four bytes, then
msgpack. A message may carry an open file.
"""

from __future__ import annotations

import socket
import threading
from array import array
from collections import deque
from struct import Struct
from typing import Any

import msgspec

__all__ = ["Channel"]

_length = Struct("<I")
_CHUNK = 1 << 18
_INT = array("i").itemsize
_EXTRA = socket.CMSG_SPACE(4 * _INT)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Channel:
    """One end of a channel. Any thread may send; one receives."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = threading.Lock()
        self._received = bytearray()
        self._files: deque[int] = deque()

    @classmethod
    def pair(cls) -> tuple[Channel, socket.socket]:
        """Return a supervisor's end, and the socket of the worker's."""
        ours, theirs = socket.socketpair()
        return cls(ours), theirs

    def fileno(self) -> int:
        """Return the descriptor to wait for messages on."""
        return self._socket.fileno()

    def send(self, *message: Any, file: int | None = None) -> None:
        """Send a message, and with it a file; raises OSError if nobody is there any more."""
        body = _encode(message)
        frame = memoryview(_length.pack(len(body)) + body)
        with self._sending:
            if file is not None:
                sent = socket.send_fds(self._socket, [frame], [file])
                frame = frame[sent:]
            self._socket.sendall(frame)

    def receive(self, *, wait: bool = True) -> list[list[Any]] | None:
        """Wait for bytes and return the messages that they complete; None at the end.

        Without ``wait``, None also where there is nothing now.
        """
        flags = 0 if wait else socket.MSG_DONTWAIT
        try:
            # socket.recv_fds does not pass flags on.
            data, extra, _, _ = self._socket.recvmsg(_CHUNK, _EXTRA, flags)
        except (BlockingIOError, ConnectionResetError):
            return None
        for _, _, packed in extra:
            self._files.extend(array("i", packed[: len(packed) // _INT * _INT]))
        if not data:
            return None
        self._received += data
        return self._messages()

    def take_file(self) -> int:
        """Return the descriptor of the next file received; the caller closes it."""
        return self._files.popleft()

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _messages(self) -> list[list[Any]]:
        found, at, received = [], 0, self._received
        while len(received) - at >= _length.size:
            (size,) = _length.unpack_from(received, at)
            end = at + _length.size + size
            if end > len(received):
                break
            found.append(_decode(bytes(received[at + _length.size : end])))
            at = end
        del received[:at]
        return found
