"""Whatever is done to a store, it answers as a plain dictionary of what was put would."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.fold_model import Model, Put
from core.store_tools import made, run_id, segments, store_at
from metalab.records import ArtifactDescriptor, Status
from metalab.store.document import record_of

RUNS = 3
runs = st.integers(0, RUNS - 1)
values = st.integers(0, 2)
statuses = st.sampled_from(list(Status))
attempts = st.integers(1, 3)
epochs = st.integers(0, 2)


class StoreMachine(RuleBasedStateMachine):
    """Drives a store and its model alike."""

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="metalab-machine-"))
        self.store = self.open(self.root / "store")
        self.model = Model()
        self.writers = []
        self.copies = 0
        self.log = self.store.read()

    def open(self, root: Path):
        return store_at(root, durability="os", commit_interval=0.2)

    def writer(self, data):
        if not self.writers:
            self.writers.append(self.store.writer("w"))
        return data.draw(st.sampled_from(self.writers), "writer")

    @rule(data=st.data(), run=runs, status=statuses, attempt=attempts, epoch=epochs, value=values)
    def put(self, data, run, status, attempt, epoch, value) -> None:
        writer = self.writer(data)
        writer.put(made(run, status, attempt=attempt, epoch=epoch, metrics={"x": value}))
        self.model.put(writer.name, run, Put(epoch, status, attempt, value))

    @rule(data=st.data(), run=runs, attempt=attempts, epoch=epochs, value=values)
    def put_with_side_files(self, data, run, attempt, epoch, value) -> None:
        writer = self.writer(data)
        plain = made(run, attempt=attempt, epoch=epoch, metrics={"x": value})
        size = 100 if value else 300_000
        kept = writer.put_artifact(plain, "a", bytes([value]) * size, extension="bin")
        writer.append_log(plain, f"{writer.name} {value}")
        artifact = ArtifactDescriptor("id", "a", "bytes", "bytes", *kept)
        fields = {"attempt": attempt, "epoch": epoch, "metrics": {"x": value}}
        writer.put(made(run, artifacts=[artifact], **fields))
        put = Put(epoch, Status.SUCCESS, attempt, value, artifact=bytes([value]) * size)
        self.model.put(writer.name, run, put)
        self.model.logs.setdefault((run, epoch, attempt, writer.name), []).append(
            f"{writer.name} {value}\n"
        )

    @rule(data=st.data(), run=runs, attempt=attempts, epoch=epochs, value=values)
    def put_series(self, data, run, attempt, epoch, value) -> None:
        writer = self.writer(data)
        writer.put_series(made(run, attempt=attempt, epoch=epoch), "loss", [(value, value / 2)])
        self.model.put_series(writer.name, run, (epoch, attempt), (value, value / 2))

    @rule(data=st.data(), run=runs, epoch=st.integers(1, 2))
    def forget(self, data, run, epoch) -> None:
        writer = self.writer(data)
        writer.forget(run_id(run), epoch)
        self.model.forget(writer.name, run, epoch)

    @rule(run=runs, value=values, name=st.sampled_from("fg"))
    def derive(self, run, value, name) -> None:
        if self.model.current(run) is None:
            with pytest.raises(KeyError):
                self.store.put_derived(run_id(run), name, {"v": value})
        else:
            self.store.put_derived(run_id(run), name, {"v": value})
            self.model.derive(self.store._own.name, run, name, value)

    @rule(run=runs)
    def delete(self, run) -> None:
        self.store.delete_run(run_id(run))
        current = self.model.current(run)
        if current is not None:
            self.model.forget(self.store._own.name, run, current.epoch + 1)

    @rule(run=runs, status=statuses, attempt=attempts, value=values)
    def put_run_record(self, run, status, attempt, value) -> None:
        self.store.put_run_record(made(run, status, attempt=attempt, metrics={"x": value}))
        put = self.model.as_one_record(run, Put(0, status, attempt, value))
        if put is not None:
            self.model.put(self.store._own.name, run, put)

    @rule()
    def open_writer(self) -> None:
        if len(self.writers) < 3:
            self.writers.append(self.store.writer("w"))

    @precondition(lambda self: self.writers)
    @rule(data=st.data())
    def close_writer(self, data) -> None:
        writer = self.writer(data)
        self.writers.remove(writer)
        writer.close()

    @precondition(lambda self: self.writers)
    @rule(data=st.data())
    def flush(self, data) -> None:
        self.writer(data).flush()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = self.open(self.root / "store")

    @rule()
    def move_to_a_copy(self) -> None:
        self.close_all()
        self.copies += 1
        source, target = self.store.root, self.root / f"copy{self.copies}"
        if source.exists():
            shutil.copytree(source, target)
            shutil.rmtree(source)
            target.rename(source)

    @rule()
    def join_segments(self) -> None:
        self.close_all()
        paths = segments(self.store)
        if len(paths) > 1:
            self.copies += 1
            joined = b"".join(path.read_bytes() for path in paths[:2])
            paths[0].with_name(f"joined{self.copies}.jsonl").write_bytes(joined)
            for path in paths[:2]:
                path.unlink()

    @rule(data=st.data())
    def copy_a_segment_beside_itself(self, data) -> None:
        paths = segments(self.store)
        if paths and len(paths) < 8:
            self.copies += 1
            path = data.draw(st.sampled_from(paths), "segment")
            shutil.copy(path, path.with_name(f"twice{self.copies}.jsonl"))

    @invariant()
    def answers_are_the_model_s(self) -> None:
        self.log = self.store.read(self.log)
        self.check(self.log)
        self.check(self.open(self.store.root).read())

    def check(self, log) -> None:
        assert log.damage == ()
        present = [run for run in range(RUNS) if self.model.current(run) is not None]
        assert sorted(log) == [run_id(run) for run in present]
        assert len(log) == len(present)
        for run in range(RUNS):
            assert log.forgotten(run_id(run)) == self.model.forgotten(run)
            assert [_put(line) for line in log.attempts(run_id(run))] == self.model.attempts(run)
            assert log.series(run_id(run)) == self.model.series(run)
            derived = log.derived(run_id(run))
            assert {k: each["values"]["v"] for k, each in derived.items()} == self.model.derived(
                run
            )
        for run in present:
            state, current = log.state(run_id(run)), self.model.current(run)
            assert (state.epoch, state.status, state.attempt) == current.place
            line = next(log.lines([run_id(run)]))
            assert _put(line) == (*current.place, current.value)
            for artifact in record_of(line).artifacts:
                with self.store.open_artifact(artifact) as file:
                    assert file.read() == current.artifact
            logged = self.model.log(run)
            if logged is not None:
                assert self.store.get_log(run_id(run)) == logged

    def close_all(self) -> None:
        self.store.close()
        while self.writers:
            self.writers.pop().close()

    def teardown(self) -> None:
        self.close_all()
        shutil.rmtree(self.root)


def _put(line: bytes) -> tuple[int, Status, int, int]:
    record = record_of(line)
    return record.epoch, record.status, record.attempt, record.metrics["x"]


class TestAFewSteps(StoreMachine.TestCase):
    settings = settings(max_examples=20, stateful_step_count=25)


@pytest.mark.slow
class TestManySteps(StoreMachine.TestCase):
    settings = settings(max_examples=500, stateful_step_count=60)
