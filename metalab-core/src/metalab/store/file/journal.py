"""The lines of one writer: written at once, made durable in groups, kept until they are.

Putting a line is one write to the page cache, so it outlives this process. A thread of the
journal's own makes lines durable and only then acknowledges them. After any error of the
disk the file is left as it is, and all lines that are not durable are written again to a
new part: a second sync of the same file may report success for data that is gone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

import attrs

from metalab.errors import StoreError
from metalab.store.file import disk

if TYPE_CHECKING:
    from metalab.store.base import Acknowledge
    from metalab.store.file.options import Options
    from metalab.store.file.segment import Segment

__all__ = ["Journal", "Parts", "Rewrite"]

_log = logging.getLogger(__name__)
_LINGER = 5.0  # seconds that an idle thread stays, so that a forgotten writer can be freed
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 10.0
_ANNOUNCE = 0.75  # of the interval: what runs for a whole one is on disk by its end

Rewrite = Callable[[bytes], bytes]


@attrs.frozen
class Parts:
    """Makes what a journal needs: its next file, and that file's last line.

    ``create(part, prev_good)`` returns a new segment that holds its ``open`` line;
    ``closing(part, lines)`` returns the ``close`` line. ``prepare()`` makes durable what
    lines refer to, and may ask for the lines that wait to be rewritten.
    """

    create: Callable[[int, int | None], Segment]
    closing: Callable[[int, int], bytes]
    prepare: Callable[[], Rewrite | None]


@attrs.define
class _Trouble:
    """A disk that fails: until when that is borne, and when to try again."""

    error: OSError
    deadline: float
    retry_at: float = 0.0
    tries: int = 0


class Journal:
    """Appends lines and acknowledges them; safe to use from several threads."""

    def __init__(self, parts: Parts, options: Options) -> None:
        self._parts = parts
        self._options = options
        self._half = options.buffer // 2
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._segment: Segment | None = None
        self._part = 0
        self._flows = False
        self._broken = False
        self._closed = False
        self._trouble: _Trouble | None = None
        # Two lists, not one of pairs: pairs would cost the garbage collector's time.
        self._pending: list[bytes] = []
        self._waiting: list[Acknowledge | None] = []
        self._bytes = 0
        self._since: float | None = None
        self._settled = 0
        self._done = 0
        self._before_part = 0
        self._touched = 0
        self._prepared = 0
        self._announced: dict[str, tuple[float, Callable[[], bytes]]] = {}
        self._flushing = 0
        self._idle = False
        self._thread: threading.Thread | None = None

    @property
    def part(self) -> int:
        """The part that lines go to, counted from 1; 1 also before the first line."""
        return max(self._part, 1)

    def append(
        self, line: bytes, acknowledged: Acknowledge | None = None, announced: str | None = None
    ) -> None:
        """Write a line, in the stead of one that was ``announced`` under a key.

        Raises StoreError if the disk has been failing for too long.
        """
        with self._lock:
            if announced is not None:
                self._announced.pop(announced, None)
            if not self._flows or self._segment is None:
                self._append_with_care(line, acknowledged)
                return
            self._pending.append(line)
            self._waiting.append(acknowledged)
            self._bytes = size = self._bytes + len(line)
            try:
                self._segment.append(line)
            except OSError as error:
                self._fail(error)
            if size >= self._half:
                self._flows = False

    def touch(self) -> None:
        """Ask for a commit although there is no line, for the sake of what it prepares."""
        with self._lock:
            self._touched += 1
            self._note()

    def announce(self, key: str, make: Callable[[], bytes]) -> None:
        """Write the line that ``make`` returns unless another is appended in its stead soon."""
        with self._lock:
            self._announced[key] = (monotonic(), make)
            if self._idle or self._thread is None:
                self._wake()

    def flush(self) -> None:
        """Return once all lines put so far are acknowledged; raises StoreError as append."""
        with self._lock:
            target, touched = self._settled + len(self._pending), self._touched
            self._flushing += 1
            try:
                while self._done < target or self._prepared < touched:
                    self._raise_if_hopeless()
                    self._wake()
                    self._changed.wait(1.0)
            finally:
                self._flushing -= 1

    def close(self) -> None:
        """Flush, write the last line and end; raises StoreError if not all could be kept."""
        try:
            self.flush()
        finally:
            with self._lock:
                self._closed = True
                self._flows = False
                self._announced.clear()
                self._changed.notify_all()
                thread = self._thread
            if thread is not None and thread is not threading.current_thread():
                thread.join()
            with self._lock:
                self._end_file()

    def renew(self) -> None:
        """Begin anew in a forked child: the lines that wait are the parent's to keep."""
        if self._segment is not None:
            self._segment.close()
        self._reset()

    # What follows is called with the lock held, unless it says otherwise.

    def _append_with_care(self, line: bytes, acknowledged: Acknowledge | None) -> None:
        """Append whatever the state; afterwards lines flow if there is nothing to care for."""
        if self._closed:
            raise StoreError("this writer is closed; ask the store for a new one")
        self._wait_for_room(len(line))
        self._enqueue(line, acknowledged)
        self._raise_if_hopeless()
        self._flows = not (self._broken or self._bytes >= self._half)

    def _wait_for_room(self, length: int) -> None:
        if threading.current_thread() is self._thread:  # it alone can make room
            return
        while self._pending and self._bytes + length > self._options.buffer:
            self._raise_if_hopeless()
            self._wake()
            self._changed.wait(1.0)

    def _enqueue(self, line: bytes, acknowledged: Acknowledge | None) -> None:
        self._pending.append(line)
        self._waiting.append(acknowledged)
        self._bytes += len(line)
        self._note()
        if self._broken:
            return
        try:
            if self._segment is None:
                self._open_next()
            else:
                self._segment.append(line)
        except OSError as error:
            self._fail(error)

    def _note(self) -> None:
        if self._since is None:
            self._since = monotonic()
        if self._idle or self._thread is None or self._bytes >= self._half:
            self._wake()

    def _open_next(self) -> None:
        """Open the next part and write to it what is not durable elsewhere."""
        last = self._segment
        try:
            segment = self._parts.create(self._part + 1, None if last is None else last.good)
        except FileExistsError:
            self._part += 1  # a network file system may have made it and lost the answer
            raise
        try:
            segment.append_all(self._pending)
        except OSError:
            segment.discard()
            raise
        self._segment = segment
        self._part += 1
        self._before_part = self._settled
        self._broken = False
        if last is not None:
            last.close()

    def _closing(self) -> bytes:
        """Return the last line of the present part, which counts those before it."""
        lines = 1 + self._settled + len(self._pending) - self._before_part
        return self._parts.closing(self._part, lines)

    def _fail(self, error: OSError) -> None:
        now = monotonic()
        if self._trouble is None:
            at_once = self._part == 0 and disk.is_hopeless(error)
            deadline = now if at_once else now + self._options.timeout
            self._trouble = _Trouble(error, deadline)
        self._trouble.error = error
        self._trouble.retry_at = now + min(_FIRST_PAUSE * 2**self._trouble.tries, _LONGEST_PAUSE)
        self._trouble.tries += 1
        self._broken = True
        self._flows = False
        self._wake()

    def _raise_if_hopeless(self) -> None:
        if self._trouble is not None and monotonic() >= self._trouble.deadline:
            raise disk.explain(
                self._trouble.error, f"{len(self._pending)} lines cannot be written to the store"
            ) from self._trouble.error

    def _end_file(self) -> None:
        if self._segment is None:
            return
        if not (self._broken or self._pending):
            try:
                self._segment.append(self._closing())
            except OSError as error:
                # All lines are durable; without this one readers ask once more, that is all.
                _log.debug("%s could not be ended: %s", self._segment.path, error)
        self._segment.close()
        self._segment = None

    def _wake(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="metalab-commit", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _due(self) -> float | None:
        """Return when the next commit is due, None if nothing waits for one."""
        if self._trouble is not None:
            return self._trouble.retry_at
        times = []
        if self._since is not None:
            urgent = self._flushing or self._bytes >= self._half
            times.append(0.0 if urgent else self._since + self._options.interval)
        if self._announced:
            oldest, _ = next(iter(self._announced.values()))
            times.append(oldest + _ANNOUNCE * self._options.interval)
        return min(times, default=None)

    # The thread. Nothing below is called with the lock held.

    def _run(self) -> None:
        while self._wait():
            self._speak()
            self._commit()

    def _wait(self) -> bool:
        """Return when a commit is due; False when the thread may end."""
        with self._lock:
            while not self._closed:
                due = self._due()
                now = monotonic()
                if due is not None and due <= now:
                    return True
                self._idle = due is None
                woken = self._changed.wait(_LINGER if due is None else due - now)
                self._idle = False
                if due is None and not woken:
                    break
            self._thread = None
            return False

    def _speak(self) -> None:
        """Write the announced lines that are due."""
        latest = monotonic() - _ANNOUNCE * self._options.interval
        with self._lock:
            due = [key for key, (since, _) in self._announced.items() if since <= latest]
            for _, make in [self._announced.pop(key) for key in due]:
                self._enqueue(make(), None)
            if due:
                self._since = 0.0  # what has begun shall be seen on other machines, too

    def _commit(self) -> None:
        try:
            with self._lock:
                count, touched = len(self._pending), self._touched
            # Lines counted above may name what is prepared now, not the other way about.
            rewrite = self._parts.prepare()
            with self._lock:
                segment = self._intact(rewrite)
                size = segment.size if segment is not None else 0
            if segment is not None and segment.good < size:
                if self._options.durable:
                    segment.sync(size)
                segment.check(size)
        except OSError as error:
            with self._lock:
                self._fail(error)
            return
        self._settle(count, touched)

    def _intact(self, rewrite: Rewrite | None) -> Segment | None:
        """Return a segment that holds all lines that wait."""
        if rewrite is not None:
            self._pending = [rewrite(line) for line in self._pending]
            self._bytes = sum(map(len, self._pending))
            self._broken = True
            self._flows = False
        full = self._segment is not None and self._segment.size >= self._options.roll
        if full and not self._broken and self._segment is not None:
            self._segment.append(self._closing())
        if self._broken or full or (self._segment is None and self._bytes):
            self._open_next()
        return self._segment

    def _settle(self, count: int, touched: int) -> None:
        """Acknowledge the first ``count`` lines: they are durable."""
        with self._lock:
            self._trouble = None
            self._bytes -= sum(map(len, self._pending[:count]))
            waiting = self._waiting[:count]
            del self._pending[:count], self._waiting[:count]
            self._settled += count
            again = self._pending or self._touched > touched
            self._since = monotonic() if again else None
            self._flows = self._flows and self._since is not None
        for acknowledged in filter(None, waiting):
            _call(acknowledged)
        with self._lock:
            self._done += count
            self._prepared = touched
            self._changed.notify_all()


def _call(acknowledged: Acknowledge) -> None:
    try:
        acknowledged()
    except Exception:  # noqa: BLE001  another's code: its failure must not cost others their turn
        _log.exception("an acknowledgement failed")
