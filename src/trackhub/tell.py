"""One line to the user, on standard error, in the same shape everywhere."""

from __future__ import annotations

import sys


def tell(line: str) -> None:
    """Say `line`; a closed or missing standard error is no reason to fail."""
    try:
        print(f"trackhub: {line}", file=sys.stderr, flush=True)
    except (OSError, ValueError, AttributeError):
        return
