"""What a start takes for granted about installed trackers agrees with the registry that knows."""

from __future__ import annotations

from pathlib import Path

import pytest

import trackhub
from trackhub.claims import plainly_installed
from trackhub.registry import installed
from trackhub.testing import install


def test_what_is_plainly_installed_is_what_the_registry_finds() -> None:
    assert plainly_installed() == set(installed())


def test_a_name_that_two_distributions_claim_is_left_to_the_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = install(tmp_path / "plugins", distribution="other-csv", csv="somewhere:Class", mine="somewhere:Class")
    monkeypatch.syspath_prepend(str(folder))
    assert "csv" not in plainly_installed()
    assert "mine" in plainly_installed()
    with pytest.raises(trackhub.ConfigError, match="claimed by other-csv and trackhub-ml"):
        trackhub.start(trackers="csv")


@pytest.mark.parametrize(
    "text", ["", "[trackhub.trackers]", "[console_scripts]\nx = y:z\n", "\x00", "[trackhub.trackers]\nno equals sign\n"]
)
def test_any_file_of_entry_points_is_read(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = plainly_installed()
    info = tmp_path / "odd-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert plainly_installed() == before


def test_only_the_section_of_trackers_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "mixed-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[a]\nno = x:Y\n[trackhub.trackers]\nyes=x:Y\n\n[b]\nneither = x:Y\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert plainly_installed() >= {"yes"}
    assert not plainly_installed() & {"no", "neither"}
