"""What a job by hand executes: a part of the runs, each kept in a file of its own.

``python -S slurm_task.py FOLDER PARTS``: this is the part that Slurm's array task says.
"""

from __future__ import annotations

import json
import os
import random
import sys
from hashlib import sha256
from itertools import islice, product

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def main(folder: str, parts: int, part: int) -> None:
    """Execute every run of a part."""
    with open(f"{folder}/sweep.json") as file:  # noqa: PTH123  pathlib would take as long to import
        runs, values = json.load(file)
    first, last = part * runs // parts, (part + 1) * runs // parts
    for point in islice(product(*values.values()), first, last):
        params = dict(zip(values, point, strict=True))
        run_id = sha256(_canonical(params).encode()).hexdigest()[:32]
        seed = int(run_id[:16], 16)
        metric = random.Random(seed).random()
        record = {"id": run_id, "params": params, "seed": seed, "score": metric}
        aside = f"{folder}/aside/{run_id}"
        with open(aside, "w") as file:  # noqa: PTH123  as above
            file.write(_canonical({**record, "status": "success"}) + "\n")
        os.rename(aside, f"{folder}/records/{run_id}.json")  # noqa: PTH104  as above


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(os.environ["SLURM_ARRAY_TASK_ID"]))
