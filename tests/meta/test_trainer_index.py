"""The first page of the trainer's package names each of its modules, once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import trackhub_trainer


def test_the_index_of_the_trainer_names_each_module_once() -> None:
    folder = Path(trackhub_trainer.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    index = str(trackhub_trainer.__doc__).partition("they are:")[2]
    listed = Counter(
        name for line in re.findall(r"  +(\w+(?:, \w+)*)$", index, re.MULTILINE) for name in line.split(", ")
    )
    assert listed == dict.fromkeys(modules, 1)
