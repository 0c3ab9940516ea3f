"""What is said at the end: how good the model is, where everything lies, what each tracker has confirmed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from trackhub.cli.tables import receipt_table
from trackhub.showing.console import table
from trackhub.showing.words import plain
from trackhub_trainer import origin
from trackhub_trainer.preparing import Job
from trackhub_trainer.several import Result
from trackhub_trainer.train import Outcome


def show(console: Console, job: Job, outcome: Outcome) -> None:
    """Print the end of a training."""
    console.print()
    console.print(_accuracy(job, outcome))
    console.print()
    console.print(_places(outcome))
    if receipts := outcome.run.receipts():
        console.print()
        console.print(receipt_table(receipts, title="what the trackers have confirmed, in events"))


def show_all(console: Console, results: Sequence[Result]) -> None:
    """Print what became of several data sets."""
    title = f"{sum(result.outcome is not None for result in results)} of {len(results)} data sets trained"
    shown = table("data set", "questions", "before", "after", "run", title=title, numbers=("questions",))
    for result in results:
        shown.add_row(result.job.task.name, *_result(result))
    console.print()
    console.print(shown)


def _result(result: Result) -> tuple[str, str, str, str]:
    """(questions, accuracy before, after, the run, or what went wrong)."""
    if result.outcome is None:
        return "-", "-", "-", f"failed: {plain(result.problem)}"
    before, after = (
        f"{100 * found.value:.1f} % ± {100 * found.standard_error:.1f}" if found else "-"
        for found in (result.outcome.before, result.outcome.after)
    )
    return str(result.outcome.after.questions), before, after, plain(str(result.outcome.run.path))


def _accuracy(job: Job, outcome: Outcome) -> Table:
    numbers = ("questions", "right", "accuracy", "standard error")
    title = f"accuracy on {job.data.test_file.name}"
    shown = table("model", *numbers, title=title, numbers=numbers)
    rows = (("before training", outcome.before), ("after training", outcome.after), *outcome.cloze)
    for name, found in ((name, found) for name, found in rows if found is not None):
        percents = (f"{100 * value:.1f} %" for value in (found.value, found.standard_error))
        shown.add_row(name, str(found.questions), str(found.right), *percents)
    return shown


def _places(outcome: Outcome) -> Table:
    shown = table("what", "where", title="where everything lies")
    for name, where in _existing(outcome):
        shown.add_row(name, where)
    return shown


def _existing(outcome: Outcome) -> Iterator[tuple[str, str]]:
    folder = outcome.run.path
    yield "run", str(folder)
    saved = origin.saved(folder)
    if saved:
        to_last = f" ... {saved[0].name}" if len(saved) > 1 else ""
        yield f"checkpoints ({len(saved)})", f"{saved[-1].relative_to(folder)}{to_last}"
    for name, where in (
        ("metrics", "metrics.csv"),
        ("metrics", "metrics.jsonl"),
        ("final model", "final_model"),
        ("merged model", "final_model/merged"),
        ("log", "logs/training.log"),
        ("configuration", "config.yaml"),
    ):
        if (folder / where).exists():
            yield name, where
