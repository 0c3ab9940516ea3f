"""What is public is documented, sorted, and complete: names, hooks, and what each first-party tracker comes with."""

from __future__ import annotations

import inspect
import re
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import pytest

import trackhub
from trackhub import hookspecs, plugin, testing
from trackhub.cli import COMMANDS
from trackhub.delivery.facade import HOOKS, Tracker
from trackhub.hookspecs import TrackerSpec

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FIRST_PARTY = sorted(path.name.removeprefix("trackhub_") for path in (ROOT / "plugins").glob("trackhub_*"))


@pytest.mark.parametrize("module", [trackhub, plugin, testing], ids=lambda module: module.__name__)
def test_the_public_names_of_a_module_are_sorted_and_there(module: ModuleType) -> None:
    names = module.__all__
    capitals = [name for name in names if name.isupper()]
    assert names == [*sorted(capitals), *sorted(set(names) - set(capitals))]
    assert all(hasattr(module, name) for name in names)
    assert set(names) <= set(dir(module))


@pytest.mark.parametrize("name", trackhub.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    assert inspect.getdoc(getattr(trackhub, name))


def public_methods(of: type) -> list[str]:
    return [name for name, member in vars(of).items() if not name.startswith("_") and callable(member)]


@pytest.mark.parametrize("name", public_methods(trackhub.Run))
def test_every_method_of_a_run_is_documented(name: str) -> None:
    assert inspect.getdoc(getattr(trackhub.Run, name))


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nope"):
        trackhub.nope  # type: ignore[attr-defined] # noqa: B018 - the access is the test


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_specified_documented_and_has_its_method_in_the_facade(hook: str) -> None:
    specification = getattr(TrackerSpec, hook)
    assert specification.trackhub_spec is not None
    assert len(inspect.getdoc(specification) or "") > 40
    method = {"log_metrics": "log_rows", "log_metrics_batch": "log_rows"}.get(hook, hook)
    assert inspect.getdoc(getattr(Tracker, method))


@pytest.mark.parametrize("hook", HOOKS)
def test_the_hook_reference_names_every_hook_with_its_arguments(hook: str) -> None:
    arguments = [name for name in inspect.signature(getattr(TrackerSpec, hook)).parameters if name != "self"]
    listed = f"`{', '.join(arguments)}`" if arguments else ""
    for page in (ROOT / "docs" / "hooks.md", ROOT / "docs" / "zh" / "hooks.md"):
        row = re.search(rf"^\| `{hook}` \| *([^|]*?) *\|", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert row is not None, page
        assert row[1] == listed, page


def test_the_hooks_are_those_of_the_design() -> None:
    assert set(HOOKS) == {
        "flush",
        "log_artifact",
        "log_media",
        "log_message",
        "log_metrics",
        "log_metrics_batch",
        "log_params",
        "on_rewind",
        "on_run_end",
        "on_run_start",
        "read_back",
        "save_checkpoint",
    }
    assert inspect.getdoc(hookspecs)


def test_every_event_has_its_documentation() -> None:
    from typing import get_args

    from trackhub.events import AnyEvent

    assert all(event.__doc__ and not event.__doc__.startswith(f"{event.__name__}(") for event in get_args(AnyEvent))


def test_there_are_first_party_trackers() -> None:
    assert {"csv", "jsonl", "swanlab"} <= set(FIRST_PARTY)


@pytest.mark.parametrize("name", FIRST_PARTY)
def test_a_first_party_tracker_has_an_entry_point_and_an_extra_that_all_includes(name: str) -> None:
    assert PROJECT["entry-points"]["trackhub.trackers"][name].startswith(f"trackhub_{name}:")
    extras = PROJECT["optional-dependencies"]
    assert name in extras
    assert re.search(rf"[\[,]{name}[\],]", extras["all"][0])
    assert [entry.name for entry in entry_points(group="trackhub.trackers", name=name)] == [name]


@pytest.mark.parametrize("name", FIRST_PARTY)
@pytest.mark.parametrize("path", ["docs/trackers/{}.md", "docs/zh/trackers/{}.md", "tests/plugins/test_{}.py"])
def test_a_first_party_tracker_has_its_pages_and_its_tests(name: str, path: str) -> None:
    assert (ROOT / path.format(name)).stat().st_size > 500


@pytest.mark.parametrize("name", FIRST_PARTY)
def test_the_page_of_a_tracker_names_all_its_options(name: str) -> None:
    from trackhub.cards import describe

    page = (ROOT / "docs" / "trackers" / f"{name}.md").read_text(encoding="utf-8")
    missing = [option["name"] for option in describe(name).options if f"`{option['name']}`" not in page]
    assert missing == []


@pytest.mark.parametrize("name", FIRST_PARTY)
def test_a_first_party_tracker_states_one_of_the_rules(name: str) -> None:
    from trackhub.registry import load

    assert load(name).idempotence in plugin.RULES  # type: ignore[attr-defined]
    assert load(name).card  # type: ignore[attr-defined]


def test_every_command_has_a_module_of_its_own_and_nothing_else_has() -> None:
    folder = ROOT / "src" / "trackhub" / "cli"
    with_run = {
        path.stem.replace("_", "-")
        for path in folder.glob("*.py")
        if re.search(r"^def add_arguments", path.read_text(), re.MULTILINE)
    }
    assert with_run == set(COMMANDS)


def test_every_error_of_ours_has_the_one_base() -> None:
    from trackhub import errors

    found = [one for one in vars(errors).values() if isinstance(one, type) and one.__module__ == errors.__name__]
    assert all(issubclass(one, trackhub.TrackhubError) for one in found)
    assert {one.__name__ for one in found} <= set(trackhub.__all__)
