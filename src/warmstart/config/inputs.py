"""What a recipe says of language models whose states a model reads as its tokens. Light to import: no torch."""

from warmstart.base.settings import PathRule, Setting, Settings, copy_setting
from warmstart.models.settings import InputKind, InputPlace, InputSettings

MODEL = PathRule("model")


class InputRecipe(Settings):
    """The language models, and how their states are read; a model with one stack reads them beside its own embeddings."""

    title = "Inputs from language models (with --start none)"

    source: str | None = Setting(
        None, "language model whose states an encoder reads in the place of embeddings (Edunov et al. 2019)",
        flag="--source-inputs", metavar="RUN", path=MODEL,
    )  # fmt: skip
    target: str | None = Setting(
        None, "the same of a decoder; the language model reads from left to right", flag="--target-inputs", metavar="RUN",
        path=MODEL,
    )  # fmt: skip
    text: str | None = Setting(
        None, "language model whose states any other model reads beside its embeddings (ELMo)", flag="--text-inputs",
        metavar="RUN", path=MODEL,
    )  # fmt: skip
    kind: InputKind = copy_setting(InputSettings, "kind", "mix")
    at: InputPlace = copy_setting(InputSettings, "at", "input")
    norm: bool = copy_setting(InputSettings, "norm", True)
    dropout: float = copy_setting(InputSettings, "dropout", 0.0)
