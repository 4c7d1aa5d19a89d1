"""Let ``python tests/benchmarks`` run the benchmarks, from any folder."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Run as a folder, the interpreter puts the package itself on the path, not what holds it.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from benchmarks.command import main

    sys.exit(main())
