"""``python -m metalab`` is the command ``metalab``."""

from __future__ import annotations

import sys

from metalab.cli import main

if __name__ == "__main__":
    sys.exit(main())
