"""Recipes: the typed trees that name everything a run needs. A recipe states only what differs from the defaults.

The defaults are the paper's (Radford et al. 2018, section 4.1): pre-training warms up and follows a cosine to 0;
fine-tuning has rate 6.25e-5, batches of 32, 3 epochs, 0.2 % warm-up, linear decay to 0 and an auxiliary language model of
weight 0.5. Light to import: no torch.
"""

from typing import Literal, get_args

from pydantic import Field

from warmstart.base.settings import Settings
from warmstart.decode.settings import GenerateSettings
from warmstart.image.settings import AugmentSettings
from warmstart.objectives.settings import MaskSettings
from warmstart.tasks.settings import Seq2SeqSettings, SpanSettings, TaggingSettings
from warmstart.train.settings import OptimizerSettings, ScheduleSettings, SchemeSettings, TrainSettings

Objective = Literal["causal", "backward", "both", "autoencoder", "masked", "mixture", "pseudo-masked"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
CARRIED: tuple[Objective, ...] = ("causal", "backward")
"""The objectives that read rows of text from one end."""
MASKED: tuple[Objective, ...] = ("masked", "mixture", "pseudo-masked")
"""The objectives that hide something; a model that sees the whole text guesses what."""


class CorpusRecipe(Settings):
    """Raw text, one prepared corpus, or images.

    ``paths`` is a corpus folder, or text: files, folders, globs or ``-``; or images: folders, archives, ``.npz``. The other
    fields are for text only.
    """

    paths: tuple[str, ...] = Field(min_length=1)
    tokenizer: str | None = None
    vocab_size: int = Field(8192, ge=257)
    vocabulary: Literal["bpe", "words", "known-words", "characters", "bytes"] = "bpe"
    clean: tuple[str, ...] = ()
    encoding: str = "utf-8"


class ModelRecipe(Settings):
    """A preset (or a model folder, whose sizes are taken), and what differs from it.

    Without ``preset`` a start decides the size, and without a start it is ``gpt1-mini``, or ``bert-mini`` to guess
    masked tokens. ``dropout`` sets embedding, attention and residual dropout alike (an LSTM's embedding, layer and
    output dropout). ``joint_table`` makes tokens and positions one matrix, as GPT-1's released code has it: dropout
    falls on the matrix, and its position rows stand in the softmax. From ``cells`` on the fields are an LSTM's
    (:class:`~warmstart.models.settings.LSTMSettings`).
    """

    preset: str | None = None
    context: int | None = Field(None, ge=8)
    layers: int | None = Field(None, ge=1)
    width: int | None = Field(None, ge=1)
    heads: int | None = Field(None, ge=1)
    hidden: int | None = Field(None, ge=1)
    norm: Literal["post", "pre"] | None = None
    activation: Literal["gelu", "gelu_tanh", "silu", "relu"] | None = None
    dropout: float | None = Field(None, ge=0, lt=1)
    joint_table: bool | None = None
    init_std: float | None = Field(None, gt=0)
    cells: int | None = Field(None, ge=1)
    embedding_std: float | None = Field(None, gt=0)
    embedding_width: int | None = Field(None, ge=1)
    directions: int | None = Field(None, ge=1, le=2)
    residual: bool | None = None
    tied: bool | None = None
    bptt: int | None = Field(None, ge=1)
    cell_clip: float | None = Field(None, gt=0)
    word_dropout: float | None = Field(None, ge=0, lt=1)
    embedding_dropout: float | None = Field(None, ge=0, lt=1)
    layer_dropout: float | None = Field(None, ge=0, lt=1)
    output_dropout: float | None = Field(None, ge=0, lt=1)
    weight_dropout: float | None = Field(None, ge=0, lt=1)


class PretrainRecipe(Settings):
    """``warmstart pretrain``: a language model from text, from random weights or on from those of another.

    Attributes:
        corpus: the text.
        start: a run whose weights, size and tokenizer are taken, to be trained on for another kind of text; or ``none``.
        new_vocabulary: gives the start the corpus's vocabulary; rows of tokens that both have are kept.
        model: the size for ``start: none``; from a start only dropout, context and the joint table may differ.
        objective: what is learned: the next token, the one before, both, to write a document again, masked tokens (BERT),
            masked tokens under four kinds of sight (UniLM), or masked tokens at once and one unit after the other (UniLMv2).
        mask: for the objectives that mask.
        augment: how images are varied in training.
        dev_frac: share of the rows that is held out to be judged on.
        carry: rows come in the order of the text, and what an LSTM has read of a document goes on in the next row
            (truncated back-propagation through whole documents); else they are shuffled, and each begins anew.
    """

    start: str = "none"
    new_vocabulary: bool = False
    corpus: CorpusRecipe
    model: ModelRecipe = ModelRecipe()
    objective: Objective = "causal"
    mask: MaskSettings = MaskSettings()
    augment: AugmentSettings = AugmentSettings()
    dev_frac: float = Field(0.005, ge=0, lt=1)
    carry: bool = False
    train: TrainSettings = TrainSettings(evaluate_every="0.1 run")


class TaskRecipe(Settings):
    """What is learned, and from which files.

    ``name`` is a kind (``classification``, …) with ``train``, ``dev`` and ``test`` files or with ``data``, a data set of the
    hub; or a known data set with ``data``, the folder that holds it as distributed. Without dev examples, ``dev_frac`` of
    the training records serves. A kind of task that has options of its own
    has a group of its name; ``decoded_dev`` is how many dev examples are decoded to evaluate a model that generates while it
    learns (0: all).
    """

    name: str
    train: str | None = None
    dev: str | None = None
    test: str | None = None
    data: str | None = None
    dev_frac: float = Field(0.1, gt=0, lt=1)
    train_frac: float = Field(1.0, gt=0, le=1)
    encoding: str = "utf-8"
    long_text: Literal["cut", "refuse"] = "cut"
    context: int | None = Field(None, ge=8)
    segment_limit: int | None = Field(None, ge=1)
    class_weights: Literal["none", "balanced"] = "none"
    metric: str | None = None
    tagging: TaggingSettings = TaggingSettings()
    span: SpanSettings = SpanSettings()
    seq2seq: Seq2SeqSettings = Seq2SeqSettings()
    decoded_dev: int = Field(200, ge=0)


class FinetuneRecipe(Settings):
    """``warmstart finetune``: a model for one task, from pre-trained weights or from random ones.

    Attributes:
        start: a run or model folder whose weights and tokenizer are taken, or ``none``.
        vectors: for ``start: none``: a file of word vectors that the rows of their words begin as.
        tokenizer: for ``start: none``: where the vocabulary comes from; without it one is learned from the task's text.
        new_vocabulary: gives the start another ``tokenizer``; rows of tokens that both have are kept.
        model: the size for ``start: none``; from a start only dropout, context and the joint table may differ.
        transfer_layers: only the first k layers are taken (0: only the embeddings; paper, figure 2 left).
        scheme: which weights move.
        lm_weight: λ, the weight of the auxiliary language model (paper, equation 5); 0 switches it off. Without it a
            left-to-right model has the paper's 0.5; a bidirectional one, and the scheme ``head``, where it could move
            nothing, 0.
        lm_average: each token counts alike in the auxiliary loss, or each sequence does (the released code).
        lm_frame: what that language model is: the next token, or joint training with a sequence autoencoder.
        label_gain: ``linear``: in training the class is asked for at every token, with weights that rise from 0 to 1.
        head_dropout: on the state that the classifier reads.
        head_hidden: width of a layer before the classifier (Dai and Le 2015: 30 or 512); 0: none.
        head_pool: ``concat``: the classifier reads the last, the greatest and the mean state of a text (ULMFiT).
        head_norm: ``batch``: batch norm and dropout before each linear of the classifier (ULMFiT).
        search: how targets are generated, to judge the model and wherever the run is used (seq2seq).
        augment: how images are varied in training.
        seeds: how many runs, with seeds from ``train.seed`` on.
        control: train the same model from random weights, all of which move, beside it, and compare.
    """

    start: str
    vectors: str | None = None
    tokenizer: str | None = None
    new_vocabulary: bool = False
    vocab_size: int = Field(8192, ge=257)
    vocabulary: Literal["bpe", "words", "known-words", "characters", "bytes"] = "bpe"
    model: ModelRecipe = ModelRecipe()
    task: TaskRecipe
    transfer_layers: int | None = Field(None, ge=0)
    scheme: SchemeSettings = SchemeSettings()
    lm_weight: float | None = Field(None, ge=0)
    lm_average: Literal["token", "sequence"] = "token"
    lm_frame: Literal["causal", "autoencoder"] = "causal"
    label_gain: Literal["none", "linear"] = "none"
    head_dropout: float = Field(0.1, ge=0, lt=1)
    head_hidden: int = Field(0, ge=0)
    head_pool: Literal["sum", "concat"] = "sum"
    head_norm: Literal["none", "batch"] = "none"
    search: GenerateSettings = GenerateSettings(greedy=True)
    augment: AugmentSettings = AugmentSettings()
    seeds: int = Field(1, ge=1)
    control: bool = False
    train: TrainSettings = TrainSettings(
        length="3 epochs",
        evaluate_every="1 epoch",
        optimizer=OptimizerSettings(lr=6.25e-5),
        schedule=ScheduleSettings(decay="linear", warmup="0.002 run"),
    )
