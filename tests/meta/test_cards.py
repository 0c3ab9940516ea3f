"""The page of each tracker shows its card, word for word as `trackhub trackers NAME` tells it; in Chinese, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from trackhub.cards import describe

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.name.removeprefix("trackhub_") for path in (ROOT / "plugins").glob("trackhub_*"))


def card(name: str) -> str:
    """The facts of a tracker as its page shows them."""
    facts = describe(name).facts
    width = max(map(len, facts))
    return "\n".join(f"{what:{width}}  {how}" for what, how in facts.items())


@pytest.mark.parametrize("folder", ["docs/trackers", "docs/zh/trackers"])
@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_a_tracker_shows_its_card(name: str, folder: str) -> None:
    wanted = f"```\n{card(name)}\n```\n"
    page = (ROOT / folder / f"{name}.md").read_text(encoding="utf-8")
    assert wanted in page, f"{folder}/{name}.md does not hold this block:\n{wanted}"
