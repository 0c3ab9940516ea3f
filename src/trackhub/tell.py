"""One line to the user, on standard error, in the same shape everywhere."""

from __future__ import annotations

import sys

from trackhub.secrets import redact_text


def tell(line: str) -> None:
    """Say `line` without credentials; a closed or missing standard error is no reason to fail."""
    try:
        print(f"trackhub: {redact_text(line)}", file=sys.stderr, flush=True)
    except (OSError, ValueError, AttributeError):
        return
