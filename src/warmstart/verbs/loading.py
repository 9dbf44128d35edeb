"""A run folder back to what can be used: model, tokenizer and, where it was fine-tuned, its task."""

from dataclasses import dataclass
from pathlib import Path

from warmstart.base.allocator import keep_freed_memory
from warmstart.base.errors import BadInput
from warmstart.models.model import Model
from warmstart.recipe.build import device
from warmstart.recipe.remembered import Remembered, read_vocabulary
from warmstart.tasks.spec import TaskSpec
from warmstart.text.tokenizer import Tokenizer
from warmstart.train.precision import choices
from warmstart.transfer.folder import check_rows, load_model
from warmstart.transfer.hub import model_folder


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A model ready to answer."""

    folder: Path
    model: Model
    tokenizer: Tokenizer
    remembered: Remembered

    def task(self) -> TaskSpec:
        """The task, or the error that says there is none."""
        if self.remembered.task is None:
            raise BadInput(
                "this run is a language model without a task", where=str(self.folder),
                next_step="fine-tune it first: warmstart finetune --start",
            )  # fmt: skip
        return self.remembered.task


def load_run(run: Path | str, precision: str = "fp32") -> Loaded:
    """Loads a finished run.

    Raises:
        BadInput: no model there, a damaged file, or a tokenizer that does not fit the weights.
    """
    keep_freed_memory()
    folder, place = model_folder(str(run)), device()
    found = choices(precision, place)
    tokenizer, remembered = read_vocabulary(folder)
    model = load_model(folder, found.dtype)
    found.apply(model)
    check_rows(tokenizer.vocab_size, model, str(folder))
    return Loaded(folder, model.to(place), tokenizer, remembered)
