"""The hook reference says what the code says: hooks, fields, types, defaults, attributes, media; in both languages."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pages import DOCS, blocks, rows

import trackhub
from trackhub import plugin
from trackhub.events import MEDIA_KINDS, Media
from trackhub.hookspecs import TrackerSpec
from trackhub.journal import read
from trackhub.media import magic
from trackhub.plugin import RULES, Artifact, Checkpoint, Limits, Message, Row, RunInfo, Uploads
from trackhub.testing import journals

PAGES = [DOCS / "hooks.md", DOCS / "zh" / "hooks.md"]
STRUCTS = [Row, Media, Artifact, Checkpoint, Message]
both = pytest.mark.parametrize("page", PAGES, ids=["english", "chinese"])


def bare(cell: str) -> str:
    """What a cell of a table holds in code style."""
    found = re.match(r"`([^`]*)`", cell)
    assert found is not None, f"{cell!r} does not begin with code"
    return found[1]


def heading(page: Path, english: str) -> str:
    """A heading of the English page as this page has it: pages have the same headings in the same order."""
    found = [re.findall(r"^#+ .*$", one.read_text(encoding="utf-8"), re.MULTILINE) for one in (PAGES[0], page)]
    assert len(found[0]) == len(found[1])
    return found[1][found[0].index(english)]


def listed(page: Path, english: str, columns: int = 2) -> list[tuple[str, ...]]:
    """The first cells of each row of a table, without their code style."""
    return [tuple(bare(cell) for cell in row[:columns]) for row in rows(page, heading(page, english))]


def annotations(of: type) -> dict[str, str]:
    """The annotations as the source has them, those of the bases first."""
    return {name: text for base in reversed(of.__mro__) for name, text in vars(base).get("__annotations__", {}).items()}


@both
@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_field_of_an_event_is_listed_with_its_type(struct: type, page: Path) -> None:
    names = [field.name for field in msgspec.structs.fields(struct)]
    assert listed(page, f"### `{struct.__name__}`") == [(name, annotations(struct)[name]) for name in names]


@both
def test_everything_that_a_run_tells_is_listed_with_its_type(page: Path) -> None:
    properties = {name: one for name, one in vars(RunInfo).items() if isinstance(one, property)}
    wanted = {**annotations(RunInfo), **{name: one.fget.__annotations__["return"] for name, one in properties.items()}}
    wanted["remember"] = str(inspect.signature(RunInfo.remember)).replace("self, ", "").replace("'", "")
    public = {name: text for name, text in wanted.items() if not name.startswith("_")}
    assert dict(listed(page, "### `RunInfo`")) == public


@both
def test_every_limit_is_listed_with_its_type_and_default(page: Path) -> None:
    found = {name: (kind, eval(default)) for name, kind, default in listed(page, "## `Limits`", 3)}  # noqa: S307 - our page
    assert found == {name: (text, getattr(Limits(), name)) for name, text in annotations(Limits).items()}


@both
def test_every_class_attribute_is_listed(page: Path) -> None:
    wanted = re.findall(r"^``(\w+)`` ", plugin.__doc__ or "", re.MULTILINE)
    assert len(wanted) > 8
    assert [name for (name,) in listed(page, "## Class attributes", 1)] == wanted


@both
def test_every_name_of_the_door_is_on_the_page(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [name for name in plugin.__all__ if not re.search(rf"`{name}[`(]", text)] == []
    assert [rule for rule in RULES if f"`{rule}`" not in text] == []


@both
def test_every_upload_policy_is_listed(page: Path) -> None:
    kind = msgspec.structs.fields(Uploads)[0].type.__origin__
    assert tuple(name for (name,) in listed(page, "## `Options` and `Uploads`", 1)) == kind.__args__


@both
def test_when_each_hook_comes_again_is_told(page: Path) -> None:
    cells = [row[0] for row in rows(page, heading(page, "## Once, and again"))]
    hooks = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(hooks) == sorted(name for name in vars(TrackerSpec) if not name.startswith("_"))


def formats(page: Path) -> dict[str, tuple[set[str], str]]:
    """(file endings, the text about details) by kind of medium."""
    table = rows(page, heading(page, "## Media"))
    return {bare(kind): (set(re.findall(r"`\.(\w+)`", files)), details) for kind, files, details in table}


@both
def test_every_kind_of_medium_is_listed_with_what_files_may_be(page: Path) -> None:
    found = formats(page)
    assert set(found) == set(MEDIA_KINDS)
    for kind, recognise in {"image": magic.image, "audio": magic.audio, "video": magic.video}.items():
        assert found[kind][0] == set(re.findall(r'"(\w+)"', recognise.__doc__ or ""))


@both
def test_media_that_are_logged_are_files_as_the_page_says(page: Path) -> None:
    class Drawn:
        def savefig(self, buffer: Any, **_how: Any) -> None:
            buffer.write(journals.sample("image")[1])

    given = {
        "image": trackhub.Image(journals.sample("image")[1]),
        "figure": trackhub.Figure(Drawn()),
        "audio": trackhub.Audio(journals.sample("audio")[1]),
        "video": trackhub.Video(journals.sample("video")[1]),
        "histogram": trackhub.Histogram([1.0, 2.0, 3.0]),
        "table": trackhub.Table([["a", 1]], columns=["name", "score"]),
        "text": trackhub.Text("a text"),
        "html": trackhub.Html("<p>a page</p>"),
    }
    with trackhub.start(trackers="none") as run:
        run.log_media(given, step=0)
    logged = [event for event in read(run.path) if isinstance(event, Media)]
    assert [event.key for event in logged] == [event.media_kind for event in logged] == list(given)
    for event in logged:
        endings, details = formats(page)[event.media_kind]
        assert event.path.rpartition(".")[2] in endings
        assert [name for name in event.details if f"`{name}`" not in details] == []
        content = (run.path / event.path).read_text() if event.media_kind in ("table", "histogram") else "{}"
        assert [name for name in msgspec.json.decode(content) if f'"{name}"' not in details] == []


@both
def test_the_examples_on_the_page_are_trackers(page: Path) -> None:
    from trackhub.making import hooks, make

    for _, block in blocks(page):
        names: dict[str, Any] = {}
        exec(compile(block, page.name, "exec", dont_inherit=True), names)
        assert hooks("mine", names["MyTracker"]) == ("log_metrics",)
        make("mine", names["MyTracker"], {})
