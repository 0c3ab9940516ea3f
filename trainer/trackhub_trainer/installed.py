"""Whether the packages that a training needs are there: looked up without importing any, before anything else."""

from __future__ import annotations

from importlib.util import find_spec

NEEDED = ("torch", "lightning", "transformers", "peft", "safetensors", "dotenv")
"""What the extra `trainer` brings, and no training can do without."""


def problems(base_model: str = "") -> list[str]:
    """What is missing, with the command that mends it, in one line; empty if nothing is.

    Args:
        base_model: as given; a .gguf file needs a package of its own.
    """
    needed = (*NEEDED, "gguf") if base_model.endswith(".gguf") else NEEDED
    missing = [package for package in needed if find_spec(package) is None]
    if not missing:
        return []
    verb, them = ("is", "it") if len(missing) == 1 else ("are", "them")
    return [f"{', '.join(missing)} {verb} not installed, and training needs {them}: pip install 'trackhub-ml[trainer]'"]
