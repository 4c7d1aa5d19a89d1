"""What the conformance kit is to whoever uses it: named, explained, and absent where not asked."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from metalab.testing import StoreContract
from metalab.testing.store.place import StorePlace

TESTS = Path(__file__).parent.parent
ASK = ("-p", "metalab.testing", "--pyargs", "metalab.testing")


def python(folder, *arguments, code=0, plugins=False):
    """Run Python in a folder where nothing of this repository is, and return what it says."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "METALAB"))}
    environment["PYTHONPATH"] = str(TESTS)
    environment["PYTEST_DEBUG_TEMPROOT"] = os.environ["PYTEST_DEBUG_TEMPROOT"]
    if not plugins:  # what else is installed here takes a second to load
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    return said


def run_pytest(folder, *arguments, code=0):
    return python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, code=code)


def write(folder, source):
    path = folder / "test_mine.py"
    path.write_text(textwrap.dedent(source))
    return path


class TestByName:
    def test_an_installed_store_is_asked_without_a_file_of_tests(self, tmp_path):
        some = "come_back or unit or cuts or option"
        said = run_pytest(tmp_path, *ASK, "--store", "{tmp}/é?commit_interval=0.02", "-k", some)
        assert "failed" not in said
        assert "passed" in said
        assert "skipped" not in said

    def test_what_it_cannot_do_is_named(self, tmp_path):
        options = ("--without", "can_compact", "--without", "keeps_patches", "-rs")
        said = run_pytest(
            tmp_path, *ASK, "--store", "file://{tmp}/{place}", *options, "-k", "compact or patch"
        )
        assert "TestNamedStore.can_compact is False" in said
        assert "TestNamedStore.keeps_patches is False" in said

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (("--store", "nope://{tmp}"), "no metalab.stores plugin is named 'nope'"),
            (("--store", "./mine"), "write {tmp} where a folder of its own belongs"),
            (("--executor", "nope"), "no metalab.executors plugin is named 'nope'"),
            (("--store", "{tmp}", "--without", "can_fly"), "can_fly: there is can_compact,"),
        ],
        ids=["scheme", "place", "executor", "capability"],
    )
    def test_what_names_nothing_is_refused_before_any_test(self, tmp_path, options, words):
        assert words in run_pytest(tmp_path, *ASK, *options, code=pytest.ExitCode.USAGE_ERROR)

    def test_whoever_names_nothing_is_told_what_to_write(self, tmp_path):
        said = run_pytest(tmp_path, "--pyargs", "metalab.testing", code=2)
        assert "pytest -p metalab.testing --pyargs metalab.testing --store LOCATOR" in said

    def test_sessions_that_do_not_ask_for_it_do_not_know_it(self, tmp_path):
        path = write(tmp_path, "def test_one():\n    pass\n")
        script = f"import pytest, sys; pytest.main([{str(path)!r}]); print(sorted(sys.modules))"
        said = python(tmp_path, "-c", script, plugins=True)
        assert "1 passed" in said
        assert "'metalab" not in said


class TestByInheritance:
    def test_a_failure_shows_what_was_compared(self, tmp_path):
        path = write(
            tmp_path,
            """
            import pytest
            from contract.wrong.stores.forgets_negative_zero import Config
            from metalab.testing import StoreContract

            class TestMine(StoreContract):
                @pytest.fixture
                def config(self):
                    return Config(place="mine")
            """,
        )
        said = run_pytest(tmp_path, str(path), "-k", "awkward_floats", code=1)
        assert "test_awkward_floats_come_back_exactly" in said
        assert "'0.0' != '-0.0'" in said

    def test_a_class_without_its_fixture_is_told_what_to_write(self, tmp_path):
        path = write(
            tmp_path,
            """
            from metalab.testing import StoreContract

            class TestMine(StoreContract):
                pass
            """,
        )
        said = run_pytest(tmp_path, str(path), "-k", "comes_back_equal", code=1)
        assert "TestMine has no fixture `config`: write one that returns the StoreConfig" in said

    def test_a_configuration_that_cannot_be_found_or_sent_is_named_with_its_fault(self, tmp_path):
        path = write(
            tmp_path,
            """
            import threading
            from typing import ClassVar

            import attrs
            import pytest
            from metalab.store import FileStoreConfig
            from metalab.testing import StoreContract

            @attrs.frozen
            class Config(FileStoreConfig):
                scheme: ClassVar[str] = "fiel"
                lock: object = attrs.field(factory=threading.Lock)

            class TestMine(StoreContract):
                @pytest.fixture
                def config(self, tmp_path):
                    return Config(tmp_path / "store")
            """,
        )
        some = "entry_point or pickles or race_for"
        said = run_pytest(tmp_path, str(path), "-k", some, code=1)
        assert "Config.scheme is 'fiel', but no metalab.stores plugin is named 'fiel'" in said
        assert said.count("Config cannot be sent to other processes: its field 'lock'") >= 2

    @pytest.mark.parametrize("lacking", ["Store", "StoreConfig", "StoreWriter"])
    def test_of_a_class_that_lacks_methods_it_is_said_once_which(self, tmp_path, lacking):
        bases = {
            "Store": "MemoryStore",
            "StoreConfig": "MemoryStoreConfig",
            "StoreWriter": "MemoryWriter",
        }
        path = write(
            tmp_path,
            f"""
            import abc
            import attrs
            import pytest
            from contract.memory_store import MemoryStore, MemoryStoreConfig, MemoryWriter
            from metalab.testing import StoreContract

            class Partial({bases[lacking]}):
                @abc.abstractmethod
                def to_be_written(self): ...

            class Mine(MemoryStore):
                writer_type = Partial if issubclass(Partial, MemoryWriter) else MemoryWriter

            class Config(Partial if issubclass(Partial, MemoryStoreConfig) else MemoryStoreConfig):
                made = Partial if issubclass(Partial, MemoryStore) else Mine

            class TestMine(StoreContract):
                @pytest.fixture
                def config(self):
                    return Config(place="mine")
            """,
        )
        said = run_pytest(tmp_path, str(path), code=1)
        assert re.search(
            r"^1 (failed|error), \d+ skipped in|^\d+ skipped, 1 error", said, re.MULTILINE
        )
        assert re.search(
            "abstract class (Partial|Config) .*to_be_written'?: write what it lacks", said
        )

    def test_of_an_executor_that_lacks_methods_it_is_said_once_which(self, tmp_path):
        path = write(
            tmp_path,
            """
            import pytest
            from metalab.execution.base import Executor, Submission
            from metalab.testing import ExecutorContract

            class Partial(Submission):
                def wait(self, timeout=None): ...

            class Mine(Executor):
                name = "mine"
                def submit(self, batch):
                    return Partial()
                def shutdown(self, *, wait=True): ...

            class TestMine(ExecutorContract):
                can_kill = is_detached = is_installed = False

                @pytest.fixture
                def executor(self):
                    with Mine() as made:
                        yield made
            """,
        )
        said = run_pytest(tmp_path, str(path), code=1)
        assert re.search(r"^1 failed, \d+ skipped in", said, re.MULTILINE), said
        assert re.search("abstract class Partial .*cancel.*error.*: write what it lacks", said)

    def test_importing_a_contract_collects_nothing(self, tmp_path):
        path = write(tmp_path, "from metalab.testing import StoreContract\n")
        run_pytest(tmp_path, str(path), code=pytest.ExitCode.NO_TESTS_COLLECTED)

    @pytest.mark.parametrize("missing", ["pytest", "hypothesis"])
    def test_what_is_not_installed_is_named_with_what_brings_it(self, tmp_path, missing):
        hide = f"import sys; sys.modules[{missing!r}] = None"
        script = f"{hide}; from metalab.testing import StoreContract"
        said = python(tmp_path, "-c", script, code=1)
        assert f"StoreContract needs {missing}: pip install 'metalab-core[testing]'" in said


def test_no_part_of_the_contract_hides_a_test_of_another():
    parts = [part for part in inspect.getmro(StoreContract)[1:] if part is not object]
    names = [name for part in parts for name in vars(part) if name.startswith("test_")]
    assert len(names) == len(set(names)) > 100


def test_every_capability_is_strict_and_says_what_it_means():
    said = inspect.getsource(StorePlace)
    for name, value in vars(StorePlace).items():
        if isinstance(value, bool):
            assert value
            assert f'{name}: ClassVar[bool] = True\n    """' in said
