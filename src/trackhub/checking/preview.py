"""What a sync would send to one tracker: found out on paper, without the tracker, its SDK, or a byte on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from trackhub import files, registry
from trackhub.checking.asking import Answer, Asking, answer
from trackhub.checking.paper import Paper, handover
from trackhub.delivery import cursor as cursors
from trackhub.delivery.cursor import Cursor, Progress
from trackhub.delivery.handover import Handover
from trackhub.delivery.protocol import Orders
from trackhub.delivery.subjects import stays
from trackhub.delivery.sync import asked_for, one_by_one
from trackhub.events import Artifact, Checkpoint, Media
from trackhub.journal.following import Follower
from trackhub.journal.state import state
from trackhub.layout import RunFolder
from trackhub.settings import Trackers

FIRST = 20
"""What is named of each sort; the rest is counted."""
_KINDS = {"log_params": "params", "log_media": "media", "log_artifact": "artifacts", "save_checkpoint": "checkpoints"}


class Sort(msgspec.Struct):
    """Things of one sort: how many, and the first of them in words; a key counts with each of its values."""

    count: int = 0
    first: list[str] = msgspec.field(default_factory=list)
    more: bool = False
    """Whether there are others than the first."""

    def add(self, words: str) -> None:
        """Count one, and keep its words while there is room."""
        self.count += 1
        if words in self.first:
            return
        self.more = len(self.first) == FIRST
        if not self.more:
            self.first.append(words)


class Preview(Answer, kw_only=True):
    """What one tracker would get."""

    again: str = ""
    """Why it would be delivered from the beginning, although there was a delivery before."""
    events: dict[str, int] = msgspec.field(default_factory=dict)
    """How many, by kind: metrics (rows), params, messages, media, artifacts, checkpoints."""
    files: Sort = msgspec.field(default_factory=Sort)
    file_bytes: int = 0
    mapped: Sort = msgspec.field(default_factory=Sort)
    """Keys that have another name there, numbers that become floats."""
    cut: Sort = msgspec.field(default_factory=Sort)
    left_out: Sort = msgspec.field(default_factory=Sort)
    """Values that the backend does not store."""
    set_aside: Sort = msgspec.field(default_factory=Sort)
    """Events that it does not take, with the reason."""
    stays: dict[str, int] = msgspec.field(default_factory=dict)
    """Files that stay in the run folder, by what they are."""
    end: str = ""
    """The status that it would be told; "" for none."""

    @property
    def anything(self) -> bool:
        """Whether there is anything to send, or to tell of."""
        return bool(self.events or self.end or self.problem or self.set_aside.count)


def previews(
    folder: RunFolder, to: Trackers = None, options: Mapping[str, Mapping[str, Any]] | None = None, jobs: int = 2
) -> list[Preview]:
    """What a sync would send to each tracker of a run; as for `trackhub.delivery.sync.sync`.

    Raises:
        ConfigError: the trackers cannot be as they are asked for.
        JournalError: the run cannot be read.
    """
    orders = asked_for(folder, state(folder), to, options or {})
    found: list[Preview] = Asking("trackhub.checking.preview", Preview, jobs).ask(one_by_one(orders))
    return found


class Tally(Progress):
    """Counts on paper what a courier's receipt counts, sort by sort."""

    preview: Preview = msgspec.field(default_factory=Preview)

    def add_mapping(self, original: str, mapped: str) -> None:
        """Count a change."""
        if mapped.startswith("left out"):
            self.preview.left_out.add(original)
        elif mapped.startswith("cut to"):
            self.preview.cut.add(f"{original}: {mapped}")
        else:
            self.preview.mapped.add(f"{original} -> {mapped}")

    def add_rejection(self, file: str, n: int, what: str, reason: str) -> None:
        """Count an event that is set aside."""
        super().add_rejection(file, n, what, reason)
        self.preview.set_aside.add(f"{what}: {reason}")


def preview(folder: RunFolder, name: str, plugin: object) -> Preview:
    """What a sync would send now.

    Args:
        folder: the run; it is only read.
        name: the tracker.
        plugin: an instance of its class; none of its hooks is called.
    """
    made = Preview(tracker=name)
    paper = Paper(name, plugin, lambda hook, arguments: _note(made, folder.path, hook, arguments))
    stored = cursors.load(folder.cursor(name), name)
    tally, follower = _start(folder, stored, paper, made)
    cursor = Cursor(tracker=name, handed=tally, remembered=dict(stored.remembered))
    hand = handover(folder, paper, cursor, {})
    hand.ended = tally.ended
    while items := follower.read():
        hand.take(items)
    _end(folder, hand, tally, made)
    rows = tally.delivered - sum(made.events.values())
    made.events = {**({"metrics": rows} if rows else {}), **made.events}
    made.stays = tally.left
    return made


def _start(folder: RunFolder, stored: Cursor, paper: Paper, made: Preview) -> tuple[Tally, Follower]:
    """Where a courier would go on: at its cursor, or at the beginning where the journal has changed or gone back."""
    safe = stored.safe
    follower = Follower(folder, safe.positions)
    latest = max(follower.rewinds, default=0)
    changed = follower.mismatches()
    positions = dict(safe.positions)
    if changed and paper.rule:
        made.again = f"{', '.join(changed)} is not what was read before"
    elif changed:
        positions |= {file: follower.end_of(file) for file in changed}
    elif positions and latest > safe.rewinds and _replaces(paper):
        made.again = f"the run went back to step {follower.rewinds[latest]}"
    if made.again or not positions:
        return Tally(preview=made, rewinds=latest), Follower(folder)
    tally = Tally(preview=made, positions=positions, left=dict(safe.left), ended=safe.ended, rewinds=latest)
    return tally, Follower(folder, positions)


def _replaces(paper: Paper) -> bool:
    return paper.has("on_rewind") and getattr(paper.plugin, "rewinds", "") == "replace"


def _end(folder: RunFolder, hand: Handover, tally: Tally, made: Preview) -> None:
    """What comes with the end of a run, also of one that died without a word: sync declares it killed."""
    status = state(folder).status
    if status != "running" and tally.ended != status:
        hand.hand_chosen()
        made.end = status


def _note(made: Preview, run: Path, hook: str, arguments: dict[str, Any]) -> None:
    if hook in ("log_metrics", "log_metrics_batch"):
        return  # counted by the handover, which also counts a row of which nothing is left
    kind = _KINDS.get(hook, "messages")
    made.events[kind] = made.events.get(kind, 0) + 1
    event = next(iter(arguments.values()))
    if isinstance(event, Media | Artifact | Checkpoint):
        size, path = files.size(Path(event.path)), Path(event.path)
        made.file_bytes += size
        made.files.add(f"{stays(event)} {files.relative(path, run)} ({size} bytes)")


def main() -> None:
    """Answer the question on standard input."""
    answer(Preview, _asked, lambda: None)


def _asked(orders: Orders, plugin: object) -> Preview:
    name = orders.trackers[0]
    made = preview(RunFolder(orders.folder), name, plugin)
    made.problem = registry.missing_sdk(name, type(plugin))
    return made
