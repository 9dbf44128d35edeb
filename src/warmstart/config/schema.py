"""The recipes of pre-training and fine-tuning: every part's settings, put together.

How long a training takes, in what batches and at which rate, follows from what it learns from: in pre-training from the
size of the text and of the model (``build/chosen_pretraining.py``), in fine-tuning from the examples, the start and the task
(``build/chosen.py``). The papers' own settings are in ``recipes/``. Light to import: no torch.
"""

from typing import Annotated, Any, Literal

from pydantic import model_validator

from warmstart.base.settings import Group, PathRule, Setting, Settings, copy_setting, defaults
from warmstart.config.inputs import InputRecipe
from warmstart.config.several_tasks import split_tasks
from warmstart.config.task_recipe import TaskRecipe
from warmstart.decode.settings import SAMPLING, GenerateSettings
from warmstart.image.settings import AugmentSettings
from warmstart.models.encoder_decoder_settings import EncoderDecoderSettings
from warmstart.models.lstm_encoder_decoder_settings import LSTMEncoderDecoderSettings
from warmstart.models.lstm_settings import LSTMSettings
from warmstart.models.presets import PRESETS
from warmstart.models.transformer_settings import Activation, Norm, TransformerSettings
from warmstart.objectives.settings import MaskSettings
from warmstart.objectives.table import OBJECTIVES
from warmstart.streams.settings import MixtureSettings
from warmstart.text.settings import TextSettings, VocabularySettings
from warmstart.train.settings import OptimizerSettings, ScheduleSettings, SchemeSettings, TrainSettings

MODEL = PathRule("model")
START = PathRule("model", words=("none",))
SIZES = [name for name in PRESETS if not name.endswith("-tiny")]
"""What the help names: the tiny ones are for tests."""


class CorpusRecipe(TextSettings):
    """Raw text, one prepared corpus, or images; the settings of text are for text only."""

    title = "Text"

    paths: Annotated[
        tuple[str, ...],
        Setting(
            help="a corpus made by prepare; text (files, folders, globs, -); or images (folders, .tar, .npz)",
            flag="--corpus", metavar="TEXT", many=True, path=PathRule("text", remote=True), min_length=1,
        ),
    ]  # fmt: skip


class ModelRecipe(Settings):
    """A preset, or a model folder whose sizes are taken, and what differs from it.

    Without ``preset`` the starting model decides the size. Without a starting model it is ``gpt1-mini`` in fine-tuning; in
    pre-training ``modern-mini``, or ``bert-mini`` where the objective needs a model that sees the whole text.
    """

    title = "Model"

    preset: str | None = Setting(None, f"{', '.join(SIZES)}; or a model folder", flag="--model", metavar="PRESET")
    context: int | None = copy_setting(TransformerSettings, "context")
    layers: int | None = copy_setting(TransformerSettings, "layers")
    width: int | None = copy_setting(TransformerSettings, "width")
    heads: int | None = copy_setting(TransformerSettings, "heads")
    hidden: int | None = copy_setting(TransformerSettings, "hidden")
    norm: Norm | None = copy_setting(TransformerSettings, "norm")
    activation: Activation | None = copy_setting(TransformerSettings, "activation")
    dropout: float | None = Setting(
        None, "one rate for all dropouts of a Transformer; of an LSTM for embeddings, layers and output", flag="--dropout",
        metavar="P", ge=0, lt=1,
    )  # fmt: skip
    joint_table: bool | None = copy_setting(TransformerSettings, "joint_table")
    init_std: float | None = copy_setting(TransformerSettings, "init_std")
    cells: int | None = copy_setting(LSTMSettings, "cells")
    upper_cells: int | None = copy_setting(LSTMSettings, "upper_cells")
    embedding_std: float | None = copy_setting(LSTMSettings, "embedding_std")
    embedding_width: int | None = copy_setting(LSTMSettings, "embedding_width")
    characters: int | None = copy_setting(LSTMSettings, "characters")
    filters: tuple[int, ...] | None = copy_setting(LSTMSettings, "filters")
    shared_tokens: bool | None = copy_setting(EncoderDecoderSettings, "shared_tokens")
    norm_eps: float | None = copy_setting(TransformerSettings, "norm_eps")
    embedding_norm: bool | None = copy_setting(TransformerSettings, "embedding_norm")
    directions: int | None = copy_setting(LSTMSettings, "directions")
    residual: bool | None = copy_setting(LSTMSettings, "residual")
    tied: bool | None = copy_setting(LSTMSettings, "tied")
    attention_score: Literal["dot", "bilinear"] | None = copy_setting(LSTMEncoderDecoderSettings, "attention_score")
    attended_layers: Literal["last", "first_and_last"] | None = copy_setting(
        LSTMEncoderDecoderSettings, "attended_layers"
    )
    decoder_residual: Literal["none", "plain", "gated"] | None = copy_setting(
        LSTMEncoderDecoderSettings, "decoder_residual"
    )
    bptt: int | None = copy_setting(LSTMSettings, "bptt")
    cell_clip: float | None = copy_setting(LSTMSettings, "cell_clip")
    word_dropout: float | None = copy_setting(LSTMSettings, "word_dropout")
    embedding_dropout: float | None = copy_setting(LSTMSettings, "embedding_dropout")
    layer_dropout: float | None = copy_setting(LSTMSettings, "layer_dropout")
    output_dropout: float | None = copy_setting(LSTMSettings, "output_dropout")
    weight_dropout: float | None = copy_setting(LSTMSettings, "weight_dropout")


class PretrainRecipe(Settings):
    """``warmstart pretrain``: a language model from text, from random weights or from those of another model.

    From a starting model, of ``model`` only dropout, context and the joint table may differ.
    """

    title = "Objective"

    corpus: CorpusRecipe
    objective: str = Setting(
        "causal", f"what is learned: {', '.join(f'{name} ({what})' for name, what in OBJECTIVES.help.items())}",
        flag="--objective", metavar="NAME",
    )  # fmt: skip
    mask: MaskSettings = Group(MaskSettings)
    augment: AugmentSettings = Group(AugmentSettings)
    dev_frac: float = Setting(
        0.005, "share of the text that is held out for evaluation", flag="--dev-frac", metavar="SHARE", ge=0, lt=1
    )
    snapshots: bool = Setting(
        False, "keep the model of each evaluation on dev, in snapshots/ of the run, for warmstart zeroshot --curve",
        flag="--snapshots",
    )  # fmt: skip
    carry: bool = Setting(
        False,
        "carry an LSTM's state from row to row of a long document; the rows then are not shuffled",
        flag="--carry",
    )
    start: str = Setting(
        "none", "starting model: run, model folder or hub id whose weights, size and tokenizer are taken", flag="--start",
        metavar="RUN|none", path=START, title="Start",
    )  # fmt: skip
    teacher: str = Setting(
        "none", "larger language model of the same vocabulary, whose probabilities of all tokens are learned too",
        flag="--teacher", metavar="RUN|none", path=START,
    )  # fmt: skip
    soft_weight: float = Setting(
        1.0, "weight of a teacher's probabilities beside that of the text", flag="--soft-weight", metavar="W", gt=0
    )
    soft_temperature: float = Setting(
        2.0, "temperature that softens both (Sanh et al. 2019: 2)", flag="--soft-temperature", metavar="T", gt=0
    )
    new_vocabulary: bool = Setting(
        False, "give the starting model the corpus's vocabulary; rows of tokens that both have are kept",
        flag="--new-vocabulary", title="Start",
    )  # fmt: skip
    model: ModelRecipe = Group(ModelRecipe)
    train: TrainSettings = Group(
        TrainSettings,
        length=None,
        batch_size=None,
        evaluate_every="0.1 run",
        optimizer=defaults(OptimizerSettings, kind=None, lr=None, beta2=0.95, weight_decay=0.1),
        schedule=defaults(ScheduleSettings, decay="wsd", warmup="0.05 run"),
    )

    @property
    def known_model(self) -> str:
        """The model whose vocabulary reads the text: the start, or else the teacher; ``none`` where there is neither."""
        return self.teacher if self.start == "none" else self.start


class ObjectiveSettings(Settings):
    """What a fine-tuning learns beside its task, and the head that learns the task.

    Without ``lm_weight`` a left-to-right model has GPT-1's 0.5 (equation 5); a bidirectional one, and the scheme ``head``,
    where it could train nothing, have 0. ``head_hidden`` is Dai and Le 2015's (30 or 512); ``head_pool`` and ``head_norm``
    are ULMFiT's.
    """

    title = "Objective"

    lm_weight: float | None = Setting(
        None, "weight of the auxiliary language model (default: 0.5, of a bidirectional model 0)", flag="--lm-weight",
        metavar="LAMBDA", ge=0,
    )  # fmt: skip
    lm_average: Literal["token", "sequence"] = Setting(
        "token", "what counts alike in its loss: every token, or every sequence (GPT-1's released code)",
        flag="--lm-average",
    )  # fmt: skip
    lm_frame: Literal["causal", "autoencoder"] = Setting(
        "causal", "what it learns: the next token, or the text once more after it was read", flag="--lm-frame"
    )
    lm_text: tuple[str, ...] = Setting(
        (), "raw text, or a prepared corpus, that a language model learns as one of the tasks", flag="--lm-text",
        metavar="FILE", many=True, path=PathRule("text"),
    )  # fmt: skip
    lm_text_weight: float = Setting(
        1.0, "how much its loss counts in the steps of that text", flag="--lm-text-weight", metavar="W", gt=0
    )
    source_text: str | None = Setting(
        None, "text file, a text on each line: what the encoder goes on learning as a language model beside the pairs",
        flag="--source-text", metavar="FILE", path=PathRule("file"),
    )  # fmt: skip
    target_text: str | None = Setting(
        None, "the same for the decoder", flag="--target-text", metavar="FILE", path=PathRule("file")
    )
    source_lm_weight: float = Setting(
        1.0, "weight of the encoder's language model (Ramachandran et al. 2016: 1)", flag="--source-lm-weight",
        metavar="ALPHA", ge=0,
    )  # fmt: skip
    target_lm_weight: float = Setting(
        1.0, "weight of the decoder's language model", flag="--target-lm-weight", metavar="BETA", ge=0
    )
    side_losses: Literal["summed", "alternating"] = Setting(
        "summed", "when these language models learn: in every step; or in every other, and the pairs in those between "
        "(Ramachandran et al. 2016)", flag="--side-losses",
    )  # fmt: skip
    label_gain: Literal["none", "linear"] = Setting(
        "none", "linear: in training the class is predicted at every token, with weights that rise from 0 to 1",
        flag="--label-gain",
    )  # fmt: skip
    head_dropout: float = Setting(
        0.1, "dropout on the state that the classifier reads", flag="--head-dropout", metavar="P", ge=0, lt=1
    )
    head_hidden: int = Setting(
        0, "width of a hidden layer in the classifier; 0: none", flag="--head-hidden", metavar="N", ge=0
    )
    head_pool: Literal["sum", "mean", "concat"] | None = Setting(
        None, "what the classifier reads of a text: one token's state (sum), the mean of all, or the last, the maximum and "
        "the mean (concat); default: mean, where the start is a sentence encoder that says so, else sum", flag="--head-pool",
    )  # fmt: skip
    pair_encoder: Literal["bi", "cross"] | None = Setting(
        None, "how two texts are read: each by itself, and their vectors compared (bi), or together (cross)",
        flag="--pair-encoder", chosen="the start and the number of examples",
    )  # fmt: skip
    head_init: Literal["fitted", "random"] | None = Setting(
        None, "how the head begins: fitted to the states that the start has (linear probing, then fine-tuning), or drawn",
        flag="--head-init", chosen="the start and the task",
    )  # fmt: skip
    soft_weight: float = Setting(
        1.0, "weight of a teacher's probabilities beside that of the labels", flag="--soft-weight", metavar="W", gt=0
    )
    soft_temperature: float = Setting(
        1.0, "temperature that softens both (Hinton et al. 2015)", flag="--soft-temperature", metavar="T", gt=0
    )
    word_dropout: float = Setting(
        0.0, "share of the training texts' tokens that are read as the unknown word, others in every epoch (MT-DNN)",
        flag="--word-dropout", metavar="P", ge=0, lt=1,
    )  # fmt: skip
    head_norm: Literal["none", "batch"] = Setting(
        "none", "batch: batch norm and dropout before each linear of the classifier", flag="--head-norm"
    )
    head_crf: bool = Setting(
        False, "tag all words of a sentence together: each tag depends on the one before (a linear-chain CRF)",
        flag="--head-crf",
    )  # fmt: skip
    head_lstm: int = Setting(
        0, "with --head-crf: cells, in each direction, of an LSTM over the words before it (BiLSTM-CRF); 0: none",
        flag="--head-lstm", metavar="N", ge=0,
    )  # fmt: skip
    head_san: int = Setting(
        0, "a pair's class in so many steps of attention from one text to the other (SAN; Liu et al. 2018: 5); 0: from one "
        "state", flag="--head-san", metavar="K", ge=0,
    )  # fmt: skip


class TaskEntry(TaskRecipe):
    """One of several tasks. What it does not say holds as the recipe has it for all."""

    weight: float = Setting(1.0, "how much its loss counts", gt=0)
    batch_size: int | None = copy_setting(TrainSettings, "batch_size")
    head_dropout: float | None = copy_setting(ObjectiveSettings, "head_dropout")
    head_hidden: int | None = copy_setting(ObjectiveSettings, "head_hidden")
    head_pool: Literal["sum", "mean", "concat"] | None = copy_setting(ObjectiveSettings, "head_pool")
    head_init: Literal["fitted", "random"] | None = copy_setting(ObjectiveSettings, "head_init")
    head_crf: bool | None = copy_setting(ObjectiveSettings, "head_crf")
    head_lstm: int | None = copy_setting(ObjectiveSettings, "head_lstm")
    head_san: int | None = copy_setting(ObjectiveSettings, "head_san")
    pair_encoder: Literal["bi", "cross"] | None = copy_setting(ObjectiveSettings, "pair_encoder")

    @property
    def head(self) -> dict[str, Any]:
        """What it says of its own head."""
        names = (
            "head_dropout", "head_hidden", "head_pool", "head_init", "head_crf", "head_lstm", "head_san", "pair_encoder",
        )  # fmt: skip
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class FinetuneRecipe(ObjectiveSettings, VocabularySettings):
    """``warmstart finetune``: a model for one task, from pre-trained weights or from random ones.

    From a starting model, of ``model`` only dropout, context and the joint table may differ. ``search`` is how targets are
    generated in evaluation and wherever the run is used. The seeds are ``train.seed`` and those after it. With ``tasks``
    several are learned together, and ``task`` says what holds for all of them (docs/multitask.md).
    """

    title = "Start"

    start: Annotated[
        str,
        Setting(
            help="starting model: run, model folder or hub id whose weights and tokenizer are taken; none: random weights",
            flag="--start", metavar="RUN|none", path=START,
        ),
    ]  # fmt: skip
    encoder_start: str | None = Setting(
        None, "with --start none: language model of the sources that starts an encoder (Ramachandran et al. 2016)",
        flag="--encoder-start", metavar="RUN", path=MODEL,
    )  # fmt: skip
    decoder_start: str | None = Setting(
        None, "with --start none: language model of the targets that starts a decoder", flag="--decoder-start",
        metavar="RUN", path=MODEL,
    )  # fmt: skip
    inputs: InputRecipe = Group(InputRecipe)
    vectors: str | None = Setting(
        None, "with --start none: file of word vectors (text, also .gz) that initialise the embeddings", flag="--vectors",
        metavar="FILE", path=PathRule("file"),
    )  # fmt: skip
    transfer_layers: int | None = Setting(
        None, "take only the first K layers of the starting model, and of a side's no softmax; 0: only the embeddings",
        flag="--transfer-layers", metavar="K", ge=0,
    )  # fmt: skip
    new_vocabulary: bool = Setting(
        False, "give the starting model the vocabulary of --tokenizer; rows of tokens that both have are kept",
        flag="--new-vocabulary",
    )  # fmt: skip
    new_head: bool = Setting(
        False, "begin the head anew, even where the start has learned the same kind of task with labels of this one",
        flag="--new-head",
    )  # fmt: skip
    start_head: str | None = Setting(
        None, "of a start with several tasks: the one whose head goes on (default: that of the same known data set)",
        flag="--start-head", metavar="NAME",
    )  # fmt: skip
    task: TaskRecipe
    tasks: dict[str, TaskEntry] = Setting({}, "several tasks by name, each with the keys of task and some of its own")
    mixture: MixtureSettings = Group(MixtureSettings)
    dev_score: str = Setting(
        "mean", "several tasks: what chooses the best weights on dev: the mean of all metrics, or the name of one task",
        flag="--dev-score", metavar="mean|NAME", title=MixtureSettings.title,
    )  # fmt: skip
    search: GenerateSettings = Group(
        GenerateSettings, greedy=True, title="Generation of seq2seq", omit=(*SAMPLING, "seed", "greedy")
    )
    scheme: SchemeSettings = Group(SchemeSettings)
    model: ModelRecipe = Group(
        ModelRecipe,
        title="Model (for --start none; from a starting model only --dropout may differ)",
        omit=("context",),
    )
    augment: AugmentSettings = Group(AugmentSettings)
    seeds: int = Setting(
        1,
        "number of trainings, with seeds from --seed on",
        flag="--seeds",
        metavar="N",
        title=TrainSettings.title,
        ge=1,
    )
    control: bool = Setting(
        False, "also train the same model from random weights, and compare", flag="--control", title=TrainSettings.title
    )
    baselines: Literal["yes", "no"] | None = Setting(
        None, "also fit what a person would use instead, a bag of words and the start's states among it, and compare "
        "(default: with --control)", flag="--baselines", title=TrainSettings.title,
    )  # fmt: skip
    retries: int = Setting(
        1, "times that a training is begun again, with another seed and half the rate, where it ends with one answer for "
        "everything", flag="--retries", metavar="N", title=TrainSettings.title, ge=0,
    )  # fmt: skip
    train: TrainSettings = Group(
        TrainSettings,
        length=None,
        batch_size=None,
        evaluate_every=None,
        optimizer=defaults(OptimizerSettings, lr=None),
        schedule=defaults(ScheduleSettings, decay="linear", warmup="0.1 run"),
    )

    @model_validator(mode="before")
    @classmethod
    def _whole_tasks(cls, given: Any) -> Any:
        return split_tasks(given) if isinstance(given, dict) else given

    def by_task(self) -> "dict[str, FinetuneRecipe]":
        """The recipe of each task by itself, by name; that of the only one, which needs none, has the empty name."""
        return {name: self._of_entry(entry) for name, entry in self.tasks.items()} or {"": self}

    def _of_entry(self, entry: TaskEntry) -> "FinetuneRecipe":
        size = self.train.batch_size if entry.batch_size is None else entry.batch_size
        train = self.train.model_copy(update={"batch_size": size})
        return self.model_copy(update=entry.head | {"task": entry, "tasks": {}, "train": train})


RECIPES: dict[str, type[PretrainRecipe] | type[FinetuneRecipe]] = {
    "pretrain": PretrainRecipe,
    "finetune": FinetuneRecipe,
}
"""Verb that trains → its settings."""
