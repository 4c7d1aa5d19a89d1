"""What a submission decides, where a cluster would take minutes to bring it about.

The queue is a stand-in here; the store, the batch and the submission are real.
"""

from __future__ import annotations

import threading
import time

import attrs
import pytest

from metalab.errors import ExperimentFailedError
from metalab_slurm import SlurmConfig
from metalab_slurm.commands import SlurmRefused, SlurmUnavailable
from metalab_slurm.escalation import Escalation
from metalab_slurm.jobs import Job
from metalab_slurm.placing import Placed
from metalab_slurm.submission import SlurmSubmission
