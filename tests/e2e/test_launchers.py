"""Several processes, one run in every tracker: torchrun, Lightning's DDP, DataLoader workers, spawned children."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from holdings import SIX, own_ids, series

import trackhub
from trackhub import Run
from trackhub.delivery.receipt import receipts
from trackhub.events import FAILURE, Message, Metrics
from trackhub.journal import read
from trackhub.journal.params import environment
from trackhub.journal.state import state
from trackhub.layout import RunFolder, all_runs

pytestmark = pytest.mark.alone

TORCHRUN = """
import os, sys, time, trackhub
rank, world, mode = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), sys.argv[1]
with trackhub.start(trackers=sys.argv[2], name="ranks", config={"lr": 0.5}, finish_timeout=120) as run:
    for step in range(10):
        run.log_metrics({"loss": rank * 100 + step / 8}, step=step)
    print("logged", rank, flush=True)
    if mode == "fails" and rank == 1:
        time.sleep(1)
        raise ValueError("rank one cannot go on, password=hunter2")
    if mode == "fails":
        time.sleep(600)
    if rank == 0:  # the others are late, and then done
        journals = [run.path / "journal" / f"rank-{other}.jsonl" for other in range(1, world)]
        while not all(path.exists() and b'"step":9' in path.read_bytes() for path in journals):
            time.sleep(0.05)
"""


def torchrun(tmp_path: Path, processes: int, mode: str, trackers: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "train.py"
    script.write_text(TORCHRUN)
    command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={processes}", "--monitor-interval=0.2", str(script), mode, trackers]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=200, check=False)


def only_run(runs: Path) -> RunFolder:
    (folder,) = all_runs(runs)
    return folder


def test_four_ranks_of_torchrun_are_one_run_in_all_six_trackers(tmp_path: Path, runs: Path) -> None:
    done = torchrun(tmp_path, 4, "works", ",".join(SIX))
    assert done.returncode == 0, done.stderr
    folder = only_run(runs)
    assert state(folder).status == "finished"
    assert all(receipt.complete for receipt in receipts(folder)), receipts(folder)
    for tracker in SIX:
        assert len(own_ids(folder.path, tracker)) == 1, tracker
        for rank, key in enumerate(("loss", "rank-1/loss", "rank-2/loss", "rank-3/loss")):
            expected = [(step, rank * 100 + step / 8) for step in range(10)]
            assert series(folder.path, tracker, key) == expected, (tracker, key)


def test_a_rank_that_fails_fails_the_run_though_the_launcher_kills_rank_0(
    tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKHUB_LINGER", "60")
    monkeypatch.setenv("TRACKHUB_SYSTEM_EVERY", "0.3")
    done = torchrun(tmp_path, 2, "fails", "csv,jsonl")
    assert done.returncode != 0
    folder = only_run(runs)
    wait_for_end(folder)
    assert (state(folder).status, state(folder).reason) == (
        "failed",
        "rank 1 failed: ValueError: rank one cannot go on, password=[redacted]",
    )
    (told,) = (event for event in read(folder) if isinstance(event, Message))
    assert (told.level, told.source) == ("error", FAILURE)
    assert all(receipt.complete for receipt in receipts(folder)), receipts(folder)
    for tracker in ("csv", "jsonl"):
        assert series(folder.path, tracker, "rank-1/loss") == [(step, 100 + step / 8) for step in range(10)]
        assert series(folder.path, tracker, "rank-1/system/process.memory.rss_mb")


def wait_for_end(folder: RunFolder) -> None:
    """Until what was left behind has delivered everything."""
    done = subprocess.run(
        [sys.executable, "-m", "trackhub", "sync", str(folder.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_rank_0_that_goes_on_for_long_was_not_killed_for_another_s_failure(runs: Path) -> None:
    from trackhub.events import RunStarted
    from trackhub.journal.others import without_a_word
    from trackhub.journal.writing import JournalWriter, new_header

    folder = RunFolder(runs / "x_20260101_000000")
    folder.journal.mkdir(parents=True)
    zero = JournalWriter(folder.rank_journal(0), new_header("0" * 16, "x"))
    one = JournalWriter(folder.rank_journal(1), new_header("0" * 16, "x", rank=1))
    zero.append(RunStarted, t=1000.0)
    assert without_a_word(folder)[0] == "killed"
    one.append(Message, t=2000.0, text="rank 1 failed: x", source=FAILURE, level="error")
    zero.append(Metrics, t=2030.0, step=1, metrics={"a": 1})
    assert without_a_word(folder) == ("failed", "rank 1 failed: x")
    zero.append(Metrics, t=2090.0, step=2, metrics={"a": 1})
    assert without_a_word(folder)[0] == "killed"
    zero.close()
    one.close()


def test_a_launcher_inside_another_training_does_not_join_that_one(tmp_path: Path, runs: Path) -> None:
    """`TRACKHUB_RUN` of the outer training reaches all ranks of the inner one."""
    with trackhub.start(trackers="none", name="outer") as outer:
        script = tmp_path / "rank.py"
        script.write_text(TORCHRUN)
        job = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29512", "TORCHELASTIC_RUN_ID": "inner"}
        launcher = (
            "import subprocess, sys, os\nranks = [subprocess.Popen([sys.executable, sys.argv[1], 'works', 'none'], "
        )
        launcher += "env={**os.environ, 'RANK': rank}) for rank in '10']\nsys.exit(max(one.wait() for one in ranks))"
        subprocess.run([sys.executable, "-c", launcher, str(script)], env={**os.environ, **job}, check=True, timeout=60)
    (inner,) = (folder for folder in all_runs(runs) if folder.path != outer.path)
    assert sorted(path.name for path in inner.journal.glob("rank-*")) == ["rank-0.jsonl", "rank-1.jsonl"]
    assert [path.name for path in (outer.path / "journal").glob("rank-*")] == ["rank-0.jsonl"]


def test_a_rank_finds_a_run_that_rank_0_has_finished_already(tmp_path: Path, runs: Path) -> None:
    code = (
        "import os, time, trackhub\n"
        "time.sleep(3 * (os.environ['RANK'] == '1'))\n"
        "with trackhub.start(trackers='none', name='quick') as run: run.log_metrics({'a': 1.0})\n"
    )
    job = {"WORLD_SIZE": "2", "MASTER_PORT": "29513", "TORCHELASTIC_RUN_ID": "quick"}
    launcher = "import subprocess, sys, os\nranks = [subprocess.Popen([sys.executable, '-c', sys.argv[1]], "
    launcher += "env={**os.environ, 'RANK': rank}) for rank in '01']\nsys.exit(max(one.wait() for one in ranks))"
    subprocess.run([sys.executable, "-c", launcher, code], env={**os.environ, **job}, check=True, timeout=60)
    assert sorted(path.name for path in only_run(runs).journal.glob("rank-*")) == ["rank-0.jsonl", "rank-1.jsonl"]


LIGHTNING = """
import sys, warnings
warnings.filterwarnings("ignore")
import logging
logging.disable(logging.WARNING)
import torch
torch.set_num_threads(1)
import lightning.pytorch as pl
import trackhub

class Rows(torch.utils.data.Dataset):
    def __init__(self, run): self.run = run
    def __len__(self): return 16 * int(sys.argv[1])
    def __getitem__(self, index):
        if torch.utils.data.get_worker_info() is not None:
            self.run.log_metrics({"worker/index": index}, step=index)
        return torch.ones(2)

class Tiny(pl.LightningModule):
    def __init__(self, run):
        super().__init__()
        self.run, self.layer = [run], torch.nn.Linear(2, 1)
    def training_step(self, batch, index):
        loss = self.layer(batch).mean()
        self.run[0].log_metrics({"loss": loss, "rank": self.global_rank}, step=self.global_step)
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)

if __name__ == "__main__":
    with trackhub.start(trackers=sys.argv[2], name="ddp", finish_timeout=120) as run:
        loader = torch.utils.data.DataLoader(Rows(run), batch_size=4, num_workers=1)
        trainer = pl.Trainer(accelerator="cpu", devices=int(sys.argv[1]), strategy="ddp", max_epochs=1, logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
        trainer.fit(Tiny(run), loader)
"""


@pytest.mark.parametrize("processes", [2, pytest.param(4, marks=pytest.mark.torture)])
def test_lightning_s_ddp_which_starts_the_script_again_is_one_run(tmp_path: Path, runs: Path, processes: int) -> None:
    script = tmp_path / "train.py"
    script.write_text(LIGHTNING)
    command = [sys.executable, "-W", "ignore", str(script), str(processes), "csv,jsonl,tensorboard"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    folder = only_run(runs)
    assert state(folder).status == "finished"
    assert all(receipt.complete for receipt in receipts(folder)), receipts(folder)
    for tracker in ("csv", "jsonl", "tensorboard"):
        for rank in range(processes):
            prefix = f"rank-{rank}/" if rank else ""
            assert series(folder.path, tracker, f"{prefix}rank") == [(step, rank) for step in range(4)], (tracker, rank)
            found = {step for step, _ in series(folder.path, tracker, f"{prefix}worker/index")}
            assert len(found) == 16, (tracker, rank)
    names = {path.name.split(".pid-")[0] for path in folder.journal.glob("rank-*.pid-*")}
    assert names == {f"rank-{rank}" for rank in range(processes)}


LOADER = """
import sys, torch, trackhub

class Rows(torch.utils.data.Dataset):
    def __init__(self, run): self.run = run
    def __len__(self): return 12
    def __getitem__(self, index):
        self.run.log_metrics({"worker/index": index}, step=index)
        return index

if __name__ == "__main__":
    with trackhub.start(trackers="csv,jsonl", name="loader", finish_timeout=120) as run:
        for batch in torch.utils.data.DataLoader(Rows(run), num_workers=2, multiprocessing_context=sys.argv[1]):
            run.log_metrics({"batch": int(batch[0])})
"""


@pytest.mark.parametrize("method", ["spawn", pytest.param("fork", marks=pytest.mark.torture)])
def test_workers_of_a_data_loader_log_each_to_a_file_of_its_own(tmp_path: Path, runs: Path, method: str) -> None:
    script = tmp_path / "train.py"
    script.write_text(LOADER)
    subprocess.run([sys.executable, "-W", "ignore", str(script), method], check=True, timeout=200)
    folder = only_run(runs)
    assert len(list(folder.journal.glob("rank-0.pid-*.jsonl"))) == 2
    assert all(receipt.complete for receipt in receipts(folder)), receipts(folder)
    for tracker in ("csv", "jsonl"):
        assert series(folder.path, tracker, "worker/index") == [(step, step) for step in range(12)]
        assert len(series(folder.path, tracker, "batch")) == 12


CHILDREN = """
import multiprocessing, os, sys, trackhub

def child(run, number):
    with run:
        for step in range(10):
            run.log_metrics({f"child-{number}": step + number * 100}, step=step)
        if number == 1:
            raise ValueError("the child gave up")

if __name__ == "__main__":
    with trackhub.start(trackers=sys.argv[1], name="children", finish_timeout=120) as run:
        run.log_metrics({"loss": 1.0}, step=3)
        for method in ("fork", "spawn"):
            context = multiprocessing.get_context(method)
            numbers = (0, 1) if method == "spawn" else (2, 3)
            children = [context.Process(target=child, args=(run, number)) for number in numbers]
            for one in children: one.start()
            for one in children: one.join()
        run.log_metrics({"loss": 2.0}, step=4)
"""


def test_children_forked_and_spawned_log_to_the_run_and_none_of_them_ends_it(tmp_path: Path, runs: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(CHILDREN)
    done = subprocess.run([sys.executable, str(script), ",".join(SIX)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    folder = only_run(runs)
    assert (state(folder).status, state(folder).last_step) == ("finished", 9)
    assert all(receipt.complete for receipt in receipts(folder)), receipts(folder)
    for tracker in SIX:
        assert len(own_ids(folder.path, tracker)) == 1
        assert series(folder.path, tracker, "loss") == [(3, 1.0), (4, 2.0)]
        for number in range(4):
            assert series(folder.path, tracker, f"child-{number}") == [(s, s + number * 100) for s in range(10)]
    (told,) = (event.text for event in read(folder) if isinstance(event, Message))
    assert told.startswith("process ")
    assert told.endswith("failed: ValueError: the child gave up")
    assert environment(folder)["argv"] == [str(script), ",".join(SIX)]


def test_a_resume_goes_back_also_behind_what_children_logged(tmp_path: Path, runs: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(CHILDREN)
    subprocess.run([sys.executable, str(script), "jsonl"], capture_output=True, check=True)
    folder = only_run(runs)
    with trackhub.resume(folder.path, step=5) as run:
        run.log_metrics({"loss": 3.0})
    assert series(folder.path, "jsonl", "child-2") == [(step, step + 200) for step in range(6)]
    assert series(folder.path, "jsonl", "loss") == [(3, 1.0), (4, 2.0), (6, 3.0)]


def test_runs_at_once_in_threads_of_one_process_stay_apart(runs: Path) -> None:
    begin = threading.Barrier(3)

    def train(number: int) -> None:
        begin.wait()
        with trackhub.start(trackers="csv,jsonl", name=f"thread-{number}", finish_timeout=60) as run:
            found.append((number, run))
            for step in range(200):
                run.log_metrics({"loss": number * 1000 + step}, step=step)

    found: list[tuple[int, Run]] = []
    threads = [threading.Thread(target=train, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(all_runs(runs)) == len({run.id for _, run in found}) == 3
    for number, run in found:
        for tracker in ("csv", "jsonl"):
            assert series(run.path, tracker, "loss") == [(step, number * 1000 + step) for step in range(200)]


def test_one_run_logged_to_from_many_threads_loses_nothing() -> None:
    with trackhub.start(trackers="jsonl", finish_timeout=60) as run:

        def log(number: int) -> None:
            for step in range(300):
                run.log_metrics({f"thread-{number}": step}, step=step)

        threads = [threading.Thread(target=log, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number in range(4):
        assert series(run.path, "jsonl", f"thread-{number}") == [(step, step) for step in range(300)]
