"""A terminal for scripts under test: what a person would see on it, at any moment."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import textwrap
import time
from contextlib import suppress

import pytest

# What the surroundings of the tests may say, and the scripts under test shall not hear.
_SURROUNDINGS = (
    "CI", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "PYTEST_CURRENT_TEST", "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
)  # fmt: skip
STYLES = pytest.mark.parametrize("style", ["plain", "rich"])

_PARTS = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b.|[\r\n]|[^\x1b\r\n]+", re.DOTALL)


def plain_environ(**changes):
    """The environment of the tests, without what says where they are run."""
    kept = {key: value for key, value in os.environ.items() if key not in _SURROUNDINGS}
    return {**kept, "TERM": "xterm", **changes}


class Screen:
    """Takes what a program writes and holds what its terminal would show.

    It is whole unless it waits for the rest of a drawing, which ends where the cursor is put back.
    """

    def __init__(self):
        self.rows = [""]
        self.row = self.column = 0
        self.is_cursor_shown = True
        self.is_whole = True
        self.colours = 0
        self._kept = 0, 0
        self._rest = ""

    def feed(self, text):
        text = self._rest + text
        cut = text.rfind("\x1b", len(text) - 12) if len(text) > 12 else text.rfind("\x1b")
        whole = cut < 0 or re.match(r"\x1b(\[[0-9;?]*[A-Za-z]|[^\[])", text[cut:])
        self._rest = "" if whole else text[cut:]
        for part in _PARTS.finditer(text if whole else text[:cut]):
            self._take(part)

    def _take(self, part):
        text, command = part[0], part[2]
        if text == "\r":
            self.column = 0
        elif text in {"\n", "\x1bD"}:
            self.row += 1
            self.rows += [""] * (self.row + 1 - len(self.rows))
        elif text == "\x1b7":
            self._kept = self.row, self.column
            self.is_whole = False
        elif text == "\x1b8":
            self.row, self.column = self._kept
            self.is_whole = True
        elif command is None:
            assert not text.startswith("\x1b"), f"an unknown command: {text!r}"
            row = self.rows[self.row].ljust(self.column)
            self.rows[self.row] = row[: self.column] + text + row[self.column + len(text) :]
            self.column += len(text)
        else:
            self._obey(command, part[1])

    def _obey(self, command, argument):
        if command == "m":
            self.colours += argument not in {"", "0"}
        elif command == "A":
            self.row = max(self.row - int(argument or 1), 0)
        elif command == "K":
            self.rows[self.row] = self.rows[self.row][: self.column]
        elif command == "J":
            self.rows[self.row] = self.rows[self.row][: self.column]
            del self.rows[self.row + 1 :]
        elif argument == "?25":
            self.is_cursor_shown = command == "h"
        else:
            raise AssertionError(f"an unknown command: {argument}{command}")

    @property
    def lines(self):
        return [row.rstrip() for row in self.rows]

    def __contains__(self, text):
        return any(text in row for row in self.rows)


class Terminal:
    """Runs a script whose streams are a terminal, and reads along."""

    def __init__(self, script, *, columns=100, output=True, arguments=(), **environ):
        self.screen = Screen()
        self.raw = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            stdin=subprocess.PIPE,
            stdout=follower if output else subprocess.PIPE,
            stderr=follower,
            env=plain_environ(**environ),
            text=True,
        )
        os.close(follower)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        os.close(self._leader)

    def until(self, holds, seconds=30):
        """Read until the screen is so; what comes in parts is never seen half drawn."""
        deadline = time.monotonic() + seconds
        while not (self.screen.is_whole and holds(self.screen)):
            assert self._read(deadline - time.monotonic()), "\n".join(self.screen.lines)

    def type(self, text="\n"):
        """Let a script go on that waits for a line."""
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def finish(self, status=0, seconds=60):
        """Read to the end, and return the screen."""
        deadline = time.monotonic() + seconds
        while self._read(deadline - time.monotonic()):
            pass
        assert self.process.wait(max(deadline - time.monotonic(), 1)) == status, self.raw[-2_000:]
        return self.screen

    def _read(self, seconds):
        if not select.select([self._leader], [], [], max(seconds, 0))[0]:
            return False
        try:
            part = os.read(self._leader, 65_536)
        except OSError:  # the other side is closed, which Linux tells so
            return False
        self.raw += (text := self._decoder.decode(part))
        self.screen.feed(text)
        return bool(part)


def read_to_end(leader):
    """Read a terminal until nobody has it open any more, and close it: it comes in parts."""
    said = b""
    with suppress(OSError):  # the other side is closed, which Linux tells so
        while part := os.read(leader, 65_536):
            said += part
    os.close(leader)
    return said.decode()


_PRELUDE = """
import sys, threading, time
import metalab
from metalab.events import Event
from metalab.progress import *

style = sys.argv[1]

def tracker(title, total=4, **settings):
    made = create_progress_tracker(Progress(style=style, title=title, **settings))
    made.start(total, 0, title)
    return made

def pause():
    sys.stdin.readline()

"""


def launched(script, style, **options):
    """Run a script with trackers of a style at hand; rich has to be there for its own."""
    if style == "rich":
        pytest.importorskip("rich")
    return Terminal(_PRELUDE + textwrap.dedent(script), arguments=[style], **options)


def last_line(terminal, start):
    """The first line that starts so, without the time that something took."""
    return re.sub("took .*", "took", next(x for x in terminal.screen.lines if x.startswith(start)))
