"""Where a run ran: enough to tell, a year later, what has changed since."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from shutil import which
from typing import Any

from trackhub.processes import host
from trackhub.secrets import redact_argv, redact_environ

_AT_MOST = 4.5
"""Seconds in all; a driver or a network folder that hangs costs no more."""
_GIT_AT_MOST = 2.0
"""Seconds for one git command."""

_VARIABLES = (
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "CUBLAS_WORKSPACE_CONFIG"),
    *("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF", "TORCH_COMPILE_DISABLE", "TORCHDYNAMO_DISABLE"),
    *("NVIDIA_TF32_OVERRIDE", "NCCL_DEBUG", "NCCL_P2P_DISABLE", "NCCL_IB_DISABLE", "NCCL_SOCKET_IFNAME"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM", "PYTHONHASHSEED"),
    *("HF_HOME", "HF_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"),
    *("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK", "GROUP_RANK"),
    *("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"),
    *("SLURM_JOB_ID", "SLURM_JOB_NAME", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_PROCID"),
    *("SLURM_NTASKS", "SLURM_NNODES", "SLURM_NODELIST", "SLURM_JOB_PARTITION", "PBS_JOBID", "LSB_JOBID"),
    *("CONDA_DEFAULT_ENV", "VIRTUAL_ENV", "KUBERNETES_SERVICE_HOST", "LANG", "TZ"),
)
"""Environment variables that change what a training computes, or say where it stood. No other is read."""


def snapshot(cwd: Path, argv: Sequence[str]) -> dict[str, Any]:
    """Host, platform, Python, hardware, packages, git state, command line; within 5 seconds, whatever hangs.

    Keys: ``host``, ``platform``, ``python``, ``executable``, ``argv`` and ``variables`` (redacted), ``cpu_count``,
    ``memory_mb``, ``gpus`` (name and memory_mb of each), ``packages`` (version by name) and ``git`` (commit, branch,
    dirty). What is not there stays out; what was not known in time is named under ``unfinished``.

    Args:
        cwd: the folder that the training was started in; git is asked there.
        argv: its command line.
    """
    known: dict[str, Any] = {
        "host": host(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "argv": redact_argv(argv),
        "variables": redact_environ({name: os.environ[name] for name in _VARIABLES if name in os.environ}),
        "cpu_count": os.cpu_count(),
    }
    parts = {"memory_mb": _memory_mb, "gpus": _gpus, "git": lambda: _git(Path(cwd)), "packages": _packages}
    return known | _collected(parts, _AT_MOST)


def _collected(parts: dict[str, Callable[[], Any]], seconds: float) -> dict[str, Any]:
    """What each part finds, all at the same time, each in a thread that is left behind if it hangs."""
    found: dict[str, Any] = {}
    threads = {
        name: threading.Thread(target=_collect, args=(found, name, part), daemon=True) for name, part in parts.items()
    }
    until = time.monotonic() + seconds
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, until - time.monotonic()))
    unfinished = [name for name, thread in threads.items() if thread.is_alive()]
    ready = {name: found[name] for name in parts if name not in unfinished and found.get(name) is not None}
    return ready | ({"unfinished": unfinished} if unfinished else {})


def _collect(found: dict[str, Any], name: str, part: Callable[[], Any]) -> None:
    try:
        found[name] = part()
    except Exception:  # noqa: BLE001 - no driver, no git, broken metadata: this part stays out
        return


def _memory_mb() -> float:
    import psutil

    return round(psutil.virtual_memory().total / 1e6)


def _gpus() -> list[dict[str, Any]]:
    import pynvml

    pynvml.nvmlInit()
    try:
        return [_gpu(pynvml.nvmlDeviceGetHandleByIndex(index)) for index in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()


def _gpu(handle: Any) -> dict[str, Any]:
    import pynvml

    name = pynvml.nvmlDeviceGetName(handle)
    found: dict[str, Any] = {"name": name.decode() if isinstance(name, bytes) else name}
    with suppress(pynvml.NVMLError):
        found["memory_mb"] = round(pynvml.nvmlDeviceGetMemoryInfo(handle).total / 1e6)
    return found


def _packages() -> dict[str, str]:
    """Versions by name; the first that Python would import wins. One without its metadata is left out."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name, version = distribution.metadata["Name"], distribution.metadata["Version"]
        if name and version:
            found.setdefault(name, version)
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _git(cwd: Path) -> dict[str, Any] | None:
    """Commit, branch (None if detached) and whether tracked files were changed (None if git took too long)."""
    head = _ask_git(cwd, "rev-parse", "HEAD", "--abbrev-ref", "HEAD")
    if head is None:
        return None
    commit, _, branch = head.partition("\n")
    changes = _ask_git(cwd, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty")
    dirty = None if changes is None else bool(changes)
    return {"commit": commit, "branch": None if branch == "HEAD" else branch, "dirty": dirty}


def _ask_git(cwd: Path, *arguments: str) -> str | None:
    """What git answers, or None. It takes no lock, asks nothing, and starts no file system monitor."""
    git = which("git")
    if git is None:
        return None
    environ = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
    environ |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    command = [git, "-c", "core.fsmonitor=false", "-C", str(cwd), *arguments]
    try:
        done = subprocess.run(
            command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=_GIT_AT_MOST, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None
