"""What the documents show is run: every python block, and every shell line that can be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# The file each document's python blocks are saved as, where its text names one.
SAVED_AS = {"README.md": "mvp.py", "cli.md": "study.py"}

# Shell lines that no test runs as they stand, and why.
NOT_RUN = {
    "uv add metalab": "needs an index that has metalab; the wheels are installed by test_wheels",
    "pip install uv && uv run docs/examples/mvp.py": "run by .ci/run in a fresh clone",
    "uv run pytest": "is this very run",
    "uv sync": "run by .ci/run",
    ".ci/run": "runs this test",
    "rsync -a cluster:study/experiments/ experiments/": "needs a second machine; copied instead",
}


def _blocks(document, *languages):
    return [body for language, body in FENCE.findall(document.read_text()) if language in languages]


def _run(command, cwd, stdin=None):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        command,
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(params=DOCUMENTS, ids=lambda document: document.name)
def document(request):
    return request.param


def test_every_block_says_its_language(document):
    languages = {language for language, _ in FENCE.findall(document.read_text())}
    assert languages <= {"python", "bash", "text"}


def test_every_block_works_in_the_order_of_the_text(document, tmp_path):
    """The python blocks make one script; then the shell lines are run where it left its files."""
    if "jq " in document.read_text() and shutil.which("jq") is None:
        pytest.skip("jq is not installed; apt-get install jq")
    script = SAVED_AS.get(document.name, f"{document.stem.replace('-', '_')}.py")
    (tmp_path / script).write_text("\n\n".join(_blocks(document, "python")))
    said = _run([sys.executable, script], tmp_path)
    for block in _blocks(document, "bash"):
        lines = [line for line in block.splitlines() if line not in NOT_RUN]
        said += _run(["bash", "-euo", "pipefail", "-s"], tmp_path, stdin="\n".join(lines))
    for block in _blocks(document, "text"):
        assert block in said, f"{document.name} shows what is not printed:\n{block}\n--\n{said}"


def test_every_line_that_is_not_run_still_stands_in_a_document():
    shown = {line for document in DOCUMENTS for line in document.read_text().splitlines()}
    assert set(NOT_RUN) <= shown


def test_links_lead_somewhere(document):
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


class TestReadme:
    def test_its_first_block_is_the_first_example(self):
        (first, *_) = _blocks(ROOT / "README.md", "python")
        assert first == (ROOT / "docs" / "examples" / "mvp.py").read_text()

    def test_its_scores_are_those_of_the_script(self, tmp_path):
        """The table under the script is what a reader gets."""
        scores = re.findall(r"\b\d\.\d{6}\b", (ROOT / "README.md").read_text())
        said = _run([sys.executable, ROOT / "docs" / "examples" / "mvp.py"], tmp_path)
        assert len(scores) == 6
        assert [score for score in scores if score not in said] == []

    def test_it_links_all_documents_and_examples(self):
        text = (ROOT / "README.md").read_text()
        pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "examples").glob("*.py")]
        assert [page.name for page in pages if f"({page.relative_to(ROOT)})" not in text] == []
