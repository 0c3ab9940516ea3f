"""Who imports whom: a budget, one door for plugins, and arrows that point one way."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "trackhub"
PLUGINS = sorted((ROOT / "plugins").glob("trackhub_*/**/*.py"))
HEAVY = {"torch", "swanlab", "yaml", "rich", "psutil", "numpy", "importlib.metadata", "pluggy", "asyncio", "email"}
SDKS = {"torch", "swanlab", "mlflow", "wandb", "tensorboard", "transformers", "lightning", "numpy"}


def loaded(code: str, *arguments: str) -> set[str]:
    """Names of the modules that are loaded after `code`, which prints nothing else."""
    tail = "\nimport json, sys; sys.stdout.write(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code + tail, *arguments], capture_output=True, check=True)
    return set(json.loads(done.stdout))


def of_command(*arguments: str) -> set[str]:
    """Names of the modules that are loaded after a `trackhub` command."""
    code = (
        "import contextlib, io, sys\nfrom trackhub.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main(sys.argv[1:])"
    )
    return loaded(code, *arguments)


def test_importing_trackhub_loads_nothing_heavy() -> None:
    assert not HEAVY & (loaded("import trackhub") - loaded("import msgspec"))


def test_starting_a_run_loads_no_sdk_and_nothing_that_is_the_supervisor_s_work() -> None:
    code = "import trackhub\nwith trackhub.start(trackers='csv,swanlab') as run: run.log_metrics({'a': 1.0})"
    found = loaded(code)
    assert not found & (SDKS | {"yaml", "psutil", "rich", "trackhub_csv", "trackhub_swanlab"})


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["trackers"], ["trackers", "swanlab"], ["runs"], ["sync"], ["lineage", "nothing"]],
    ids=str,
)
def test_no_command_imports_an_sdk_or_torch(arguments: list[str]) -> None:
    assert not of_command(*arguments) & SDKS


def test_the_help_loads_neither_rich_nor_pluggy() -> None:
    assert not of_command("--help") & {"rich", "pluggy", "yaml", "psutil"}


@pytest.mark.parametrize("name", ["csv", "jsonl", "swanlab"])
def test_the_module_of_a_tracker_imports_without_its_sdk(name: str) -> None:
    assert not loaded(f"import trackhub_{name}") & SDKS


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(module, whether it is imported when the file is) of each import of our own in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for statement, at_import in _statements(tree.body, True):
        if isinstance(statement, ast.Import):
            yield from ((alias.name, at_import) for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            assert not statement.level, f"{path}: a relative import"
            yield from ((f"{statement.module}.{alias.name}", at_import) for alias in statement.names)


def _statements(body: list[ast.stmt], at_import: bool) -> Iterator[tuple[ast.stmt, bool]]:
    for statement in body:
        yield statement, at_import
        is_function = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
        typing_only = isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING"
        for field in ("body", "orelse", "finalbody", "handlers"):
            for inner in getattr(statement, field, []):
                if isinstance(inner, ast.ExceptHandler):
                    yield from _statements(inner.body, at_import)
                elif isinstance(inner, ast.stmt):
                    yield from _statements([inner], at_import and not is_function and not typing_only)


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_plugin_imports_trackhub_plugin_and_nothing_else_of_ours(path: Path) -> None:
    own = path.relative_to(ROOT / "plugins").parts[0]
    ours = {name for name, _ in imports(path) if name.split(".")[0].startswith("trackhub")}
    assert {name for name in ours if not name.startswith(("trackhub.plugin.", f"{own}."))} == set()


LAYERS = [
    {"errors", "events", "processes", "locks", "verdicts", "claims", "local", "console_lines"},
    {"_secret_known", "_secret_names", "_secret_shapes", "_secret_text", "showing"},
    {"secrets", "tell", "layout", "files", "environment", "monitor", "ranks", "endings", "tensors", "variables"},
    {"journal", "intake", "media", "rewinding"},
    {"plugin", "appendfile", "hookspecs", "registry", "settings"},
    {"delivery", "run", "starting", "making", "cards"},
    {"checking", "lineage"},
    {"cli", "testing", "scaffold", "__main__", "__init__"},
]
"""From the bottom to the top: at import, a layer imports from its own and from lower ones only."""


def layer(module: str) -> int:
    part = module.split(".")[1] if "." in module else "__init__"
    return next(number for number, names in enumerate(LAYERS) if part in names)


def modules() -> dict[str, Path]:
    """Every module of the library, by its name."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        name = ".".join(("trackhub", *path.relative_to(SOURCE).with_suffix("").parts))
        found[name.removesuffix(".__init__")] = path
    return found


def imported(path: Path, known: dict[str, Path], at_import: bool) -> set[str]:
    """The modules of ours that a file imports: all, or only while it is itself imported."""
    names = {name for name, early in imports(path) if name.startswith("trackhub.") and (early or not at_import)}
    return {name if name in known else name.rpartition(".")[0] for name in names} & set(known)


def test_every_module_has_its_layer() -> None:
    named = set().union(*LAYERS)
    assert {name.split(".")[1] if "." in name else "__init__" for name in modules()} <= named


def test_a_layer_imports_from_its_own_and_lower_ones_only() -> None:
    known = modules()
    wrong = [
        f"{name} imports {other}"
        for name, path in known.items()
        for other in imported(path, known, at_import=True)
        if layer(other) > layer(name)
    ]
    assert wrong == []


def test_events_and_journal_know_nothing_of_runs_delivery_and_commands_not_even_later() -> None:
    known = modules()
    above = {name for name in known if layer(name) >= layer("trackhub.delivery")}
    for name, path in known.items():
        if name.startswith("trackhub.journal") or name in ("trackhub.events", "trackhub.errors"):
            assert not imported(path, known, at_import=False) & above, name


def test_no_circle_of_imports() -> None:
    known = modules()
    arrows = {name: imported(path, known, at_import=True) - {name} for name, path in known.items()}
    arrows["trackhub"] = set()  # the public door is imported by nobody below
    while free := [name for name, targets in arrows.items() if not targets & set(arrows)]:
        for name in free:
            del arrows[name]
    assert arrows == {}


def test_every_module_can_be_the_first_that_is_imported() -> None:
    """In one process, which forgets everything of ours between two imports."""
    code = (
        "import sys; from importlib import import_module\n"
        "for name in sys.argv[1:]:\n"
        "    for own in [one for one in sys.modules if one.split('.')[0] == 'trackhub']: del sys.modules[own]\n"
        "    import_module(name)\n"
    )
    names = sorted(name for name in modules() if not name.endswith("__main__"))
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
