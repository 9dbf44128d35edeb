"""A run folder back to what can be used: model, tokenizer and, where it was fine-tuned, its task."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from warmstart.base.allocator import keep_freed_memory
from warmstart.base.errors import BadInput
from warmstart.base.files import read_json
from warmstart.models.folder import load_model
from warmstart.models.model import Model
from warmstart.recipe.build import device
from warmstart.tasks.spec import TaskSpec
from warmstart.text.tokenizer import Tokenizer
from warmstart.train.precision import compute_dtype, use_fast_fp32
from warmstart.verbs.writing import TASK


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A model ready to answer; ``spec`` is ``None`` for a language model."""

    folder: Path
    model: Model
    tokenizer: Tokenizer
    spec: TaskSpec | None

    def task(self) -> TaskSpec:
        """The task, or the error that says there is none."""
        if self.spec is None:
            raise BadInput(
                "this run is a language model without a task", where=str(self.folder),
                next_step="fine-tune it first: warmstart finetune --start",
            )  # fmt: skip
        return self.spec


def load_run(run: Path | str, precision: str = "fp32") -> Loaded:
    """Loads a finished run.

    Raises:
        BadInput: no model there, a damaged file, or a tokenizer that does not fit the weights.
    """
    keep_freed_memory()
    use_fast_fp32()
    folder, place = Path(run), device()
    dtype = compute_dtype(precision, place)
    spec = _spec(folder)
    model, tokenizer = load_model(folder, dtype), Tokenizer.load(folder)
    rows = model.settings.backbone.vocab_size
    if tokenizer.vocab_size != rows:
        raise BadInput(
            "the tokenizer does not fit the weights beside it", where=str(folder), value=f"{tokenizer.vocab_size} tokens",
            allowed=f"{rows}", next_step="restore the folder from a copy",
        )  # fmt: skip
    return Loaded(folder, model.to(place), tokenizer, spec)


def _spec(folder: Path) -> TaskSpec | None:
    path = folder / TASK
    if not path.is_file():
        return None
    try:
        value = read_json(path)["task"]
        return None if value is None else TaskSpec.model_validate(value)
    except (ValidationError, KeyError, TypeError) as error:
        raise BadInput(f"not a readable task ({error})", where=str(path), next_step="restore it from a copy") from None
