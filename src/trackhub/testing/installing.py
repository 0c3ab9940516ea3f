"""A plugin that is installed for the length of a test: found by entry point, as a real one is."""

from __future__ import annotations

import os
from pathlib import Path


def install(folder: Path, *, distribution: str = "trackhub-test-plugins", **trackers: str) -> Path:
    """Make `folder` look like a site-packages with a distribution that registers `trackers`.

    Put the folder on ``PYTHONPATH``, and the trackers are installed for every process that starts there.

    Args:
        folder: made if it is not there.
        distribution: the name of the pretended distribution.
        trackers: ``name="module:Class"``; modules lie in `folder`, or are importable anyway.
    """
    info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    lines = [f"{name.replace('__', '-')} = {target}" for name, target in trackers.items()]
    (info / "entry_points.txt").write_text("[trackhub.trackers]\n" + "\n".join(lines) + "\n")
    return folder


def on_path(folder: Path) -> str:
    """A ``PYTHONPATH`` with `folder` in front of what it is now."""
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
