"""Operations that jobs of the tests execute; jobs import this file."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import metalab


@metalab.operation
def quick(params):
    return {"y": params["x"] ** 2}


@metalab.operation
def short(params):
    time.sleep(params.get("seconds", 0.02))
    return {"y": params["x"]}


@metalab.operation
def poison(params):
    """Kill the whole job, supervisor and all, at one of the params."""
    if params["x"] == params["bad"]:
        os.kill(int(Path(f"/proc/{os.getppid()}/stat").read_text().split()[0]), signal.SIGKILL)
        time.sleep(60)
    return {"y": params["x"]}


@metalab.operation
def held(params):
    """Go on until a file is there."""
    Path(params["folder"], f"begun-{params['x']}").touch()
    while not Path(params["folder"], "go").exists():
        time.sleep(0.02)
    return {"y": params["x"]}


@metalab.operation
def heeding(params, runtime):
    """Be short, or from one of the params on as ``held`` until it is asked to stop."""
    time.sleep(0.02)
    while params["x"] >= params["free"] and not Path(params["folder"], "go").exists():
        runtime.check_cancelled()
        time.sleep(0.02)
    return {"y": params["x"]}


@metalab.operation
def together(params):
    """Go on once so many have begun."""
    folder = Path(params["folder"])
    (folder / f"begun-{params['x']}").touch()
    while len(list(folder.glob("begun-*"))) < params["begun"]:
        time.sleep(0.02)
    return {"y": params["x"]}


@metalab.operation
def shared(params):
    """Go on once both a job and another process have begun one."""
    folder = Path(params["folder"])
    (folder / ("slurm" if "SLURM_JOB_ID" in os.environ else "process")).touch()
    while not ((folder / "slurm").exists() and (folder / "process").exists()):
        time.sleep(0.02)
    return {"y": params["x"]}


@metalab.operation
def saving(params, runtime, capture):
    """Count to a number in several lives, saving itself when it is asked to.

    The first does not get there, however long it has.
    """
    begun = Path(params["folder"], "begun")
    reached = runtime.restore() or 0
    most = params["to"] - (not begun.exists())
    capture.metric("lives", 1)
    while reached < params["to"]:
        if runtime.should_stop:
            runtime.checkpoint(reached)
            runtime.check_cancelled()
        time.sleep(0.05)
        reached = min(reached + 1, most)
        begun.touch()
    return {"reached": reached}


@metalab.operation
def late(params, runtime):
    """Be short, but for the last of the params, which is begun when half of a minute is over."""
    if params["x"] == params["last"]:
        time.sleep(30)
    elif runtime.remaining() > 25:
        time.sleep(1.5)
    return {"y": params["x"]}


@metalab.operation
def greedy(params):
    """Hold so many megabytes, until that is noticed if they are more than the job may have."""
    held = bytearray(params["megabytes"] << 20)
    for place in range(0, len(held), 4096):
        held[place] = 1
    if params["megabytes"] > int(os.environ["SLURM_MEM_PER_NODE"]):
        time.sleep(300)
    return {"held": len(held) >> 20}


@metalab.operation
def enduring(params, runtime):
    """Count to a number, one a second, in several lives; keep what time each had left."""
    reached = runtime.restore() or 0
    remaining = []
    while reached < params["to"]:
        remaining.append(runtime.remaining())
        if runtime.should_stop:
            runtime.checkpoint(reached)
            break
        time.sleep(1.0)
        reached += 1
    with Path(params["folder"], "remaining").open("a") as file:
        file.write(f"{json.dumps(remaining)},")
    runtime.check_cancelled()
    return {"reached": reached}


@metalab.operation
def wordy(params, capture):
    """Fill the store."""
    capture.metric("words", "x" * params["words"])
