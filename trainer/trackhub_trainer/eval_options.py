"""The command line of `trainer eval`: a model, what to measure it on, and how the numbers are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trackhub_trainer.config import FIELDS, Config
from trackhub_trainer.options import Parser, add, dashed
from trackhub_trainer.request import parsed, unknown_option

DATA = ("dataset", "source", "data_dir", "test_file", "skip_bad_lines")
MODEL = ("base_model", "max_length", "batching", "precision", "accelerator", "threads", "runs_dir")
OTHERS = ("target", "measure", "limit", "json", "out", "debug")
MEASURES = ("own", "cloze")
"""The accuracy on the trainer's own prompt, and those of lm-evaluation-harness."""


@dataclass(frozen=True)
class EvalRequest:
    """What the user wants measured.

    Attributes:
        target: a run, a checkpoint, or a model.
        config: the settings that were given, defaults elsewhere.
        given: the names of those that were.
        problems: what is wrong, a line each.
        measure: which of `MEASURES`.
        json: print JSON.
        out: a file that the same JSON is written to.
        debug: show tracebacks.
    """

    target: str
    config: Config
    given: frozenset[str]
    problems: tuple[str, ...] = ()
    measure: tuple[str, ...] = MEASURES
    json: bool = False
    out: Path | None = None
    debug: bool = False


def parser() -> Parser:
    """The whole command line."""
    whole = Parser(
        prog="trainer eval",
        description="Measure a model on multiple-choice questions: the accuracy on the trainer's own prompt, and the "
        "cloze accuracies of lm-evaluation-harness. Nothing is logged to a run.",
        allow_abbrev=False,
    )
    whole.add_argument(
        "target",
        nargs="?",
        metavar="RUN|CHECKPOINT|MODEL",
        help="a run's folder or name (its final_model), one of its checkpoints, a folder with a model or an adapter, "
        "a hub name, a .gguf file, or tiny",
    )
    whole.add_argument("--measure", default=",".join(MEASURES), metavar="NAMES", help="own, cloze or both (default)")
    whole.add_argument("--limit", default="0", metavar="N", help="only the first N questions of each data set")
    whole.add_argument("--json", action="store_true", help="print JSON instead of a table")
    whole.add_argument("--out", metavar="FILE", help="write the JSON to this file, too; it must not exist")
    whole.add_argument("--debug", action="store_true", help="show tracebacks")
    for title, names in (("what to measure on (default: as the run was)", DATA), ("model and machine", MODEL)):
        group = whole.add_argument_group(title)
        for name in names:
            add(group, FIELDS[name])
    return whole


def read(argv: Sequence[str]) -> EvalRequest:
    """The command line as a request; problems are collected, not raised."""
    whole = parser()
    arguments, unknown = whole.parse_known_args([dashed(word) for word in argv])
    here = vars(arguments)
    others = {name: here.pop(name) for name in OTHERS}
    here["eval_limit"] = others["limit"]
    labels = {name: "--limit" if name == "eval_limit" else f"--{name.replace('_', '-')}" for name in here}
    values, problems = parsed({labels[name]: (name, value) for name, value in here.items()})
    known = [option for action in whole._actions for option in action.option_strings]
    problems = [*(unknown_option(word, known, whole.prog) for word in unknown), *problems, *_wrong(others)]
    return EvalRequest(
        others["target"] or "",
        Config(**values),
        frozenset(values),
        tuple(problems),
        tuple(name for name in MEASURES if name in others["measure"].split(",")),
        others["json"],
        others["out"] and Path(others["out"]).expanduser(),
        others["debug"],
    )


def _wrong(others: dict[str, str]) -> list[str]:
    problems = []
    if not others["target"]:
        problems.append("name a run, a checkpoint or a model to measure. See: trainer eval --help")
    if odd := [name for name in others["measure"].split(",") if name not in MEASURES]:
        problems.append(f"--measure {','.join(odd)}: there are {' and '.join(MEASURES)}")
    out = Path(others["out"]).expanduser() if others["out"] else None
    if out and out.exists():
        problems.append(f"--out {out} exists, and nothing is overwritten: name another file")
    if out and not out.absolute().parent.is_dir():
        problems.append(f"--out {out}: there is no folder {out.absolute().parent}")
    return problems
