"""A test's cluster ends with the tests, however these end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from process_tools import is_there
from slurm.slurm_cluster import advice, wait_for

pytestmark = pytest.mark.slurm

OWNER = """\
import sys, time
from slurm.slurm_cluster import SlurmCluster, wait_for
cluster = SlurmCluster(nodes=1)
job = "#!/bin/bash\\ntrap '' TERM\\necho $$ >{0}/job\\nwhile :; do sleep 1; done\\n"
(cluster.folder / "job.sh").write_text(job.format(sys.argv[1]))
cluster.command("sbatch", "-o", "/dev/null", cluster.folder / "job.sh")
print(cluster.folder, flush=True)
time.sleep(300)
"""


@pytest.mark.skipif(bool(advice()), reason=advice())
def test_a_cluster_ends_with_an_owner_that_is_killed(tmp_path):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        stdout=subprocess.PIPE,
        text=True,
    )
    folder = Path(owner.stdout.readline().strip())
    daemons = [int(path.read_text().split()[0]) for path in folder.glob("pids/*.pid")]
    assert len(daemons) == 4  # munged, slurmctld, one slurmd, and the watchdog
    wait_for(lambda: (tmp_path / "job").exists() and (tmp_path / "job").read_text())
    daemons.append(int((tmp_path / "job").read_text()))
    assert all(map(is_there, daemons))
    os.kill(owner.pid, signal.SIGKILL)
    owner.communicate(timeout=50)
    wait_for(lambda: not any(map(is_there, daemons)), what="the end of all processes")
    wait_for(lambda: not folder.exists(), what="the folder's removal")
