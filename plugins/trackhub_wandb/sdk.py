"""How the SDK is run: settings that keep it quiet, and the end of the process that it starts."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

import psutil
import wandb
from wandb.sdk import wandb_setup
from wandb.sdk.data_types._private import MEDIA_TMP

from trackhub.plugin import RunInfo
from trackhub_wandb import WandbOptions

AUTOGROUP = Path("/proc/self/autogroup")
"""Where Linux keeps how nice a session is."""
VISIBLE_AFTER = 0.5
"""Seconds until what was logged is in the file, where readers see it."""
ANSWER_WITHIN = 20.0
"""Seconds that a server has to open the run; the SDK adds ten."""
UPLOAD_WITHIN = 120.0
"""Seconds that the upload has at the end, within the hook's deadline."""


def settings_of(run: RunInfo, options: WandbOptions, parent: Path) -> wandb.Settings:
    """Fresh settings, since `wandb.init` changes them: who the run is, and nothing that probes, prints or asks."""
    who = {
        "run_id": run.id,
        "run_name": run.name,
        "run_group": run.group,
        "run_job_type": run.job_type,
        "run_notes": run.notes,
        "run_tags": tuple(dict.fromkeys(tag[:64] for tag in run.tags if tag)) or None,
        "project": options.project or project_name(run.project),
        "entity": options.entity or os.environ.get("WANDB_ENTITY"),
    }
    server = {
        "resume": "allow",
        "init_timeout": ANSWER_WITHIN,
        "finish_timeout": UPLOAD_WITHIN,
        "finish_timeout_raises": True,
    }
    host = {"base_url": options.host} if options.host else {}
    return wandb.Settings(
        mode="online" if options.online else "offline",
        root_dir=str(parent),
        use_dot_wandb=False,
        symlink=False,
        settings_system=f"{os.environ['WANDB_CONFIG_DIR']}/settings",
        reinit="create_new",
        console="off",
        silent=True,
        label_disable=True,
        disable_git=True,
        disable_code=True,
        save_code=False,
        sagemaker_disable=True,
        x_disable_stats=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
        x_transaction_log_flush_interval=VISIBLE_AFTER,
        **who,
        **(server | host if options.online else {}),
    )


def project_name(name: str) -> str:
    """A project's name as W&B takes it: "my/project" becomes "my-project"."""
    return re.sub(r"[/\\#?%:]+", "-", name)[:128] or "default"


def end_process() -> None:
    """Have the SDK end its process, and wait for it: only then is the file whole. Leaves no temporary folders."""
    # Where its process did not end well, the SDK ends the caller's too.
    with contextlib.suppress(SystemExit):
        wandb.teardown()
    for folder in (MEDIA_TMP.name, wandb.Artifact._TMP_DIR.name):
        shutil.rmtree(folder, ignore_errors=True)


def kill_process() -> None:
    """End what was left running of the SDK, without waiting for uploads: what was unfinished is written again."""
    setup = wandb_setup._singleton
    connection = setup._connection if setup is not None else None
    for core in _cores():
        core.kill()
    # The SDK finds its process gone, which is what is wanted.
    with contextlib.suppress(Exception, SystemExit):
        wandb.teardown()
    if connection is not None and connection._proc is not None:
        connection._proc.join()


def be_polite() -> None:
    """The SDK's process has a session of its own, where nice does not count: it yields the CPU as this one does."""
    try:
        # Nothing stands there for a process whose forebears never began a session, as in some containers.
        for own in AUTOGROUP.read_text(encoding="ascii").split()[-1:]:
            for core in _cores():
                Path(f"/proc/{core.pid}/autogroup").write_text(own, encoding="ascii")
    except OSError:
        return


def _cores() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if _name(child) == "wandb-core"]


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""
