"""Stand-ins for pilots: jobs that are placed as pilots are and that do one thing."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

from metalab_slurm.cluster import Cluster
from metalab_slurm.commands import Commands
from metalab_slurm.config import SlurmConfig
from metalab_slurm.journal import Journal
from metalab_slurm.placing import place
from metalab_slurm.script import batch_script, log_of
from slurm.slurm_cluster import wait_for

SLEEP = "import time; time.sleep(300)"


class Pilots:
    """An array of jobs in a folder, which execute a line of Python."""

    def __init__(self, folder, code=SLEEP, *, array=1, name=None, patience=30, **config):
        self.cluster = Cluster(Commands(timeout=patience))
        self.folder = Path(folder)
        # Slurm remembers the jobs of earlier tests for a while.
        self.name = name or f"metalab-{uuid.uuid4().hex[:8]}"
        self.config = SlurmConfig(**{"memory": "100M", "time": 10} | config)
        self.code = code
        self.placed = place(
            self.cluster,
            Journal(self.folder),
            self.script,
            self.folder,
            self.name,
            array,
            (0.2, 0.2),
        )
        (self.array_id, *_) = self.placed.job_ids

    def script(self, array):
        return batch_script(
            self.config,
            name=self.name,
            array=array,
            folder=self.folder,
            command=[sys.executable, "-c", self.code],
            directory=None,
        )

    def jobs(self):
        return self.cluster.jobs([self.name])

    def job(self, task=0):
        return next(job for job in self.jobs() if (job.array_id, job.task) == (self.array_id, task))

    def log(self, task=0):
        return log_of(self.folder, self.array_id, task)

    def wait(self, *states, task=0):
        """Wait until one of the jobs is in a state, and return it."""
        return wait_for(
            lambda: (job := self.job(task)).state in states and job, what=f"{states} of {task}"
        )

    def wait_for_log(self, text, task=0):
        return wait_for(lambda: self.log(task).exists() and text in self.log(task).read_text())
