"""`trainer`, `trainer eval`: exit code 0 when done, 1 when it failed, 2 for mistakes, 130 and 143 when stopped."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from logging.handlers import MemoryHandler

from trackhub import ranks
from trackhub_trainer import dotenv_file, eval_options
from trackhub_trainer import request as requests
from trackhub_trainer.eval_options import EvalRequest
from trackhub_trainer.request import Request


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Do what the command line asks for; the exit code."""
    wrong = dotenv_file.read()
    command, words = (argv[0], argv[1:]) if argv[:1] and argv[0] in ("train", "eval") else ("train", argv)
    request: Request | EvalRequest = eval_options.read(words) if command == "eval" else requests.read(words)
    request = replace(request, problems=(*wrong, *request.problems))
    from trackhub.errors import ConfigError
    from trackhub_trainer import installed, quiet
    from trackhub_trainer.stopping import Terminated, sigterm_raises

    try:
        if missing := installed.problems(request.config.base_model):
            raise ConfigError(*request.problems, *missing)
        with sigterm_raises():
            if isinstance(request, EvalRequest):
                return _measure(request)
            return _work(request, quiet.hush())
    except ConfigError as error:
        return _mistakes(request.debug, error)
    except Terminated as stop:
        return _stopped("SIGTERM", stop, 143)
    except KeyboardInterrupt as stop:
        return _stopped("Ctrl-C", stop, 130)
    except Exception as error:  # noqa: BLE001 - the user gets one line, the log has the rest
        return _failure("the evaluation" if command == "eval" else "the training", request.debug, error)


def _measure(request: EvalRequest) -> int:
    from trackhub.showing.console import console
    from trackhub_trainer import evaluating, quiet

    quiet.hush()
    evaluating.run(request, console)
    return 0


def _work(request: Request, waiting: MemoryHandler) -> int:
    from trackhub.showing.console import console
    from trackhub_trainer import quiet, several

    console.quiet = ranks.rank() > 0
    with console.status("checking, and loading the libraries"):
        jobs = several.prepared(request)
    quiet.hush_libraries()
    if request.dry_run:
        from trackhub_trainer.plan import plan

        for job in jobs:
            console.print(plan(job))
        return 0
    from trackhub_trainer import summary

    if len(jobs) > 1:
        results = several.run(jobs, console, waiting, request.debug)
        summary.show_all(console, results)
        return 0 if all(result.outcome for result in results) else 1
    from trackhub_trainer.train import Training

    outcome = Training(jobs[0], console).run(waiting)
    if outcome is not None:
        summary.show(console, jobs[0], outcome)
    return 0


def _mistakes(debug: bool, error: BaseException) -> int:
    """Every problem on a line of its own."""
    if debug:
        traceback.print_exception(error)
    problems = getattr(error, "problems", (str(error),))
    for problem in problems:
        _say(problem, 2)
    return 2


def _failure(what: str, debug: bool, error: Exception) -> int:
    if debug:
        raise error
    first = next(iter(str(error).splitlines()), "")
    return _with_notes(f"{what} failed: {type(error).__name__}: {first}", error, 1)


def _stopped(by: str, stop: BaseException, code: int) -> int:
    """All ranks stop, and rank 0 tells it."""
    return code if ranks.rank() else _with_notes(f"stopped by {by}", stop, code)


def _with_notes(text: str, error: BaseException, code: int) -> int:
    """A line, and below it where the run lies, if there is one."""
    for line in (text, *getattr(error, "__notes__", ())):
        _say(line, code)
    return code


def _say(text: str, code: int) -> int:
    who = f"rank {ranks.rank()}: " if ranks.rank() else ""
    print(f"trainer: {who}{text}", file=sys.stderr)
    return code
