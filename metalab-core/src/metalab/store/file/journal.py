"""The lines of one writer: written at once, made durable in groups, kept until they are.

Putting a line is one write to the page cache, so it outlives this process. A thread of the
journal's own makes lines durable and only then acknowledges them. After any error of the
disk the file is left as it is, and all lines that are not durable are written again to a
new part: a second sync of the same file may report success for data that is gone.
"""

from __future__ import annotations

import logging
import threading
from time import monotonic
from typing import TYPE_CHECKING

from metalab.errors import StoreError
from metalab.store.file import disk
from metalab.store.file.backlog import Backlog, Parts
from metalab.store.file.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from metalab.store.file.options import Options
    from metalab.store.writing import Acknowledge

__all__ = ["Journal"]

_log = logging.getLogger(__name__)
_LINGER = 5.0  # seconds that an idle thread stays, so that a forgotten writer can be freed
_ANNOUNCE = 0.75  # of the interval: what runs for a whole one is on disk by its end
_WITH_LINES = 1.25  # of the interval: that may wait for a commit that comes by then


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
        self._backlog = Backlog(self._parts, self._options.roll)
        self._trouble = Trouble(self._options.timeout)
        self._flows = False
        self._closed = False
        self._since: float | None = None
        self._done = 0
        self._touched = 0
        self._prepared = 0
        self._announced: dict[str, tuple[float, Callable[[], bytes]]] = {}
        self._flushing = 0
        self._idle = False
        self._beat_at: float | None = None
        self._thread: threading.Thread | None = None

    @property
    def part(self) -> int:
        """The part that lines go to, counted from 1; 1 also before the first line."""
        return self._backlog.part or 1

    def append(
        self, line: bytes, acknowledged: Acknowledge | None = None, announced: str | None = None
    ) -> None:
        """Write a line, in the stead of one that was ``announced`` under a key.

        Raises StoreError if the disk has been failing for too long.
        """
        with self._lock:
            if announced is not None:
                self._announced.pop(announced, None)
            if not self._flows:
                self._append_with_care(line, acknowledged)
                return
            backlog = self._backlog
            try:
                backlog.add(line, acknowledged)
            except OSError as error:
                self._fail(error)
            if backlog.size >= self._half:
                self._flows = False

    def touch(self) -> None:
        """Ask for a commit although there is no line, for the sake of what it prepares.

        Raises StoreError as append.
        """
        with self._lock:
            self._touched += 1
            self._note()
            self._raise_if_hopeless()

    def announce(self, key: str, make: Callable[[], bytes]) -> None:
        """Write the line that ``make`` returns unless another is appended in its stead soon."""
        with self._lock:
            self._announced[key] = (monotonic(), make)
            if self._idle or self._thread is None:
                self._wake()

    def beat(self) -> None:
        """Show from now on, until it is closed, that this is alive, also while it has no lines."""
        with self._lock:
            self._beat_at = monotonic() + self._options.heartbeat
            self._wake()

    def flush(self) -> None:
        """Return once all lines put so far are acknowledged; raises StoreError as append."""
        with self._lock:
            target = self._backlog.settled + len(self._backlog.lines)
            touched = self._touched
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
                self._backlog.end()

    def renew(self) -> None:
        """Begin anew in a forked child: the lines that wait are the parent's to keep."""
        if self._backlog.segment is not None:
            self._backlog.segment.close()
        self._reset()

    # What follows is called with the lock held, unless it says otherwise.

    def _append_with_care(self, line: bytes, acknowledged: Acknowledge | None) -> None:
        """Append whatever the state; afterwards lines flow if there is nothing to care for."""
        if self._closed:
            raise StoreError("this writer is closed; ask the store for a new one")
        self._wait_for_room(len(line))
        self._enqueue(line, acknowledged)
        self._raise_if_hopeless()
        self._flows = not (self._backlog.is_retired or self._backlog.size >= self._half)

    def _wait_for_room(self, length: int) -> None:
        backlog = self._backlog
        if threading.current_thread() is self._thread:  # it alone can make room
            return
        while backlog.lines and backlog.size + length > self._options.buffer:
            self._raise_if_hopeless()
            self._wake()
            self._changed.wait(1.0)

    def _enqueue(self, line: bytes, acknowledged: Acknowledge | None) -> None:
        try:
            self._backlog.add(line, acknowledged)
        except OSError as error:
            self._fail(error)
        self._note()

    def _note(self) -> None:
        if self._since is None:
            self._since = monotonic()
        if self._idle or self._thread is None or self._backlog.size >= self._half:
            self._wake()

    def _fail(self, error: OSError) -> None:
        never_wrote = self._backlog.part == 0
        self._trouble.note(error, at_once=never_wrote and disk.is_hopeless(error))
        self._flows = False
        self._wake()

    def _raise_if_hopeless(self) -> None:
        if self._trouble:
            waiting = len(self._backlog.lines)
            self._trouble.raise_if_hopeless(f"{waiting} lines cannot be written to the store")

    def _wake(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="metalab-commit", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _due(self) -> float | None:
        """Return when the next commit is due, None if nothing waits for one."""
        if self._trouble:
            return self._trouble.retry_at
        times = []
        if self._since is not None:
            backlog = self._backlog
            urgent = self._flushing or backlog.is_retired or backlog.size >= self._half
            times.append(0.0 if urgent else self._since + self._options.interval)
        if self._announced:
            oldest, _ = next(iter(self._announced.values()))
            # Each waking costs the thread that computes a wait for the interpreter's lock.
            if not times or times[0] > oldest + _WITH_LINES * self._options.interval:
                times.append(oldest + _ANNOUNCE * self._options.interval)
        return min(times, default=None)

    def _alarm(self, due: float | None, now: float) -> float:
        """Return until when the thread may sleep, unless it is woken."""
        if self._beat_at is not None:
            return self._beat_at if due is None else min(due, self._beat_at)
        return now + _LINGER if due is None else due

    # The thread. Nothing below is called with the lock held.

    def _run(self) -> None:
        while self._wait():
            self._speak()
            self._commit()
            self._show_life()

    def _wait(self) -> bool:
        """Return when a commit is due; False when the thread may end."""
        with self._lock:
            while not self._closed:
                due = self._due()
                now = monotonic()
                if due is not None and due <= now:
                    return True
                self._idle = due is None
                alarm = self._alarm(due, now)
                if alarm <= now:
                    return True
                woken = self._changed.wait(alarm - now)
                self._idle = False
                if due is None and self._beat_at is None and not woken:
                    break
            self._thread = None
            return False

    def _speak(self) -> None:
        """Write the announced lines that are due."""
        latest = monotonic() - _ANNOUNCE * self._options.interval
        with self._lock:
            due = [key for key, (since, _) in self._announced.items() if since <= latest]
            for key in due:
                self._say(self._announced.pop(key)[1])
            if due:
                self._since = 0.0  # what has begun shall be seen on other machines, too

    def _say(self, make: Callable[[], bytes]) -> None:
        try:
            line = make()
        except (TypeError, ValueError) as error:
            # Whoever puts the run's end is told; here there is nobody to tell.
            _log.warning("a run cannot be shown as running: %s", error)
        else:
            self._enqueue(line, None)

    def _commit(self) -> None:
        try:
            with self._lock:
                self._backlog.mend()
                count, touched = self._backlog.held, self._touched
            # Lines counted above may name what is prepared now, not the other way about.
            rewrite = self._parts.prepare()
            if rewrite is not None:
                with self._lock:
                    self._flows = False
                    self._backlog.rewrite(rewrite)
                return
            if count:
                self._make_durable()
        except OSError as error:
            with self._lock:
                self._fail(error)
            return
        self._settle(count, touched)

    def _show_life(self) -> None:
        with self._lock:
            segment, now = self._backlog.segment, monotonic()
            if segment is None or self._beat_at is None or now < self._beat_at:
                return
            self._beat_at = now + self._options.heartbeat
        segment.touch()

    def _make_durable(self) -> None:
        with self._lock:
            segment = self._backlog.segment
            size = segment.size if segment is not None else 0
        if segment is None:
            return
        try:
            if self._options.durable:
                segment.sync()
            segment.check(size)
        except OSError:
            with self._lock:
                self._backlog.distrust()
            raise
        segment.good = size

    def _settle(self, count: int, touched: int) -> None:
        """Acknowledge the first ``count`` lines: they are durable."""
        with self._lock:
            self._trouble.clear()
            waiting = self._backlog.settle(count)
            again = self._backlog.lines or self._touched > touched
            self._since = monotonic() if again else None
            self._flows = self._flows and self._since is not None
        _acknowledge(waiting)
        with self._lock:
            self._done += count
            self._prepared = touched
            self._changed.notify_all()


def _acknowledge(waiting: Iterable[Acknowledge | None]) -> None:
    for acknowledged in waiting:
        if acknowledged is None:
            continue
        try:
            acknowledged()
        except Exception:  # noqa: BLE001  another's code: its failure must not cost others their turn
            _log.exception("an acknowledgement failed")
