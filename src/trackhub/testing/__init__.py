"""What the author of a plugin tests with; public, and shipped in the wheel.

    open_tracker   a plugin opened in this process, through the same facade as its courier uses
    SomeRun        a run to open it on
"""

from trackhub.testing.harness import SomeRun, open_tracker

__all__ = ["SomeRun", "open_tracker"]
