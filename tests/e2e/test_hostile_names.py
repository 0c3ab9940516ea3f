"""Names of the world's making never lead out of the run folder; links that lie in wait are not followed."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from holdings import SIX

import trackhub
from trackhub import ConfigError
from trackhub.delivery.receipt import receipts
from trackhub.journal import read
from trackhub.layout import RunFolder, all_runs, find_run, safe_name
from trackhub.plugin import AppendFile, Rebuild, replace_file

NAMES = [
    "../../evil",
    "/abs/evil",
    "..",
    ".",
    "",
    " ",
    "a\x00b",
    "a\nb\r",
    "CON",
    "nul.txt",
    "lpt1",
    "x" * 300,
    "é" * 300,
    "🦊" * 50,
    "dots...",
    ".hidden",
    "-rf",
    "a/b/c",
    "..\\..\\evil",
    "C:\\evil",
    "\ud800",
    "journal",
    "config.yaml",
    "mlflow.db",
    "<a href='x'>",
    "$(touch evil)",
    "%2e%2e%2fevil",
]
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]|[ .]\Z|\A(?i:con|prn|aux|nul|com\d|lpt\d)(\..*)?\Z')
"""What Windows takes in no name."""


def tree(folder: Path) -> dict[str, str]:
    """Every file below `folder` with a hash of its content; links as what they say."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"  # noqa: PTH115 - exactly what it says
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Files that nothing may touch, beside the runs."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "precious.txt").write_text("precious")
    (folder / "empty").touch()
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_safe_name_is_one_that_every_system_allows(name: str) -> None:
    safe = safe_name(name)
    assert safe == Path(safe).name
    assert len(os.fsencode(safe)) <= 200
    assert not FORBIDDEN.search(safe)


@pytest.mark.parametrize("name", ["../../evil", "/abs/evil", "a\x00b", "CON", "\ud800", "x" * 300, "mlflow.db"])
def test_a_run_s_name_makes_one_folder_under_the_runs(name: str, runs: Path) -> None:
    with trackhub.start(trackers="none", name=name, finish_timeout=0, delivery="later") as run:
        run.log_metrics({"a": 1.0})
    assert run.path.parent == runs
    assert [folder.path for folder in all_runs(runs)] == [run.path]
    assert not FORBIDDEN.search(run.path.name)
    assert find_run(run.name).path == run.path
    assert [path.name for path in runs.iterdir()] == [run.path.name]


def test_a_tracker_s_name_that_is_none_is_refused_before_anything_is_made(runs: Path) -> None:
    for name in filter(str.strip, NAMES):
        with pytest.raises(ConfigError):
            trackhub.start(trackers=[name])
    assert not runs.exists()


def test_names_of_metrics_media_artifacts_and_checkpoints_stay_in_the_run_in_all_six_trackers(
    tmp_path: Path, runs: Path, outside: Path
) -> None:
    before = tree(outside)
    every = {"upload": "all"}
    trackers: dict[str, dict[str, str]] = {name: every if name in ("mlflow", "wandb") else {} for name in SIX}
    (tmp_path / "data.bin").write_bytes(b"content")
    with trackhub.start(trackers=trackers, finish_timeout=120, config=dict.fromkeys(NAMES, "x")) as run:
        for number, name in enumerate(NAMES):
            run.log_metrics({name: 1.0}, step=number)
            run.log_media({name: f"text {number}"}, step=number)
            (tmp_path / "data.bin").unlink()
            (tmp_path / "data.bin").write_bytes(b"content %d" % number)
            run.log_artifact(tmp_path / "data.bin", name=name)
            if "\x00" not in name and "\ud800" not in name and "/" not in name and name not in ("", ".", ".."):
                folder = run.path / "checkpoints" / name[:60]
                folder.mkdir(parents=True)
                (folder / "w.bin").write_bytes(b"weights %d" % number)
                run.save_checkpoint(folder, step=number)
    (tmp_path / "data.bin").unlink()
    assert all(receipt.complete and not receipt.rejected for receipt in receipts(RunFolder(run.path))), run.receipts()
    assert tree(outside) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside", "runs"]
    ours = {run.path.name, "mlflow.db", "mlartifacts", "swanlab_workspace"}
    assert {path.name for path in runs.iterdir() if not path.name.startswith((".", "mlflow.db"))} <= ours
    kept = [event for event in read(run.path) if type(event).__name__ == "Artifact"]
    contents = [(run.path / event.path).read_bytes() for event in kept]
    assert contents == [b"content %d" % number for number in range(len(NAMES))]
    assert not [path for path in (run.path / "artifacts").rglob("*") if FORBIDDEN.search(path.name)]
    journal = {path.name for path in (run.path / "journal").iterdir()}
    assert journal == {"rank-0.jsonl", "supervisor.jsonl"}


SDK = "/wandb_logs/sdk"
"""Logs that W&B's own process makes: never with more rights than the umask leaves, but with fewer for the group."""
OPEN = """
import os, sys
os.umask(int(sys.argv[1]))
import trackhub
with trackhub.start(trackers=sys.argv[2], config={"a": 1}, finish_timeout=120) as run:
    run.log_metrics({"a": 1.0}, step=1)
    run.log_media({"t": "text", "table": trackhub.Table([{"a": 1}])})
    open("data.bin", "w").close()
    run.log_artifact("data.bin")
with trackhub.resume(run.path, step=0, finish_timeout=120) as run:
    run.log_metrics({"a": 2.0, "b": 1.0}, step=1)
"""


@pytest.mark.parametrize(
    ("mask", "folders", "files"),
    [(0o077, 0o700, 0o600), pytest.param(0o002, 0o775, 0o664, marks=pytest.mark.torture)],
)
def test_files_have_the_rights_that_the_user_s_umask_leaves(
    mask: int, folders: int, files: int, tmp_path: Path, runs: Path
) -> None:
    subprocess.run([sys.executable, "-c", OPEN, str(mask), ",".join(SIX)], check=True, cwd=tmp_path)
    wrong = []
    for path in [runs, *runs.rglob("*")]:
        mode, expected = path.lstat().st_mode & 0o777, folders if path.is_dir() else files
        if SDK in str(path):
            expected &= mode | ~0o020
        if not path.is_symlink() and mode != expected:
            wrong.append(f"{mode:o} {path.relative_to(runs)}")
    assert not wrong, "\n".join(wrong)


def test_a_file_whose_rights_the_user_changed_keeps_them_when_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    replace_file(path, [b"a"])
    path.chmod(0o604)
    replace_file(path, [b"b"])
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"b", 0o604)


def test_a_link_in_the_place_of_a_run_is_not_taken_for_its_folder(runs: Path, outside: Path) -> None:
    before = tree(outside)
    runs.mkdir()
    now = time.time()
    planted = {runs / f"x_{time.strftime('%Y%m%d_%H%M%S', time.localtime(now + later))}" for later in range(-1, 5)}
    for path in planted:
        path.symlink_to(outside)
    with trackhub.start(trackers="none", name="x", delivery="later", finish_timeout=0) as run:
        run.log_metrics({"a": 1.0})
    assert run.path not in planted
    assert tree(outside) == before


@pytest.mark.parametrize("target", ["precious.txt", "empty", "not there yet"])
def test_a_tracker_s_file_that_is_a_link_is_set_aside_and_never_written_through(
    runs: Path, outside: Path, target: str
) -> None:
    before = tree(outside)
    with trackhub.start(trackers="none") as run:
        for step in range(20):
            run.log_metrics({"a": step}, step=step)
    for name in ("metrics.csv", "config.json", "metrics.jsonl", ".metrics.csv.new", ".config.json.new"):
        (run.path / name).symlink_to(outside / target)
    for name in (".csv.json", "csv.json"):
        (run.path / "delivery" / f"{name}").unlink(missing_ok=True)
    with trackhub.resume(run.path, trackers="csv,jsonl", finish_timeout=60) as again:
        again.log_params({"x": 1})
        again.log_metrics({"a": 20, "b": 1.0}, step=20)
    assert all(receipt.complete for receipt in again.receipts()), again.receipts()
    assert tree(outside) == before
    assert not (run.path / "metrics.csv").is_symlink()
    assert len((run.path / "metrics.csv").read_text().splitlines()) == 22
    assert len((run.path / "metrics.jsonl").read_text().splitlines()) == 21


@pytest.mark.parametrize("content", [b"", b"line 1\n", b"line 1\nline 2\nand more\n"])
def test_a_file_that_became_a_link_between_two_openings_is_built_again(
    tmp_path: Path, outside: Path, content: bytes
) -> None:
    file = AppendFile(tmp_path / "own.txt", begins=b"line")
    file.append(b"line 1\nline 2\n")
    state = file.flush()
    (outside / "empty").write_bytes(content)
    (tmp_path / "own.txt").unlink()
    (tmp_path / "own.txt").symlink_to(outside / "empty")
    with pytest.raises(Rebuild):
        AppendFile(tmp_path / "own.txt", state, begins=b"line")
    assert (outside / "empty").read_bytes() == content
    assert AppendFile(tmp_path / "own.txt").size == 0
    assert not (tmp_path / "own.txt").is_symlink()


def test_replacing_a_link_replaces_the_link(tmp_path: Path, outside: Path) -> None:
    before = tree(outside)
    for name in ("file", ".file.new"):
        (tmp_path / name).symlink_to(outside / "precious.txt")
    replace_file(tmp_path / "file", [b"mine"])
    assert (tmp_path / "file").read_bytes() == b"mine"
    assert not (tmp_path / "file").is_symlink()
    assert tree(outside) == before


@pytest.mark.parametrize("target", ["precious.txt", "empty", "not there yet"])
def test_links_among_media_artifacts_and_journal_files_are_not_written_through(
    runs: Path, outside: Path, tmp_path: Path, target: str
) -> None:
    before = tree(outside)
    text = "precious" if target == "precious.txt" else "some text"
    with trackhub.start(trackers="none", delivery="later") as run:
        folder = RunFolder(run.path)
        folder.media.mkdir()
        folder.artifacts.mkdir()
        kept = folder.media_file(hashlib.sha256(text.encode()).hexdigest(), "txt")
        for link in (kept, folder.artifacts / "data.bin", folder.rank_journal(0, 1), folder.config):
            if not link.exists():
                link.symlink_to(outside / target)
        (tmp_path / "data.bin").write_bytes(b"content")
        run.log_media({"t": text})
        run.log_artifact(tmp_path / "data.bin")
    assert kept.read_text() == text
    assert not kept.is_symlink()
    assert (folder.artifacts / "data-2.bin").read_bytes() == b"content"
    assert tree(outside) == before
