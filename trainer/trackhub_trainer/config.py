"""Every setting of a training, with what it means. A field's description is its help on the command line."""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from typing import Any

from trackhub.settings import Trackers

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def setting(default: Any, help: str, **limits: Any) -> Any:  # noqa: A002 - argparse's word
    """A field with its description and limits.

    Args:
        default: the value if nothing is given; None means that it is chosen to fit (see `schedule`).
        help: the description.
        limits: `least` (inclusive), `above`, `below` (exclusive), `choices`, `some` (not empty); and `metavar`.
    """
    return field(default=default, metadata={"help": help, **limits})


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the user asked for. None stands for "choose what fits"."""

    dataset: str = setting(
        "sample",
        "sample (ships with the trainer), arc-challenge, arc-easy, boolq, hellaswag, openbookqa, piqa, winogrande, or "
        "a .jsonl file; several, comma-separated, are trained one after another",
        metavar="NAMES",
    )
    source: str = setting(
        "files", "files: from --data-dir; hub: from the Hugging Face hub, by name", choices=("files", "hub")
    )
    data_dir: str = setting(
        "data_to_lora/cs", "folder with one folder per data set: DIR/NAME/NAME_train_formatted.jsonl", metavar="DIR"
    )
    train_file: str | None = setting(None, "train on this file instead", metavar="FILE")
    validation_file: str | None = setting(None, "validate on this file instead", metavar="FILE")
    test_file: str | None = setting(None, "measure the accuracy on this file instead", metavar="FILE")
    skip_bad_lines: bool = setting(False, "leave broken lines out, and count them, instead of stopping before training")
    base_model: str = setting("tiny", "tiny (ships with the trainer), a local folder, a hub name, or a .gguf file")

    max_steps: int | None = setting(None, "optimizer steps (default: 125)", least=1)
    batch_size: int | None = setting(
        None, "questions per forward pass (default: 8, 16 or 32, by the data's size)", least=1
    )
    accumulate: int = setting(1, "forward passes per step, on each device", least=1)
    lr: float | None = setting(None, "learning rate of stage 1 (default: 1e-4; 5e-4 for the tiny model)", above=0)
    lr2: float | None = setting(
        None, "learning rate of stage 2 (default: a tenth of --lr), or at the end (default: 0)", least=0
    )
    schedule: str = setting(
        "two-stage",
        "how the learning rate goes: --lr and then --lr2, or from --lr to --lr2, or always --lr",
        choices=("two-stage", "linear", "cosine", "constant"),
    )
    warmup_steps: int = setting(0, "first steps, in which the learning rate rises to --lr", least=0)
    stage1_steps: int | None = setting(None, "steps of stage 1 (default: 60 %% of the steps)", least=0)
    stage2_steps: int | None = setting(None, "steps of stage 2 (default: the rest)", least=0)
    weight_decay: float = setting(0.01, "weight decay of AdamW", least=0)
    clip: float = setting(0.0, "the largest norm of the gradient; 0 for no clipping", least=0, metavar="NORM")
    early_stop: str | None = setting(
        None,
        "stop when a metric was no better that many times in a row, e.g. val/loss:5",
        metavar="METRIC:TIMES",
    )
    seed: int = setting(42, "seed of the data's order, the adapter's first weights and the dropout", least=0)
    max_length: int = setting(512, "tokens per question; of longer ones the beginning is cut off", least=16)
    batching: str = setting(
        "flat",
        "flat: the questions of a forward pass in one row, without padding; padded: one row each; bucketed: padded, "
        "and the forward passes of a step sorted by length",
        choices=("flat", "padded", "bucketed"),
    )

    lora_r: int = setting(16, "rank of the adapter", least=1, metavar="R")
    lora_alpha: float = setting(32.0, "scale of the adapter", above=0, metavar="ALPHA")
    lora_dropout: float = setting(0.1, "dropout before the adapter", least=0, below=1, metavar="P")
    lora_targets: tuple[str, ...] = setting(
        TARGETS, "layers that get an adapter, comma-separated; or all-linear", metavar="NAMES", some=True
    )

    lora: object = setting(
        (), "any other field of peft's LoraConfig, e.g. use_dora=true; may be repeated", metavar="FIELD=VALUE"
    )

    save: tuple[str, ...] = setting(
        (),
        "when to save, comma-separated: last:50, every:25, smart:10, best:3@val/loss, improve:0.01, time:10m, "
        "young-daly:12h (default: last:50)",
        metavar="POLICIES",
    )
    save_steps: int | None = setting(
        None, "the old name of last:N; 0 for none (default: 50, or none beside --save)", least=0, metavar="N"
    )
    disk_budget: str | None = setting(
        None, "what all checkpoints may take, e.g. 10GB: the oldest go, never the best or the last", metavar="SIZE"
    )
    merge: bool = setting(False, "write the base model with the adapter merged into it, too: final_model/merged")
    eval_every: int | None = setting(
        None,
        "measure val/loss and val/accuracy every N steps, before the first and after the last",
        least=1,
        metavar="N",
    )
    eval_subset: int = setting(
        100, "validation questions for --eval-every: the first of the file; 0 for all", least=0, metavar="K"
    )
    cloze: bool = setting(False, "measure the accuracies of lm-evaluation-harness before and after training, too")
    eval_limit: int = setting(200, "test questions for the accuracy before and after; 0 for all", least=0, metavar="N")
    precision: str | None = setting(
        None,
        "number format (default: 32-true on a CPU, 16-mixed on a GPU)",
        choices=("32-true", "16-mixed", "bf16-mixed", "bf16-true"),
    )
    accelerator: str = setting("auto", "where to train", choices=("auto", "cpu", "gpu"))
    threads: int | None = setting(None, "CPU threads (default: all; 1 for the tiny model)", least=1)
    gradient_checkpointing: bool = setting(False, "compute activations twice instead of keeping them: less memory")
    compile: bool = setting(False, "compile the model with torch.compile; on a GPU only")
    load_4bit: bool = setting(False, "load the base model in 4 bit (QLoRA) with bitsandbytes; on a GPU only")
    workers: int = setting(0, "processes that prepare batches ahead; 0 for none", least=0)
    devices: int = setting(1, "devices to train on, on each machine", least=1)
    num_nodes: int = setting(1, "machines to train on", least=1)
    strategy: str = setting("auto", "how several devices work together; auto: ddp", choices=("auto", "ddp", "fsdp"))

    track_batches: bool = setting(True, "keep which lines of the data file went into which step (trackhub lineage)")
    name: str | None = setting(
        None, "the run's name; its folder carries the time behind it (default: EXPERIMENT_NAME, else DATASET_lora)"
    )
    notes: str | None = setting(None, "a word about the run, for the trackers that know notes", metavar="TEXT")
    project: str = setting("lora-training", "what trackers group the run by")
    group: str | None = setting(
        None, "what runs that belong together are grouped by (default: none; one for several data sets)"
    )
    tags: tuple[str, ...] = setting((), "tags for the trackers that know them, comma-separated", metavar="NAMES")
    trackers: Trackers = setting(  # noqa: RUF009
        None, "comma-separated, e.g. swanlab,csv or my.py:MyTracker (default: TRACKHUB_TRACKERS, else csv)"
    )
    tracker_opt: object = setting((), "TRACKER.OPTION=VALUE, e.g. swanlab.mode=cloud; may be repeated")
    runs_dir: str | None = setting(None, "folder of all runs (default: TRACKHUB_RUNS_DIR, else runs)", metavar="DIR")
    finish_timeout: float = setting(
        30.0, "seconds to wait for the trackers at the end, at most", least=0, metavar="SECONDS"
    )


FIELDS: dict[str, Field[Any]] = {entry.name: entry for entry in fields(Config)}
"""The settings by name."""

GROUPS = {
    "what to train on": (
        "dataset",
        "source",
        "data_dir",
        "train_file",
        "validation_file",
        "test_file",
        "skip_bad_lines",
        "base_model",
    ),
    "training": (
        "max_steps",
        "batch_size",
        "accumulate",
        "lr",
        "lr2",
        "schedule",
        "warmup_steps",
        "stage1_steps",
        "stage2_steps",
        "weight_decay",
        "clip",
        "early_stop",
        "seed",
        "max_length",
        "batching",
    ),
    "adapter": ("lora_r", "lora_alpha", "lora_dropout", "lora_targets", "lora"),
    "saving, measuring, machine": (
        "save",
        "save_steps",
        "disk_budget",
        "merge",
        "eval_limit",
        "cloze",
        "eval_every",
        "eval_subset",
        "precision",
        "accelerator",
        "threads",
        "workers",
        "gradient_checkpointing",
        "compile",
        "load_4bit",
    ),
    "several devices": ("devices", "num_nodes", "strategy"),
    "tracking": (
        "track_batches",
        "name",
        "notes",
        "project",
        "group",
        "tags",
        "trackers",
        "tracker_opt",
        "runs_dir",
        "finish_timeout",
    ),
}
"""The settings as `trainer --help` shows them."""
