"""What every trained run leaves in its folder besides the weights: manifest, tokenizer, task, model card."""

import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from warmstart.base.files import write_text
from warmstart.base.run_folder import RunFolder
from warmstart.models.model import Model
from warmstart.recipe.remembered import Remembered, write_remembered
from warmstart.tasks.spec import TaskSpec
from warmstart.text.tokenizer import Tokenizer
from warmstart.transfer.folder import save_model


def manifest(verb: str, seed: int, data: dict[str, Any]) -> dict[str, Any]:
    """What ran, with which versions, on what."""
    versions = {name: version(name) for name in ("warmstart", "torch", "numpy", "tokenizers")}
    return {
        "verb": verb,
        "argv": sys.argv[1:],
        "seed": seed,
        "versions": {"python": platform.python_version(), **versions},
        "machine": platform.machine(),
        "data": data,
    }


def write_model(folder: RunFolder, model: Model, tokenizer: Tokenizer, remembered: Remembered, words: str) -> None:
    """Writes everything that loading and predicting need, and a model card."""
    save_model(model, folder.path)
    tokenizer.save(folder.path)
    write_remembered(folder.path, remembered)
    write_text(folder.path / "README.md", _card(folder.path.name, remembered.task, words))


def _card(name: str, spec: TaskSpec | None, words: str) -> str:
    tags = ["warmstart", "language-model" if spec is None else spec.kind]
    pipeline = "text-generation" if spec is None or spec.goal != "label" else "text-classification"
    head = [
        "---",
        "library_name: warmstart",
        f"pipeline_tag: {pipeline}",
        "tags:",
        *(f"- {tag}" for tag in tags),
        "---",
    ]
    labels = [] if spec is None or not spec.label_names else [f"Labels: {', '.join(spec.label_names)}.", ""]
    use = "generate --run" if spec is None else "predict --run"
    end = f"Use it with `warmstart {use} {Path(name)}`; `config.yaml` here is the recipe that made it."
    return "\n".join([*head, "", f"# {name}", "", words, "", *labels, end, ""])
