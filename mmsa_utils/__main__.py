"""The door of the command line: python -m mmsa_utils {train,align,evaluate,predict,dashboard,grade,doctor}."""

import os
import sys

from .apps.cli import main
from .processes import number

if __name__ == "__main__":
    code = main()
    if code and number() > 1:  # threads that wait for the other processes would make a crash of an orderly end
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
