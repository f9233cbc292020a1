"""``python -m ipycheckpoint`` is the command ``ipycheckpoint``."""

from __future__ import annotations

import sys

from ipycheckpoint.surfaces.cli import main

if __name__ == "__main__":
    sys.exit(main())
