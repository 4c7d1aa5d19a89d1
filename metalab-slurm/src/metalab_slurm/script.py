"""The batch script of a pilot: what sbatch reads, and what bash does before Python starts."""

from __future__ import annotations

import re
from shlex import join, quote
from typing import TYPE_CHECKING

from metalab_slurm.options import directive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from metalab_slurm.config import SlurmConfig

__all__ = ["NO_DIRECTORY", "batch_script", "log_of"]

NO_DIRECTORY = 64
"""The exit code of a job whose working directory is not there on its node."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_is_variable = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII).fullmatch

# `stage` says what was being done when the script ends before Python takes its place.
_HEAD = """\
trap '' USR2  # one that comes early must not end the job
stage=start
trap 'code=$?; echo "metalab: this job ends with exit code $code at: $stage" >&2; exit $code' EXIT
set -e"""

_MODULES = """\
if ! type module >/dev/null 2>&1; then
  stage='finding the command "module"'
  for hook in "${LMOD_PKG:-}/init/bash" "${MODULESHOME:-}/init/bash" \\
    /etc/profile.d/lmod.sh /etc/profile.d/modules.sh /usr/share/lmod/lmod/init/bash \\
    /usr/share/modules/init/bash; do
    if [ -r "$hook" ]; then . "$hook" || :; break; fi
  done
fi"""

_CONDA = """\
stage='asking conda for its shell hook'
hook=$("${CONDA_EXE:-conda}" shell.bash hook)
eval "$hook\""""


def batch_script(
    config: SlurmConfig,
    *,
    name: str,
    array: int,
    folder: Path,
    command: Sequence[str],
    directory: str | None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Return the script of ``array`` identical pilots that each execute ``command``.

    Their logs go to ``folder/out``, which has to exist. ``directory`` is where they start, and
    has to be absolute; ``environment`` is added to what the job inherits. Raises ValueError for
    a folder that Slurm cannot write logs to, and for what is no variable's name.
    """
    lines = [
        "#!/bin/bash",
        *_directives(config, name, array, folder),
        "",
        _HEAD,
        *_environment(config, environment or {}),
        *_setup(config),
        *_departure(command, directory),
    ]
    return "\n".join(lines) + "\n"


def log_of(folder: Path, array_id: str, task: int) -> Path:
    """Return the log of one pilot."""
    return folder / "out" / f"{array_id}_{task}.log"


def _directives(config: SlurmConfig, name: str, array: int, folder: Path) -> Iterator[str]:
    most = config.max_concurrent
    limit = f"%{most}" if most and most < array else ""
    yield directive("job-name", name)
    yield directive("array", f"0-{array - 1}{limit}")
    yield directive("output", _log_pattern(folder))
    yield directive("open-mode", "append")
    yield directive("requeue")
    yield directive("signal", f"B:USR2@{config.margin_seconds}")
    yield directive("time", config.time)
    yield directive("cpus-per-task", str(config.cpus))
    if config.megabytes is not None:
        yield directive("mem", f"{config.megabytes}M" if config.megabytes else "0")
    if config.gpus:
        yield directive("gres", f"gpu:{config.gpus}")
    for option in ("partition", "account", "qos", "constraint"):
        if value := getattr(config, option):
            yield directive(option, value)
    for option, value in config.extra_sbatch.items():
        yield directive(option, value)


def _log_pattern(folder: Path) -> str:
    path = str(folder.absolute())
    if any(character in path for character in "\\\n\r\0"):
        raise ValueError(
            f"{path!r} has a backslash or a line break, and Slurm writes no logs below such a "
            "folder: give the store another place"
        )
    return path.replace("%", "%%") + "/out/%A_%a.log"


def _environment(config: SlurmConfig, environment: Mapping[str, str]) -> Iterator[str]:
    threads = max(1, config.cpus // config.workers_per_pilot)
    for name in _THREADS:
        yield f'export {name}="${{{name}:-{threads}}}"'
    for name, value in environment.items():
        if not _is_variable(name):
            raise ValueError(f"environment: {name!r} is no name of a variable")
        yield f"export {name}={quote(value)}"


def _setup(config: SlurmConfig) -> Iterator[str]:
    if config.modules:
        yield _MODULES
    for module in config.modules:
        yield _stage(f"module load {module}")
        yield f"module load {quote(module)} || exit"
    if config.conda_env:
        yield _CONDA
        yield _stage(f"conda activate {config.conda_env}")
        yield f"conda activate {quote(config.conda_env)} || exit"
    for line in config.setup:
        yield _stage(line)
        # A line that bash cannot read is then an error of its own, not of the whole script.
        yield f"eval {quote(line)}"


def _departure(command: Sequence[str], directory: str | None) -> Iterator[str]:
    if directory is not None:
        yield _stage(f"cd {directory}")
        yield f"cd -- {quote(directory)} || exit {NO_DIRECTORY}"
    yield _stage(join(command))
    # An exec that fails ends bash without the trap's words.
    yield f"command -v {quote(command[0])} >/dev/null || exit 127"
    yield f"exec {join(command)}"


def _stage(text: str) -> str:
    return f"stage={quote(text)}"
