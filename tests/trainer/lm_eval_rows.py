"""Questions of all seven data sets in the fields of the hub, made up here, with what is awkward about each set."""

from __future__ import annotations

import random
from typing import Any

COUNT = 20
WORDS = ["river", "stone", "hammer", "Zoë", "yellow", "12.5", "don't", "piano", "lamp"]
WORDS += ["sea-side", "cloud", "the", "of", "under", "über", "quickly", "bread", "3:2"]
ENDS = ["", " ", "  ", ".", "?", " (see: A)", " …", "\n"]
"""Blanks at the end of a context go over to the choice."""


def rows(name: str) -> list[dict[str, Any]]:
    """Always the same ones."""
    dice = random.Random(name)
    return [MAKERS[name](dice, number) for number in range(COUNT)]


def text(dice: random.Random, least: int = 2, most: int = 9) -> str:
    """Some words."""
    return " ".join(dice.choices(WORDS, k=dice.randint(least, most)))


def choices(dice: random.Random, number: int) -> dict[str, Any]:
    labels = ["1", "2", "3", "4"] if number % 5 == 0 else ["A", "B", "C", "D", "E"][: 3 + number % 3]
    texts = [text(dice, 1, 5) + dice.choice(["", ".", " ", ": so"]) for _ in labels]
    return {"choices": {"text": texts, "label": labels}, "answerKey": dice.choice(labels)}


def arc(dice: random.Random, number: int) -> dict[str, Any]:
    return {"id": f"q{number}", "question": text(dice, 4, 20) + dice.choice(ENDS), **choices(dice, number)}


def openbookqa(dice: random.Random, number: int) -> dict[str, Any]:
    return {"id": f"q{number}", "question_stem": text(dice, 4, 12) + dice.choice(ENDS), **choices(dice, number)}


def boolq(dice: random.Random, number: int) -> dict[str, Any]:
    """Some passages are longer than what the tiny model reads."""
    passage = text(dice, 10, 60) if number % 4 else text(dice, 200, 260)
    return {"question": text(dice), "passage": passage, "idx": number, "label": dice.randint(0, 1)}


def piqa(dice: random.Random, number: int) -> dict[str, Any]:
    return {
        "goal": text(dice) + dice.choice(ENDS),
        "sol1": text(dice, 3, 15) + dice.choice(["", " ", "."]),
        "sol2": text(dice, 3, 15) + dice.choice(["", " ", "."]),
        "label": dice.randint(0, 1),
    }


def winogrande(dice: random.Random, number: int) -> dict[str, Any]:
    """The blank stands inside, at the beginning, or before a point."""
    sentence = {0: f"_ {text(dice)}.", 1: f"{text(dice)} the _."}.get(number % 4, f"{text(dice)} so _ {text(dice)} . ")
    return {"sentence": sentence, "option1": "Zoë", "option2": text(dice, 1, 2), "answer": dice.choice("12")}


def hellaswag(dice: random.Random, number: int) -> dict[str, Any]:
    """With the marks that WikiHow left."""
    mark = ["", " [title]", " [substeps]", "  "][number % 4]
    first, then = f"{text(dice)}.{mark} {text(dice)}", ["he runs", "", "A  man [title] Sings"][number % 3]
    endings = [f" {text(dice, 3, 10)}{dice.choice(['.', ' [title] x', '  and.'])}" for _ in range(4)]
    return {
        "ind": number,
        "activity_label": "Roof  shingle removal" if number % 2 else "Ice [step] skating",
        "ctx_a": first,
        "ctx_b": then,
        "ctx": f"{first} {then}",
        "endings": endings,
        "label": str(dice.randint(0, 3)),
    }


MAKERS = {
    "arc-challenge": arc,
    "arc-easy": arc,
    "boolq": boolq,
    "hellaswag": hellaswag,
    "openbookqa": openbookqa,
    "piqa": piqa,
    "winogrande": winogrande,
}
