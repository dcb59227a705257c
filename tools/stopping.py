"""What Ctrl-C does in a script of this folder: a line says what is kept, and the exit code is 130."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn


def leave(main: Callable[[], int | None], kept: str = "there was nothing to keep") -> NoReturn:
    """Run a script's `main` and exit with what it returns; stopped by Ctrl-C, say what is `kept`."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print(f"\nstopped: {kept}.", file=sys.stderr)
        sys.exit(130)
