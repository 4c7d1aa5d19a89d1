"""Runs Slurm's commands and tells a refusal from an answer that never came."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

from metalab.errors import MetalabError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "USUAL_OPTIONS",
    "Commands",
    "SlurmCrowded",
    "SlurmError",
    "SlurmRefused",
    "SlurmUnavailable",
    "is_installed",
]

USUAL_OPTIONS = {
    "SBATCH_ACCOUNT": "account",
    "SBATCH_CONSTRAINT": "constraint",
    "SBATCH_PARTITION": "partition",
    "SBATCH_QOS": "qos",
    "SBATCH_RESERVATION": "reservation",
}
"""Variables that sbatch may read, and the options they stand for."""

_PREFIXES = ("SLURM_", "SBATCH_", "SQUEUE_", "SACCT_", "SCANCEL_", "SALLOC_", "SRUN_")
# Where the controller is, and what proves who asks.
_KEPT = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT")
_READABLE = {"LC_ALL": "C", "SLURM_TIME_FORMAT": "%s", "SLURM_BITSTR_LEN": "0"}

_is_unavailable = re.compile(
    r"unable to contact|unable to establish|unable to resolve|socket timed out|temporarily"
    r"|connection refused|connect failure|zero bytes were|communication|munge|authentication"
    r"|configuration source|in standby|transport endpoint|try again|slurm backup controller",
    re.IGNORECASE,
).search
_is_crowded = re.compile(r"SubmitJob|Invalid job array specification").search
_is_submit_limit = re.compile(r"job submit limit", re.IGNORECASE).search
_is_full = re.compile(r"temporarily unable to accept job", re.IGNORECASE).search
_is_other_limit = re.compile(r"\b(?:QOS|Assoc)\w*(?:Limit|PerJob|PerUser)\w*").search


class SlurmError(MetalabError):
    """A command of Slurm's did not do what it was asked for."""


class SlurmUnavailable(SlurmError):  # noqa: N818  a state of affairs, named as users say it
    """Slurm is not installed, or did not answer: nothing is known, not even a refusal."""


class SlurmRefused(SlurmError):  # noqa: N818  as above
    """Slurm refuses for good; the text is the command's own."""


class SlurmCrowded(SlurmError):  # noqa: N818  as above
    """Slurm refuses so many jobs; it may accept fewer."""


class Commands:
    """Runs commands of Slurm's, and counts its calls by command in ``calls``.

    A command that does not end within ``timeout`` seconds is ended. It reads nothing, and does
    not see the Ctrl-C that is meant for its caller, so that a submission is not torn by it.
    """

    def __init__(self, timeout: float = 30.0) -> None:
        self.timeout = timeout
        self.calls: Counter[str] = Counter()

    def run(self, program: str, *arguments: str, without: Collection[str] = ()) -> str:
        """Return what a command prints; ``without`` names variables that it must not see.

        Raises SlurmUnavailable, SlurmCrowded or SlurmRefused.
        """
        self.calls[program] += 1
        try:
            done = subprocess.run(  # noqa: S603  the arguments are a list, no shell reads them
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self.timeout,
                check=False,
                env=_environment(program, without),
                start_new_session=True,
                encoding="utf-8",
                errors="surrogateescape",
            )
        except FileNotFoundError:
            raise SlurmUnavailable(
                f"there is no command {program!r} here: submit from a machine where Slurm's "
                "commands are on the PATH, such as a login node"
            ) from None
        except subprocess.TimeoutExpired as error:
            raise _silence(program, self.timeout, error.stderr) from None
        except OSError as error:
            raise SlurmUnavailable(f"{program} cannot be started: {error}") from error
        if done.returncode:
            raise _failure(program, done)
        return done.stdout


def is_installed() -> bool:
    """Tell whether the commands that submit and watch are on the PATH."""
    return all(shutil.which(program) for program in ("sbatch", "squeue", "scontrol"))


def _environment(program: str, without: Collection[str]) -> dict[str, str]:
    """Return this process's environment without what an enclosing job or a habit put there.

    A job gets the environment of its ``sbatch``, so nothing is added to that.
    """
    kept = (*_KEPT, *USUAL_OPTIONS) if program == "sbatch" else _KEPT
    own = {
        name: value
        for name, value in os.environ.items()
        if name in kept or not name.startswith(_PREFIXES)
        if name not in without
    }
    return own if program == "sbatch" else {**own, **_READABLE}


def _silence(program: str, seconds: float, stderr: bytes | str | None) -> SlurmError:
    said = stderr.decode(errors="replace") if isinstance(stderr, bytes) else stderr or ""
    text = f"{program} did not answer within {seconds:g} s: {said.strip() or 'it printed nothing'}"
    # sbatch goes on asking a controller that has as many jobs as it can hold.
    return SlurmCrowded(text) if _is_full(said) else SlurmUnavailable(text)


def _failure(program: str, done: subprocess.CompletedProcess[str]) -> SlurmError:
    said = (done.stderr.strip() or done.stdout.strip()) or f"exit code {done.returncode}"
    text = said if said.startswith((f"{program}:", "slurm_")) else f"{program}: {said}"
    if done.returncode < 0 or _is_unavailable(said):
        return SlurmUnavailable(text)
    if _is_crowded(said) or (_is_submit_limit(said) and not _is_other_limit(said)):
        return SlurmCrowded(text)
    return SlurmRefused(text)
