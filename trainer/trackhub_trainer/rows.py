"""Rows as the data sets' makers publish them, made into lines of the traditional format.

A row that already is a line stays as it is, so that lines, raw files and the hub take the same way. Fields that a
line has no place for (the whole passage of BoolQ, the activity of HellaSwag) are kept beside the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]

LINE = ("input", "options", "target", "target_idx")
"""Fields that only lines have."""
PASSAGE = 500
"""Characters of a passage that a line of BoolQ keeps."""


def as_line(kind: str, row: Row) -> Row:
    """The row as a line.

    Args:
        kind: the `task_type` of its data set.
        row: a line, or a raw row.

    Raises:
        ValueError: a field is missing, or is not what it must be.
    """
    return row if any(name in row for name in LINE) else {"task_type": kind, **_id(row), **MAKERS[kind](row)}


def _id(row: Row) -> dict[str, Any]:
    """What names the row, where it has something: `ind` is HellaSwag's, `idx` BoolQ's."""
    found = next((row[name] for name in ("id", "ind", "idx", "qID") if row.get(name) is not None), None)
    return {} if found is None else {"id": str(found)}


def _field(row: Row, *names: str) -> Any:
    """The value of the first of these fields that the row has."""
    for name in names:
        if row.get(name) is not None:
            return row[name]
    raise ValueError(f"`{names[0]}` is missing")


def _text(row: Row, *names: str) -> str:
    found = _field(row, *names)
    if not isinstance(found, str):
        raise ValueError(f"`{names[0]}` is no text")
    return found


def _multiple_choice(row: Row) -> Row:
    """ARC and OpenBookQA, as on the hub or with the stem inside `question`; ARC's labels may be 1, 2, 3, 4."""
    question = _field(row, "question", "question_stem")
    if not isinstance(question, str | Mapping):
        raise ValueError("`question` is neither a text nor {stem, choices}")
    stem, given = (row, row) if isinstance(question, str) else (question, question)
    labels, texts = _choices(_field(given, "choices"))
    key = str(_field(row, "answerKey", "answer_key")).strip()
    if key not in labels:
        raise ValueError(f"`answerKey` {key!r} is none of the labels ({', '.join(labels)})")
    options = [f"{label}: {text}" for label, text in zip(labels, texts, strict=True)]
    asked = _text(stem, "question", "question_stem", "stem")
    return {"input": asked, "options": options, "target": key, "target_idx": labels.index(key)}


def _choices(given: Any) -> tuple[list[str], list[str]]:
    """(labels, texts) of ``{"text": [...], "label": [...]}``, or of ``[{"text": ..., "label": ...}, ...]``."""
    try:
        pairs = zip(given["label"], given["text"], strict=True) if isinstance(given, Mapping) else given
        rows = [(pair["label"], pair["text"]) if isinstance(pair, Mapping) else tuple(pair) for pair in pairs]
        return [str(label) for label, _ in rows], [str(text) for _, text in rows]
    except (KeyError, TypeError, ValueError):
        raise ValueError('`choices` is not {"text": [...], "label": [...]}') from None


def _yes_no(row: Row) -> Row:
    question, passage = _text(row, "question"), _text(row, "passage")
    right = _index(_field(row, "answer", "label"), {"false": 0, "true": 1, "0": 0, "1": 1})
    return {
        **_indexed(f"Question: {question}\nPassage: {passage[:PASSAGE]}", ("False", "True"), right),
        "question": question,
        "passage": passage,
    }


def _physical(row: Row) -> Row:
    right = _index(_field(row, "label"), {"0": 0, "1": 1})
    return _indexed(_text(row, "goal"), (_text(row, "sol1"), _text(row, "sol2")), right)


def _pronoun(row: Row) -> Row:
    right = _index(_field(row, "answer"), {"1": 0, "2": 1})
    line = _indexed(_text(row, "sentence"), (_text(row, "option1"), _text(row, "option2")), right)
    return {**line, "target": str(right + 1)}


def _completion(row: Row) -> Row:
    endings = _field(row, "endings")
    if not isinstance(endings, list) or not all(isinstance(ending, str) for ending in endings):
        raise ValueError("`endings` is no list of texts")
    kept = {name: row[name] for name in ("activity_label", "ctx_a", "ctx_b") if isinstance(row.get(name), str)}
    right = _index(_field(row, "label"), {str(index): index for index in range(len(endings))})
    return {**_indexed(_text(row, "ctx"), endings, right), **kept}


def _indexed(asked: str, options: Sequence[str], right: int) -> dict[str, Any]:
    """A line without its target: `right` alone says what is right."""
    return {"input": asked, "options": list(options), "target_idx": right}


def _index(given: Any, names: Mapping[str, int]) -> int:
    """A label, a number or a text, as the index of its option; -1 and the empty text are the hub's "unknown"."""
    index = names.get(str(given).strip().lower())
    if index is None:
        raise ValueError(f"the label is {given!r}, which stands for no option")
    return index


MAKERS: dict[str, Callable[[Row], Row]] = {
    "multiple_choice": _multiple_choice,
    "yes_no_question": _yes_no,
    "physical_reasoning": _physical,
    "pronoun_resolution": _pronoun,
    "sentence_completion": _completion,
}
"""By the `task_type` of a data set's lines."""
