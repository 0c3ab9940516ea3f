"""The sample data set: questions like "Which of these is an animal?", in the traditional line format."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from trackhub_trainer.making.words import ASKED, WORDINGS, WORDS

FOLDER = Path(__file__).parent.parent / "assets" / "sample"
SPLITS = {"train": 200, "validation": 50, "test": 50}
LETTERS = "ABCD"


def question(dice: random.Random, name: str) -> dict[str, Any]:
    """One line: four words, exactly one of which names an animal."""
    others = dice.sample(sorted(set(WORDS) - {ASKED}), len(LETTERS) - 1)
    right = dice.choice(WORDS[ASKED])
    texts = [right, *(dice.choice(WORDS[other]) for other in others)]
    dice.shuffle(texts)
    index = texts.index(right)
    return {
        "id": f"sample_{name}",
        "dataset": "sample",
        "task_type": "multiple_choice",
        "input": dice.choice(WORDINGS),
        "options": [f"{letter}: {text}" for letter, text in zip(LETTERS, texts, strict=True)],
        "target": LETTERS[index],
        "target_idx": index,
    }


def write(folder: Path = FOLDER) -> None:
    """Write the three splits; no question stands in two of them."""
    dice = random.Random("sample")  # noqa: S311 - a data set, not a secret
    seen: set[tuple[str, ...]] = set()
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in SPLITS.items():
        lines: list[str] = []
        while len(lines) < count:
            line = question(dice, f"{split}_{len(lines) + 1:03d}")
            key = (line["input"], *line["options"])
            if key not in seen:
                seen.add(key)
                lines.append(json.dumps(line))
        (folder / f"sample_{split}_formatted.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
