"""What other libraries say goes to logs/training.log, not to the user's terminal."""

from __future__ import annotations

import importlib
import logging
import os
from logging.handlers import MemoryHandler
from pathlib import Path

from trackhub.secrets import redact_text

ENVIRONMENT = {
    "TOKENIZERS_PARALLELISM": "false",  # warns about every fork otherwise
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
}
LIBRARIES = (
    "transformers",
    "huggingface_hub",
    "datasets",
    "lightning",
    "lightning.pytorch",
    "lightning.fabric",
    "peft",
)


def hush() -> MemoryHandler:
    """Keep all log records and warnings in memory until there is a file for them. To be called before the imports."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    waiting = MemoryHandler(10_000, flushLevel=logging.CRITICAL + 1, flushOnClose=False)
    logging.root.handlers = [waiting]
    logging.root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    return waiting


def hush_libraries() -> None:
    """Take away the handlers that libraries have given themselves. To be called after the imports."""
    importlib.import_module("transformers.utils.logging").disable_progress_bar()
    take_handlers()


def take_handlers() -> None:
    """What the libraries that are imported so far say goes where everything goes."""
    for name in LIBRARIES:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True


class Discreet(logging.Formatter):
    """Keeps credentials out of the log: settings, other libraries' words and tracebacks may hold some."""

    def format(self, record: logging.LogRecord) -> str:
        """The record in a line, or in several with a traceback."""
        return redact_text(super().format(record))


class LogFile(logging.FileHandler):
    """A log file that leaves out what does not fit on the disk."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Say nothing: logging's own way prints a traceback on the terminal for each record."""


def write_to(path: Path, waiting: MemoryHandler) -> None:
    """From here on everything goes to `path`, beginning with what is `waiting`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = LogFile(path, encoding="utf-8")
    handler.setFormatter(Discreet("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    waiting.setTarget(handler)
    waiting.flush()
    waiting.close()
    logging.root.handlers = [handler]
