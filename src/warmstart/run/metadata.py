"""``warmstart.json``: what a model has to remember besides weights and vocabulary: its task, and how its text was cleaned.

The cleaning rules of the pre-training text go on to every text the model ever reads: a task's, a prompt's.
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from warmstart.base import old_names
from warmstart.base.errors import BadInput
from warmstart.base.files import read_json, write_json
from warmstart.base.old_names import existing_file
from warmstart.base.settings import Settings
from warmstart.corpora.corpus import MANIFEST, read_manifest
from warmstart.decode.settings import GenerateSettings
from warmstart.image import processor
from warmstart.objectives.table import find_objective
from warmstart.run.foreign_pairs import decoder_start, foreign_pair_task, foreign_search
from warmstart.tasks.settings import Direction, FrameSettings, Seq2SeqTemplate, TemplateSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.special_tokens import num_delimiters
from warmstart.tasks.table import KINDS, find_kind
from warmstart.tasks.vocabulary import Vocabulary
from warmstart.text.clean import check_rules
from warmstart.text.template_ids import has_token_types, read_template_ids
from warmstart.text.tokenizer import Tokenizer
from warmstart.transfer.adapter import base_of, is_adapter
from warmstart.transfer.config import CONFIG, is_own, label_names, special_ids, unread_head
from warmstart.transfer.folder import load_settings
from warmstart.transfer.release2018 import is_release

FILE = "warmstart.json"
RELEASE_RULES = ("ftfy", "gpt1", "spacy", "lower")
"""How the authors of GPT-1 cleaned their text; their folder says it only in code."""


class RunMetadata(Settings):
    """``task`` of a fine-tuned model, which holds the cleaning rules too; ``clean`` of a language model.

    ``tasks`` are those of a model that has learned several, by the names of their heads; they are read alike.

    ``objective`` is the name of what a language model has learned, where that is known.

    ``unread_head`` is the class, in the config of another library's folder, whose head has no place here.

    ``pair`` are the special tokens that an encoder-decoder without a task reads around source and target.

    ``search`` says how a sequence-to-sequence model generates, where nothing else is asked.
    """

    task: TaskSpec | None = None
    tasks: dict[str, TaskSpec] = {}
    unread_head: str | None = None
    search: GenerateSettings | None = None
    pair: Seq2SeqTemplate | None = None
    clean: tuple[str, ...] = ()
    objective: str | None = None

    @property
    def named_tasks(self) -> dict[str, TaskSpec]:
        """All tasks; the only one of a model has the empty name."""
        return self.tasks or ({} if self.task is None else {"": self.task})

    @property
    def first_task(self) -> TaskSpec | None:
        """The task, or the first of several, whose texts are read as those of all."""
        return next(iter(self.named_tasks.values()), None)

    def with_tasks(self, tasks: Mapping[str, TaskSpec]) -> "RunMetadata":
        """The same with these in the place of :attr:`named_tasks`."""
        return self.model_copy(update={"task": tasks[""]} if "" in tasks else {"tasks": dict(tasks)})

    @property
    def direction(self) -> Direction:
        """From which end the model reads any text."""
        if (task := self.first_task) is not None:
            return task.frame.direction
        return "forward" if self.objective is None else find_objective(self.objective, FILE).direction

    @property
    def pair_template(self) -> Seq2SeqTemplate | None:
        """The special tokens that an encoder-decoder has learned to read around source and target."""
        if self.task is None:
            return self.pair
        kind = find_kind(self.task.kind)
        return kind.pair_template(kind.options(self.task))

    @property
    def rules(self) -> tuple[str, ...]:
        """The cleaning rules for any text that the model reads."""
        return self.clean if (task := self.first_task) is None else task.frame.clean


def write_metadata(folder: Path, metadata: RunMetadata) -> None:
    """Writes the file."""
    write_json(folder / FILE, metadata.model_dump(mode="json"))


def read_metadata(folder: Path) -> RunMetadata:
    """What the model (or the corpus, whose vocabulary is taken) in ``folder`` remembers; nothing where no such file is.

    Raises:
        BadInput: the file is damaged.
    """
    if (folder / MANIFEST).is_file():
        return RunMetadata(clean=read_manifest(folder).clean)
    path = folder / FILE
    if not path.is_file():
        return RunMetadata(clean=RELEASE_RULES) if is_release(folder) else _of_another_library(folder)
    try:
        metadata = RunMetadata.model_validate(old_names.run_metadata(read_json(path)))
        for task in metadata.named_tasks.values():
            find_kind(task.kind).options(task)
        return metadata
    except ValidationError as error:
        raise BadInput(
            f"not a readable task ({error.errors()[0]['msg']})", where=str(path), next_step="restore it from a copy"
        ) from None


def _of_another_library(folder: Path) -> RunMetadata:
    """The task of a model that ``transformers`` wrote, as its config tells it: one text or a pair, tags, a span."""
    if not is_adapter(folder) and not (folder / CONFIG).is_file():
        return RunMetadata()
    settings = load_settings(folder)
    before = read_metadata(base_of(folder)) if is_adapter(folder) else RunMetadata()
    backbone, goal = settings.backbone, next(iter(settings.heads), None)
    if backbone.two_stacks and goal is None and not is_own(folder):
        task = foreign_pair_task(folder, backbone)
        return RunMetadata(task=task, search=foreign_search(folder, task), unread_head=unread_head(folder))
    kind = next((kind for kind in KINDS.values() if kind.foreign_goal is not None and kind.foreign_goal == goal), None)
    if goal is None or kind is None or backbone.sight not in kind.foreign_sights:
        return RunMetadata(unread_head=unread_head(folder), clean=before.rules, objective=before.objective)
    home = tokenizer_folder(folder)
    template = None if backbone.sight == "full" else _template_ids(folder, home)
    if template is not None and backbone.two_stacks:
        template = template.model_copy(update={"start": decoder_start(folder, backbone.vocab_size)})
    frame = FrameSettings(
        context=backbone.max_length, sight=backbone.sight, lm=False, template=template, typed=has_token_types(home),
        reads="all" if settings.heads[goal].pool == "mean" else "summary", clean=before.rules,
    )  # fmt: skip
    names = label_names(folder) if kind.has_label_names else ()
    spec = TaskSpec(kind=kind.name, label_names=names, frame=frame)
    return RunMetadata(task=spec.with_options(kind.foreign_options(names)))


def _template_ids(folder: Path, home: Path) -> TemplateSettings:
    """What stands around the texts of a left-to-right model that ``transformers`` wrote: its tokenizer's special tokens."""
    one, pair = read_template_ids(home)
    return TemplateSettings(one=one, pair=pair, pad=special_ids(folder).get("pad_token_id"))


def tokenizer_folder(folder: Path) -> Path:
    """Where the tokenizer of the model in ``folder`` is: an adapter may have none but its base's."""
    return folder if any(folder.glob("tokenizer*")) else base_of(folder)


def read_vocabulary(folder: Path) -> tuple[Vocabulary, RunMetadata]:
    """The image processor of the model in ``folder``, or its tokenizer after the cleaning rules of the model.

    Raises:
        BadInput: a damaged file, or a rule whose package is not installed.
    """
    metadata = read_metadata(folder)
    check_rules(metadata.rules, str(folder))
    if existing_file(folder, processor.FILE).is_file():
        return processor.ImageProcessor.load(folder), metadata
    tokenizer = Tokenizer.load(tokenizer_folder(folder)).adapt_to_cleaning(metadata.rules)
    tasks = {
        name: task.with_frame(between=num_delimiters(task.frame.sight, tokenizer))
        for name, task in metadata.named_tasks.items()
    }
    return tokenizer, metadata.with_tasks(tasks) if tasks else metadata
