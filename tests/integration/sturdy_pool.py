"""A pool of processes in which one may die without harm to the others."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import Executor, ThreadPoolExecutor
from queue import Empty, SimpleQueue

_MAIN = """
import os, pickle, sys
answers, sys.stdout = os.fdopen(os.dup(1), "wb"), sys.stderr
os.dup2(2, 1)
while size := sys.stdin.buffer.read(8):
    try:
        function, arguments = pickle.loads(sys.stdin.buffer.read(int.from_bytes(size, "big")))
        answer = function(*arguments), None
    except Exception as error:
        answer = None, error
    pickle.dump(answer, answers)
    answers.flush()
"""


class SturdyPool(Executor):
    """Calls ``calls`` times at most before it gives a call up whose process dies.

    ``sent`` and ``answers`` are what it was given, and what came back; ``answered`` are pairs.
    """

    def __init__(self, workers=2, calls=1, flags=()):
        self._max_workers = workers
        self._threads = ThreadPoolExecutor(workers)
        self._idle = SimpleQueue()
        self._calls = calls
        self._flags = flags
        self.sent = []
        self.answers = []
        self.answered = []

    def submit(self, function, /, *arguments):
        self.sent += arguments
        call = pickle.dumps((function, arguments))
        return self._threads.submit(self._call, call, arguments[0])

    def _call(self, call, given):
        for _ in range(self._calls):
            process = self._process()
            try:
                process.stdin.write(len(call).to_bytes(8, "big") + call)
                process.stdin.flush()
                answer, error = pickle.load(process.stdout)
            except (EOFError, BrokenPipeError):
                process.communicate()
                continue
            self._idle.put(process)
            if error is not None:
                raise error
            self.answers.append(answer)
            self.answered.append((given, answer))
            return answer
        raise RuntimeError(f"a process ended with {process.returncode}.\nHere is some advice.")

    def _process(self):
        try:
            return self._idle.get_nowait()
        except Empty:
            command = [sys.executable, *self._flags, "-c", _MAIN]
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def shutdown(self, wait=True, *, cancel_futures=False):
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        while wait and not self._idle.empty():
            self._idle.get().communicate()
