"""Checkpoint files: whole or not there, with the adapter but not the frozen base, and nothing that runs code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO

from trackhub import files


def file_name(step: int, max_steps: int) -> str:
    """``checkpoint-step-076.ckpt``: as many digits as the last step has, three at least, so that names sort."""
    return f"checkpoint-step-{step:0{max(3, len(str(max_steps)))}d}.ckpt"


def size(trainable: int) -> int:
    """Bytes of a checkpoint: the adapter and AdamW's two moments in 32 bit, and some 50 kB of everything else."""
    return 12 * trainable + 50_000


class WholeFileIO(TorchCheckpointIO):  # type: ignore[misc]
    """Writes a temporary file and renames it. Lightning's own way keeps a second copy of the content in memory."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, **_: Any) -> None:
        """Write `checkpoint` to `path`: at any moment it is there as a whole, or not at all."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with partial.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
            files.sync(target.parent)
        except (OSError, RuntimeError) as error:
            raise _of_disk(error, target) or error from None
        finally:
            partial.unlink(missing_ok=True)

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", **_: Any) -> dict[str, Any]:
        """Read it as data: whatever Lightning was told, nothing in the file is run."""
        content: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
        return content


def _of_disk(error: BaseException, path: Path) -> OSError | None:
    """What the disk said: torch hides a full one behind an error of its own, which says nothing to people."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__context__
    return cause and OSError(cause.errno, cause.strerror, str(path))
