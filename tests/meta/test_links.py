"""Every link between the pages leads to a file that exists."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
CODE = re.compile(r"^( *)(```+|~~~+).*?^ *\2 *$|(`+)(?!`)(?:(?!\n\n).)+?(?<!`)\3(?!`)", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'][^)]*)?\s*\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)


def links(text: str) -> list[str]:
    """The targets of a page's links to other files, without their anchors; what stands in code is no link."""
    prose = CODE.sub("", text)
    targets = [*INLINE.findall(prose), *REFERENCE.findall(prose)]
    files = [unquote(target.partition("#")[0]) for target in targets if not ELSEWHERE.match(target)]
    return [file for file in files if file]


def missing(page: Path) -> list[str]:
    return [link for link in links(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file(page: Path) -> None:
    assert missing(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[here](page.md#part) [gone](gone.md)\n\n[ref]: lost.md\n", encoding="utf-8")
    assert missing(page) == ["gone.md", "lost.md"]


def test_only_files_are_looked_for() -> None:
    text = "[a](a.md#x) [b](https://b) ![c](<c.png> 'title') [d](#d) `[e](e.md)` [f](mailto:f@g)\n\n"
    code = "```\n[h](h.md)\n```\n\n[i](i%20j.md)\n"
    assert links(text + code) == ["a.md", "c.png", "i j.md"]
