"""What the documents show is run: every python block, and every shell line that can be."""

from __future__ import annotations

import re
import shutil
import sys

import pytest

from document_tools import DOCUMENTS, FENCE, NOT_RUN, ROOT, blocks, follow, run

# What needs a cluster or a server is tried on one, by the tests of the plugins.
ANYWHERE = [each for each in DOCUMENTS if each.name not in {"slurm.md", "postgres.md"}]


@pytest.fixture(params=DOCUMENTS, ids=lambda document: document.name)
def document(request):
    return request.param


def test_every_block_says_its_language(document):
    languages = {language for language, _ in FENCE.findall(document.read_text())}
    assert languages <= {"python", "bash", "sql", "text"}


@pytest.mark.parametrize("document", ANYWHERE, ids=lambda document: document.name)
def test_every_block_works_in_the_order_of_the_text(document, tmp_path):
    if "jq " in document.read_text() and shutil.which("jq") is None:
        pytest.skip("jq is not installed; apt-get install jq")
    follow(document, tmp_path)


def test_every_line_that_is_not_run_still_stands_in_a_document():
    shown = {line for document in DOCUMENTS for line in document.read_text().splitlines()}
    assert set(NOT_RUN) <= shown


def test_links_lead_somewhere(document):
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


class TestReadme:
    def test_its_first_block_is_the_first_example(self):
        (first, *_) = blocks(ROOT / "README.md", "python")
        assert first == (ROOT / "docs" / "examples" / "mvp.py").read_text()

    def test_its_scores_are_those_of_the_script(self, tmp_path):
        """The table under the script is what a reader gets."""
        scores = re.findall(r"\b\d\.\d{6}\b", (ROOT / "README.md").read_text())
        said = run([sys.executable, ROOT / "docs" / "examples" / "mvp.py"], tmp_path)
        assert len(scores) == 6
        assert [score for score in scores if score not in said] == []

    def test_it_links_all_documents_and_examples(self):
        text = (ROOT / "README.md").read_text()
        pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "examples").glob("*.py")]
        assert [page.name for page in pages if f"({page.relative_to(ROOT)})" not in text] == []
