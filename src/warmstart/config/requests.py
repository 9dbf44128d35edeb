"""What the verbs that train nothing need to know: settings like any other, so that they are read and refused alike."""

from typing import Any, Literal

from pydantic import Field

from warmstart.base.settings import Settings
from warmstart.corpora.settings import PrepareSettings
from warmstart.decode.settings import GenerateSettings
from warmstart.train.settings import Precision


class PrepareRequest(PrepareSettings):
    """``warmstart prepare``: text, and the training texts of a known data set ``task`` from its folder ``data``."""

    paths: tuple[str, ...] = ()
    task: str | None = None
    data: str | None = None


class EvaluateRequest(Settings):
    """``warmstart evaluate``; several runs answer together; ``task`` and ``split`` are for data sets, not for files.

    ``metrics`` and, of ``search``, what is said, are for runs that generate; ``context`` is for language models.
    """

    run: tuple[str, ...] = Field(min_length=1)
    data: str
    task: str | None = None
    split: str | None = None
    context: int | None = Field(None, ge=8)
    label_map: tuple[str, ...] = ()
    encoding: str = "utf-8"
    precision: Precision = "auto"
    metrics: tuple[str, ...] = ()
    search: GenerateSettings = GenerateSettings()


class PredictRequest(Settings):
    """``warmstart predict``; several runs answer together; ``-`` is standard input or output.

    Without ``long_text`` the run's own rule holds.
    """

    run: tuple[str, ...] = Field(min_length=1)
    input: str
    output: str
    label_map: tuple[str, ...] = ()
    encoding: str = "utf-8"
    long_text: Literal["cut", "refuse"] | None = None
    precision: Precision = "fp32"
    lattices: str | None = None
    search: GenerateSettings = GenerateSettings()


class SubmitRequest(Settings):
    """``warmstart submit``."""

    runs: tuple[str, ...] = Field(min_length=1)
    data: str
    out: str
    precision: Precision = "fp32"


class GenerateRequest(GenerateSettings):
    """``warmstart generate``: from ``prompts``, or from ``input``, a file with one prompt per line."""

    run: str
    prompts: tuple[str, ...] | None = None
    input: str | None = None
    encoding: str = "utf-8"
    precision: Precision = "fp32"


class ScoreRequest(Settings):
    """``warmstart score``; ``predictions`` and ``against`` are files, ``lead3`` or ``copy``."""

    data: str
    predictions: str
    against: str | None = None
    metrics: tuple[str, ...] = ()
    cleanup: Literal["none", "cnndm", "xsum", "gigaword", "question"] = "none"
    grouped: bool = False
    encoding: str = "utf-8"


class RerankRequest(Settings):
    """``warmstart rerank``."""

    run: str
    lattices: str
    output: str
    length_penalty: float = Field(0.0, ge=0)
    per_token: float = 0.0
    expected: int | None = Field(None, ge=1)
    min_new: int = Field(0, ge=0)


def arguments(request: Settings) -> dict[str, Any]:
    """What the verb of a request is called with.

    Of a search only what was said: a run remembers how it generates, and only what is said goes before that.
    """
    if isinstance(request, GenerateRequest):
        return request.model_dump(exclude_unset=True)
    found = request.model_dump()
    if isinstance(request, EvaluateRequest | PredictRequest):
        said = {name: found.pop(name) for name in ("search", "metrics", "lattices", "context") if name in found}
        found["said"] = said | {"search": request.search.model_dump(exclude_unset=True)}
    return found


class ReportRequest(Settings):
    """``warmstart report``."""

    runs: tuple[str, ...] = Field(min_length=1)
    out: str


class ConvertRequest(Settings):
    """``warmstart convert``."""

    source: str
    out: str
    to: Literal["hf", "warmstart", "onnx"] = "hf"


class DemoRequest(Settings):
    """``warmstart demo``."""

    out: str = "runs/demo"
