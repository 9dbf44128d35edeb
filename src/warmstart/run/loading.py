"""A run folder back to what can be used: model, tokenizer and, where it was fine-tuned, its task."""

from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from warmstart.base.allocator import keep_freed_memory
from warmstart.base.errors import BadInput
from warmstart.base.settings import Settings, option_of
from warmstart.decode.settings import SAMPLING, GenerateSettings, check_search, idle_fields
from warmstart.models.model import Model
from warmstart.run.metadata import RunMetadata, read_vocabulary
from warmstart.tasks.answer import view_heads
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import answer_of
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.text.tokenizer import Tokenizer
from warmstart.train.precision import compute_settings, default_device
from warmstart.transfer.folder import check_rows, import_model
from warmstart.transfer.hub import model_folder


@dataclass(frozen=True, slots=True, eq=False)
class LoadedRun:
    """A model ready to answer.

    Attributes:
        folder: of the run.
        model: in evaluation mode.
        tokenizer: its vocabulary.
        metadata: what the folder says beside weights and vocabulary.
        note: what it does not hold and a language model needs, in words; empty where it has all.
    """

    folder: Path
    model: Model
    tokenizer: Vocabulary
    metadata: RunMetadata
    note: str = ""

    @property
    def text(self) -> Tokenizer:
        """The tokenizer, or the error that says that images are read."""
        return require_text(self.tokenizer, str(self.folder))

    def select(self, name: str | None) -> "LoadedRun":
        """The run as one of a single task: as it is where it has no more; of several the one that is named.

        Raises:
            BadInput: several, and none of them is named.
        """
        tasks = self.metadata.tasks
        if not tasks:
            return self
        if name not in tasks:
            raise BadInput(
                "this run has several tasks", where="--task", value=name, allowed=", ".join(tasks),
                next_step=f"name one of them, for example --task {next(iter(tasks))}",
            )  # fmt: skip
        model = self.model.with_heads(view_heads(answer_of(tasks[name]), name))
        metadata = self.metadata.model_copy(update={"task": tasks[name], "tasks": {}})
        return replace(self, model=model, metadata=metadata)

    def task(self) -> TaskSpec:
        """The task, or the error that says there is none."""
        self._check_head()
        if self.metadata.tasks:
            self.select(None)
        if self.metadata.task is None:
            raise BadInput(
                "this run is a language model without a task", where=str(self.folder),
                next_step="fine-tune it first: warmstart finetune --start",
            )  # fmt: skip
        return self.metadata.task

    def language_model(self) -> Model:
        """The model, to guess tokens.

        Raises:
            BadInput: it comes from another library with a head for a task that is not read here.
        """
        self._check_head()
        return self.model

    def _check_head(self) -> None:
        if self.metadata.unread_head is not None:
            raise BadInput(
                "this model was trained for a task whose head is not read here", where=str(self.folder),
                value=self.metadata.unread_head, allowed="classes, labels, scores, tags and spans (docs/transfer.md)",
                next_step="fine-tune it anew: warmstart finetune --start",
            )  # fmt: skip

    def check_generates(self, request: Settings) -> None:
        """Refuses a request's settings of generation for a run that generates nothing."""
        given = [f"--{name}" for name in ("metrics", "lattices") if name in request.model_fields_set]
        if isinstance(search := getattr(request, "search", None), GenerateSettings):
            fields = GenerateSettings.model_fields
            given += [
                option_of(field).flag or name for name, field in fields.items() if name in search.model_fields_set
            ]
        if given and not answer_of(self.task()).generated:
            raise BadInput(
                "only a run of --task seq2seq generates", where=str(self.folder), value=f"a run of {self.task().kind}",
                next_step=f"leave out {' and '.join(given)}",
            )  # fmt: skip

    def search(self, given: GenerateSettings | None = None) -> GenerateSettings:
        """How texts are generated: as the run remembers it, but for the fields that are ``given``.

        A setting of sampling switches off greedy decoding and the beam search that a run remembers; what then changes
        nothing is forgotten with it.

        Raises:
            BadInput: an impossible setting.
        """
        overrides = given.model_dump(include={*GenerateSettings.model_fields}, exclude_unset=True) if given else {}
        kept = self.metadata.search or GenerateSettings(greedy=True)
        if not {*overrides}.isdisjoint(SAMPLING):
            kept = kept.without_beams(greedy=False)
        fresh = GenerateSettings().model_dump()
        try:
            found = GenerateSettings.model_validate(kept.model_dump() | overrides)
        except ValidationError as error:
            first = error.errors()[0]
            raise BadInput(first["msg"], where=f"search.{first['loc'][0]}", value=first["input"]) from None
        found = found.model_copy(update={name: fresh[name] for name in idle_fields(found) if name not in overrides})
        check_search(found)
        return found


def check_only_task(spec: TaskSpec | None, name: str) -> None:
    """Refuses the name of a task that is not the only one of a run, which needs none.

    Raises:
        BadInput: the run has one task or none, and ``name`` is another.
    """
    own = [] if spec is None else list(filter(None, (spec.name, spec.kind)))
    if name not in own:
        raise BadInput(
            "this run has no such task", where="--task", value=name, allowed=" or ".join(own),
            next_step="leave it out: only a run with several tasks needs it",
        )  # fmt: skip


def load_run(run: Path | str, precision: str = "fp32") -> LoadedRun:
    """Loads a finished run.

    Raises:
        BadInput: no model there, a damaged file, or a tokenizer that does not fit the weights.
    """
    keep_freed_memory()
    folder, place = model_folder(str(run)), default_device()
    found = compute_settings(precision, place)
    tokenizer, metadata = read_vocabulary(folder)
    imported = import_model(folder)
    model = imported.model.to(found.dtype).eval()
    found.apply(model)
    check_rows(tokenizer.vocab_size, model.settings.backbone.vocab_size, str(folder))
    return LoadedRun(folder, model.to(place), tokenizer, metadata, imported.note)
