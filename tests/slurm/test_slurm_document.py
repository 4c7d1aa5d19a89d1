"""What docs/slurm.md shows works on a cluster, in the order of the text."""

from __future__ import annotations

import shutil

import pytest

from document_tools import ROOT, follow

pytestmark = pytest.mark.slurm


def test_every_block_works_in_the_order_of_the_text(cluster, tmp_path):
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed; apt-get install jq")
    follow(ROOT / "docs" / "slurm.md", tmp_path)
