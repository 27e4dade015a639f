"""``python -m flaxnets``."""

import sys

from flaxnets.cli.program import main

if __name__ == "__main__":
    sys.exit(main())
