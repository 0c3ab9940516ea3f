"""`final_model/`: adapter and tokenizer in the Hugging Face format."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from trackhub_trainer.model import TINY


def save(model: Any, tokenizer: Any, base_model: str, folder: Path) -> None:
    """Write the adapter and the tokenizer; `AutoPeftModelForCausalLM.from_pretrained(folder)` loads them.

    The adapter names its base by path or hub name. The built-in tiny base is copied beside it, so that the folder
    does not depend on this installation. A .gguf base is named, but peft cannot load one by itself.
    """
    settings = model.peft_config["default"]
    if base_model == "tiny":
        shutil.copytree(TINY, folder / "base", dirs_exist_ok=True)
        settings.base_model_name_or_path = str(folder / "base")
    elif base_model.endswith(".gguf"):
        settings.base_model_name_or_path = str(Path(base_model).expanduser().absolute())
    # Embeddings are never trained here; "auto" would ask the hub whether they were resized.
    model.save_pretrained(folder, save_embedding_layers=False)
    tokenizer.save_pretrained(folder)
