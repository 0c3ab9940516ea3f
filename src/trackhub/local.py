"""Trackers that no distribution brings: a class in a file, or an object that the user made.

``path/to/file.py:MyTracker`` names a class in a file. A plain name that nobody has installed is looked for in a
``trackhub_plugins.py`` beside the training script, or in the working folder. Such a file is read as text to find its
classes, and run only in the processes that carry that tracker: never by a listing, and never unasked.

The name of such a tracker is that of its class: ``InHouseTracker`` is ``in-house``.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

FILE = "trackhub_plugins.py"
OBJECT = "object"
"""The source of a tracker that exists in the training process only."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def tracker_name(class_name: str) -> str:
    """The name of a tracker by its class: "InHouseTracker" is "in-house"."""
    return _HUMP.sub("-", class_name.removesuffix("Tracker") or class_name).lower().replace("_", "-").strip("-")


def is_source(text: str) -> bool:
    """Whether `text` reads ``file.py:Class``."""
    return text.rpartition(":")[0].endswith(".py")


def resolved(text: str) -> str:
    """A source with its path made absolute."""
    path, _, class_name = text.rpartition(":")
    return f"{os.path.abspath(os.path.expanduser(path))}:{class_name}"  # noqa: PTH100, PTH111 - no pathlib at a start


def beside(name: str) -> str:
    """The source of tracker `name` in a `trackhub_plugins.py`; "" if there is none."""
    for folder in _folders():
        path = folder / FILE
        found = [one for one in classes(path) if tracker_name(one) == name.replace("_", "-")]
        if found:
            return f"{path}:{found[0]}"
    return ""


def _folders() -> list[Path]:
    """Where the training script lies, and where it was started."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    beside_script = [Path(script).resolve().parent] if script else []
    return [*beside_script, Path.cwd()]


def problem(name: str, source: str) -> str:
    """What is wrong with a source, in words; "" if nothing is. Nothing is run."""
    path, _, class_name = source.rpartition(":")
    if not Path(path).is_file():
        return f"tracker {name!r}: there is no file {path}"
    known = classes(Path(path))
    if class_name in known:
        return ""
    return f"tracker {name!r}: {path} has no class {class_name!r}. Classes there: {', '.join(known) or 'none'}"


def classes(path: Path) -> list[str]:
    """The classes at the top of a file, read and not run; none where it cannot be read."""
    import ast

    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef)]


def load(source: str) -> type:
    """The class that `source` names; runs the file. Its folder comes last on the import path.

    Raises:
        Exception: whatever the file raises; AttributeError if it has no such class.
    """
    from importlib.util import module_from_spec, spec_from_file_location

    path, _, class_name = source.rpartition(":")
    folder = str(Path(path).parent)
    if folder not in sys.path:
        sys.path.append(folder)
    spec = spec_from_file_location(f"trackhub_local_{Path(path).stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type = getattr(module, class_name)
    return found
