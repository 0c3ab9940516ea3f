"""`trackhub new-plugin`: a whole project in a new folder, or a clear no and nothing written."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from trackhub import ConfigError
from trackhub.scaffold import write

TEMPLATE = Path(__file__).resolve().parents[2] / "plugins" / "template"


def content(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in files if ".pytest_cache" not in path.parts
    }


def test_the_template_in_the_repository_is_what_the_command_writes(tmp_path: Path) -> None:
    write("template", tmp_path / "new")
    assert content(tmp_path / "new") == content(TEMPLATE)


@pytest.mark.parametrize("name", ["in-house", "a", "x1_y2"])
def test_every_file_is_there_and_the_module_is_short(name: str, tmp_path: Path) -> None:
    files = content(write(name, tmp_path / "new"))
    short = name.replace("-", "_")
    assert set(files) == {"pyproject.toml", "README.md", f"trackhub_{short}.py", f"tests/test_{short}.py"}
    assert not any("$" in text and path.endswith("toml") for path, text in files.items())
    module = files[f"trackhub_{short}.py"]
    ast.parse(module)
    assert len(module.splitlines()) < 60


@pytest.mark.parametrize("name", ["", "A", "1a", "a b", "../a", "a-", "csv", "a\n", "é"])
def test_a_name_that_is_none_or_taken_is_refused_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        write(name, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exists"):
        write("mine", tmp_path)
    assert list(tmp_path.iterdir()) == []
