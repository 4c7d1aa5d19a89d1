"""What was acknowledged survives a killed process."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

from core.store_tools import python, run_id, segments, store_at


class TestKilledProcesses:
    def test_what_was_acknowledged_survives_a_kill_at_any_moment(self, tmp_path):
        script = f"""if True:
            import os
            from core.store_tools import made, store_at
            store = store_at({str(tmp_path)!r})
            writer = store.writer("w")
            first = int(os.environ["FIRST"])
            os.write(1, b"go\\n")
            for n in range(first, first + 100_000):
                writer.put(made(n), lambda n=n: os.write(1, b"%d\\n" % n))
        """
        acknowledged = set()
        chance = random.Random(11)
        for number in range(10):
            os.environ["FIRST"] = str(number * 100_000)
            process = python(script, stdout=subprocess.PIPE)
            assert process.stdout.readline() == b"go\n"
            time.sleep(0.02 + 0.1 * chance.random())
            process.send_signal(signal.SIGKILL)
            said = process.stdout.read().split(b"\n")
            acknowledged.update(int(each) for each in said[:-1])
            process.wait()
            process.stdout.close()
        del os.environ["FIRST"]
        assert acknowledged
        log = store_at(tmp_path).read()
        assert {run_id(n) for n in acknowledged} <= set(log)
        assert log.damage == ()

    def test_what_was_put_survives_a_kill_before_it_is_acknowledged(self, tmp_path):
        script = f"""if True:
            import os, signal
            from core.store_tools import made, store_at
            writer = store_at({str(tmp_path)!r}, commit_interval=30).writer("w")
            for n in range(100):
                writer.put(made(n))
            os.kill(os.getpid(), signal.SIGKILL)
        """
        assert python(script).wait(30) == -signal.SIGKILL
        assert len(store_at(tmp_path).read()) == 100

    def test_a_process_that_forgets_to_close_loses_nothing(self, tmp_path):
        script = f"""if True:
            from core.store_tools import made, store_at
            store_at({str(tmp_path)!r}, commit_interval=30).writer("w").put(made(0))
        """
        assert python(script).wait(30) == 0
        assert len(store_at(tmp_path).read()) == 1

    def test_processes_that_write_the_same_runs_leave_one_record_each(self, tmp_path):
        script = f"""if True:
            import os
            from core.store_tools import made, store_at
            with store_at({str(tmp_path)!r}).writer("w") as writer:
                for n in range(200):
                    writer.put(made(n, metrics={{"pid": os.getpid()}}))
        """
        processes = [python(script) for _ in range(3)]
        assert [process.wait(60) for process in processes] == [0, 0, 0]
        store = store_at(tmp_path)
        assert len(segments(store)) == 3
        assert len(store.list_run_records()) == 200
        assert len({record.metrics["pid"] for record in store.list_run_records()}) == 1
