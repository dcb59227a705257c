"""The door of the command line: python -m mmsa_utils {train,align,evaluate,predict,dashboard,grade,doctor}."""

import sys

from .apps.cli import main

if __name__ == "__main__":
    sys.exit(main())
