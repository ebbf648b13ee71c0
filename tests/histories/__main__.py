"""Checks the history in a file again: `python -m histories FILE`, from the folder `tests`."""

import sys
from pathlib import Path

from histories.history import read_history
from histories.rules import violations

if __name__ == "__main__":
    found = violations(read_history(Path(sys.argv[1])))
    for one in found:
        print(one)
    sys.exit(bool(found))
