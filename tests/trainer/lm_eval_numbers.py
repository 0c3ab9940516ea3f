"""What lm-evaluation-harness itself says to questions: run this as a script, and it writes `lm_eval_numbers.json`.

    pip install 'trackhub-ml[trainer,lm-eval]' && python tests/trainer/lm_eval_numbers.py

The tests compare with that file, so that they need no lm-eval; where it is installed, they ask it again.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from lm_eval_rows import MAKERS, rows

NUMBERS = Path(__file__).with_name("lm_eval_numbers.json")
TASKS = {
    "arc-challenge": ("arc_challenge", "arc/arc_challenge.yaml"),
    "arc-easy": ("arc_easy", "arc/arc_easy.yaml"),
    "boolq": ("boolq", "super_glue/boolq/default.yaml"),
    "hellaswag": ("hellaswag", "hellaswag/hellaswag.yaml"),
    "openbookqa": ("openbookqa", "openbookqa/openbookqa.yaml"),
    "piqa": ("piqa", "piqa/piqa.yaml"),
    "winogrande": ("winogrande", "winogrande/default.yaml"),
}
"""(name, file) of lm-eval's own task of each data set: only the place of the data is changed."""

Numbers = dict[str, list[dict[str, Any]]]
"""By data set, for each question: `likelihoods` of its options, `acc`, and `acc_norm` or None."""


def ask(questions: dict[str, list[dict[str, Any]]], model: str) -> Numbers:
    """lm-eval's numbers for rows in the fields of the hub; nothing is fetched."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TQDM_DISABLE": "1"}
    with tempfile.TemporaryDirectory() as name:
        os.environ["HF_DATASETS_CACHE"] = f"{name}/cache"
        import lm_eval
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager

        for data_set, found in questions.items():
            _write(Path(name), Path(lm_eval.__file__).parent / "tasks", data_set, found)
        results = lm_eval.simple_evaluate(
            model=HFLM(pretrained=model, dtype="float32", device="cpu", batch_size=16),
            tasks=[f"local_{TASKS[data_set][0]}" for data_set in questions],
            task_manager=TaskManager(include_path=name, include_defaults=False),
            log_samples=True,
            bootstrap_iters=0,
        )
    return {data_set: _of(results["samples"][f"local_{TASKS[data_set][0]}"]) for data_set in questions}


def _write(folder: Path, tasks: Path, data_set: str, questions: list[dict[str, Any]]) -> None:
    """The rows, and lm-eval's own task with these rows as its data."""
    name, file = TASKS[data_set]
    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in questions))
    split = "test" if data_set in ("arc-challenge", "arc-easy", "openbookqa") else "validation"
    (folder / f"{name}.yaml").write_text(
        f"include: {tasks / file}\ntask: local_{name}\ntag: null\ndataset_path: json\ndataset_name: null\n"
        f"training_split: null\nvalidation_split: {'validation' if split == 'validation' else 'null'}\n"
        f"test_split: {'test' if split == 'test' else 'null'}\ndataset_kwargs: {{data_files: {{{split}: {data}}}}}\n"
    )


def _of(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    samples = sorted(samples, key=lambda sample: int(sample["doc_id"]))
    return [
        {
            "likelihoods": [round(float(answer[0]), 5) for answer in sample["filtered_resps"]],
            "acc": sample["acc"],
            "acc_norm": sample.get("acc_norm"),
        }
        for sample in samples
    ]


def main() -> None:
    """Write the file."""
    from trackhub_trainer.model import TINY

    found = ask({name: rows(name) for name in MAKERS}, str(TINY))
    lines = ",\n".join(f"{json.dumps(name)}: [\n" + ",\n".join(map(json.dumps, found[name])) + "\n]" for name in found)
    NUMBERS.write_text("{" + lines + "}\n")
    sys.stdout.write(f"{NUMBERS}\n")


if __name__ == "__main__":
    main()
