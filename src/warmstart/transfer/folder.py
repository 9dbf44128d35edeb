"""The model folder: ``config.json`` and ``model.safetensors``; a Hugging Face folder wherever the architecture has a name.

So ``transformers`` loads what is written here, and what it writes is read here. A model that no layout can express (GPT-1's
joint table, say) is written under our own names, with ``model_type: warmstart``. Nothing is read with pickle and no code
in a folder is run.

What a layout's config cannot say (dropout of a head, a seed's standard deviation) stands under the key ``warmstart``.
"""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from warmstart.base.errors import BadInput
from warmstart.base.files import disk_errors, sync, write_json
from warmstart.models.files import WEIGHTS, save_weights, tensor_names, write_tensors
from warmstart.models.heads import HEADS
from warmstart.models.model import Model
from warmstart.models.settings import KINDS, BackboneSettings, HeadKind, HeadSettings, ModelSettings, Pool
from warmstart.transfer import (
    albert,
    bart,
    bert,
    bloom,
    deberta,
    distilbert,
    electra,
    gemma,
    gpt1,
    gpt2,
    gpt_neox,
    llama,
    longformer,
    modernbert,
    mpnet,
    opt,
    phi,
    roberta,
    t5,
    unilm,
)
from warmstart.transfer.adapter import base_of, is_adapter, join_adapter, joined_names
from warmstart.transfer.config import CONFIG, OWN, class_of, labels_of, read_config, task_class
from warmstart.transfer.layout import POOLS, UNTRAINED, HeadPlace, Layout, Name, Tensors
from warmstart.transfer.release2018 import is_release, release_settings, release_tensors
from warmstart.transfer.sentence import LINEAR, read_head, remove_modules, write_linear, write_modules
from warmstart.transfer.tensors import FoundTensors, current_names, fill_model, read_folder

LAYOUTS: dict[str, Layout] = {
    layout.model_type: layout
    for layout in (
        gpt1.LAYOUT, gpt2.LAYOUT, bert.LAYOUT, roberta.ROBERTA, roberta.XLM_R, roberta.CAMEMBERT, electra.LAYOUT,
        distilbert.LAYOUT, mpnet.LAYOUT, albert.LAYOUT, deberta.LAYOUT, deberta.FIRST, longformer.LAYOUT,
        modernbert.LAYOUT, unilm.LAYOUT,
        llama.LLAMA, llama.MISTRAL, llama.QWEN2, llama.QWEN3, gpt_neox.LAYOUT, phi.LAYOUT, opt.LAYOUT, bloom.LAYOUT,
        gemma.GEMMA, gemma.GEMMA2, gemma.GEMMA3, t5.T5, t5.MT5, bart.BART, bart.MBART, bart.MARIAN, bart.PEGASUS,
    )
}  # fmt: skip
"""Of several that can say a model the first is written: RoBERTa for XLM-R and CamemBERT, the same architecture."""
OTHERS = (
    "gemma3n_text", "gpt_neo", "ibert", "ministral", "mixtral", "mllama", "modernvbert", "pegasus_x", "plbart", "umt5",
    "xlm-roberta-xl",
)  # fmt: skip
"""Architectures that are none of these, though one is called almost alike."""
_KINDS: dict[str, HeadKind] = {
    "label": "class", "labels": "multilabel", "score": "score", "choice": "choice", "tags": "class", "span": "span"
}  # fmt: skip
_PROBLEMS = {
    "label": "single_label_classification", "labels": "multi_label_classification", "score": "regression"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FolderMetadata:
    """What a folder's config says that is not in the weights: the names of the labels, and ids of special tokens."""

    label_names: tuple[str, ...] = ()
    pad_id: int | None = None
    end_id: int | None = None
    begin_id: int | None = None
    stated_ids: Mapping[str, Any] = field(default_factory=dict)
    """Ids under their keys of the config (:func:`~warmstart.transfer.config.special_ids`), which come before the others."""


@dataclass(frozen=True, slots=True, eq=False)
class ImportedModel:
    """A model from a folder.

    Attributes:
        model: float32, in evaluation mode.
        unused: the names of the tensors there that have no place in it.
        note: what the folder does not hold and a language model needs, in words; empty where it has all.
    """

    model: Model
    unused: tuple[str, ...] = ()
    note: str = ""


def layout_of(settings: ModelSettings, pad_id: int | None = None) -> Layout | None:
    """The layout that can say everything about a model whose padding token has this id, if there is one."""
    return next((layout for layout in LAYOUTS.values() if layout.says(settings, pad_id)), None)


def head_bias(backbone: BackboneSettings, goal: str) -> bool:
    """Whether the linear of a goal's head has a bias: as the backbone's layout has it."""
    places = [layout.heads[goal] for layout in LAYOUTS.values() if goal in layout.heads and layout.fits(backbone)]
    return all(place.bias for place in places)


def head_pooler(backbone: BackboneSettings, goal: str, pool: Pool) -> bool:
    """Whether a layout of the backbone has a layer between it and the linear of a goal's head that pools so."""
    places = [layout.heads[goal] for layout in LAYOUTS.values() if goal in layout.heads and layout.fits(backbone)]
    return any(bool(place.pooler) and pool in place.pools for place in places)


def check_rows(vocab_size: int, rows: int, where: str) -> None:
    """Refuses a tokenizer that knows more tokens than the model beside it has rows for."""
    if vocab_size > rows:
        raise BadInput(
            "the tokenizer does not fit the weights beside it", where=where, value=f"{vocab_size} tokens",
            allowed=f"at most {rows}", next_step="restore the folder from a copy",
        )  # fmt: skip


def save_model(model: Model, folder: Path, metadata: FolderMetadata | None = None) -> None:
    """Writes settings and weights; ``folder`` is made where needed."""
    metadata = metadata or FolderMetadata()
    layout = layout_of(model.settings, metadata.pad_id)
    if layout is None:
        save_own(model, folder)
        return
    write_config(model, layout, folder, metadata)
    path = folder / WEIGHTS
    with disk_errors(path):
        part = path.with_name(f".{path.name}.tmp")
        try:
            theirs, head = without_head(their_tensors(model, layout))
            write_tensors(part, theirs)
            write_head(model, folder, head)
            sync(part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def without_head(theirs: Tensors) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The tensors of a model, and apart from them those of a head that reads the mean of a text."""
    head = {name.removeprefix(f"{LINEAR}."): tensor for name, tensor in theirs.items() if name.startswith(f"{LINEAR}.")}
    return {name: tensor for name, tensor in theirs.items() if not name.startswith(f"{LINEAR}.")}, head


def write_head(model: Model, folder: Path, head: dict[str, torch.Tensor]) -> None:
    """Writes such a head, if there is one, beside its model, or how the vectors of a model that gives some are made."""
    backbone, heads = model.settings.backbone, model.settings.heads.values()
    apart, vectors = any(one.pair != "none" for one in heads), any(one.gives_vectors for one in heads)
    if head or vectors:
        summary = "cls" if backbone.sight == "full" else "lasttoken"
        pooling = "mean" if any(one.pool == "mean" for one in heads) else summary
        write_modules(folder, backbone.width, backbone.max_length, pooling=pooling, normalise=vectors, dense=not apart)
    if head:
        write_linear(folder, backbone.width, head, apart=apart)


def write_config(model: Model, layout: Layout, folder: Path, metadata: FolderMetadata, name: str = CONFIG) -> None:
    """Writes ``config.json``, or a file of that ``name``, as ``layout`` has it."""
    write_json(folder / name, _config(model.settings, layout, metadata))


def save_own(model: Model, folder: Path) -> None:
    """Writes settings and weights under our own names."""
    remove_modules(folder)
    write_json(folder / CONFIG, {"model_type": OWN, **_own_config(model.settings)})
    save_weights(model, folder / WEIGHTS)


def _own_config(settings: ModelSettings) -> dict[str, Any]:
    heads = {name: head.model_dump(exclude_none=True) for name, head in settings.heads.items()}
    return settings.model_dump() | {"heads": heads}


def their_tensors(model: Model, layout: Layout) -> dict[str, torch.Tensor]:
    """The weights of ``model`` under the names of ``layout``."""
    names = layout.table(model.settings, layout.prefix)
    found: dict[str, torch.Tensor] = {}
    for ours, tensor in model.state_dict().items():
        found |= names[ours].give(tensor.float(), model.settings.backbone.joined_rows(ours))
    return found


def _config(settings: ModelSettings, layout: Layout, metadata: FolderMetadata) -> dict[str, Any]:
    theirs = layout.config(settings.backbone)
    own: dict[str, Any] = {"backbone": {name: getattr(settings.backbone, name) for name in sorted(UNTRAINED)}}
    config: dict[str, Any] = {
        "architectures": [architecture_of(settings, layout)],
        "model_type": layout.model_type,
        **theirs,
        "dtype": "float32",
        "torch_dtype": "float32",
        "pad_token_id": metadata.pad_id if layout.pad_id is None else layout.pad_id,
        "bos_token_id": metadata.end_id if metadata.begin_id is None else metadata.begin_id,
        "eos_token_id": metadata.end_id,
        **metadata.stated_ids,
    }
    for goal, head in settings.heads.items():  # one at most, which a layout can express
        own["heads"] = {goal: head.model_dump(exclude_none=True)}
        if head.gives_vectors:  # which no class of theirs reads
            continue
        assert isinstance(head, HeadSettings)
        labels = metadata.label_names or tuple(f"LABEL_{n}" for n in range(head.size))
        config |= {
            "id2label": {str(number): name for number, name in enumerate(labels)},
            "label2id": {name: number for number, name in enumerate(labels)},
            "classifier_dropout": head.dropout,
        }
        if goal in _PROBLEMS:
            config["problem_type"] = _PROBLEMS[goal]
        if layout.pool_key:
            config[layout.pool_key] = next(name for name, pool in POOLS.items() if pool == head.pool)
    return config | {OWN: own}


def architecture_of(settings: ModelSettings, layout: Layout) -> str:
    """The class that reads a model: by its head, else as a language model where it can guess words."""
    for goal, head in settings.heads.items():
        return (layout.base or layout.language_model) if head.is_pooled else layout.heads[goal].architecture
    guesses = settings.backbone.sight != "full" or settings.backbone.lm_transform
    return layout.language_model if guesses or not layout.base else layout.base


def load_model(folder: Path, dtype: torch.dtype = torch.float32) -> Model:
    """The model in ``folder``, in evaluation mode.

    Raises:
        BadInput: there is none, or a file is damaged or does not fit the others.
    """
    return import_model(folder).model.to(dtype).eval()


def import_model(folder: Path) -> ImportedModel:
    """The model in ``folder`` and what was left behind there, float32, in evaluation mode."""
    folder = Path(folder)
    if is_release(folder):
        model = Model.undrawn(ModelSettings(backbone=release_settings(folder)))
        return ImportedModel(
            model.eval(), _fill(model, FoundTensors(release_tensors(folder), str(folder), {}), gpt1.LAYOUT)
        )
    config = read_config(folder)
    layout = _layout(config, folder)
    settings = _settings(config, layout, folder)
    model = Model.undrawn(settings)
    found = read_folder(base_of(folder))
    if layout is not None:
        found = replace(found, tensors=layout.today(found.tensors))
        if is_adapter(folder):
            found = join_adapter(found, folder, layout.prefix, layout.transposed(settings))
        if any(head.is_pooled for head in settings.heads.values()):
            found = replace(found, tensors=found.tensors | read_head(folder))
    return ImportedModel(
        model.eval(), _fill(model, found, layout), _missing_words(config, layout, settings, found.tensors)
    )


def _missing_words(
    config: Mapping[str, Any], layout: Layout | None, settings: ModelSettings, names: Collection[str]
) -> str:
    """Says of a foreign folder without its head for words that tokens are guessed by the token table alone."""
    if layout is None or OWN in config or (layout.tied_if_absent and class_of(config) == layout.language_model):
        return ""
    backbone = settings.backbone
    has_transform = backbone.sight != "full" or backbone.lm_transform
    # With an output table in the file, would the config read as untied? Then that table is what is missing.
    whole = layout.read(config, {*names, layout.output[0]})
    if task_class(config) is None and has_transform and (whole.tied or not {*layout.output}.isdisjoint(names)):
        return ""
    return "this folder has no head for words: a new one, the table of its tokens, was never trained to guess them"


def _fill(model: Model, found: FoundTensors, layout: Layout | None) -> tuple[str, ...]:
    """Copies all weights of ``model`` from ``found``; returns the names that nothing was taken from."""
    if layout is None:
        left = fill_model(model, found, {ours: Name(ours, (ours,)) for ours in model.state_dict()}, ())
        if left:
            raise BadInput(f"the weight {left[0]!r} has no place in this model", where=found.where)
        return left
    inside = any(name.startswith(layout.prefix) for name in found.tensors)
    return fill_model(model, found, layout.table(model.settings, layout.prefix if inside else ""), layout.ignored)


def load_settings(folder: Path) -> ModelSettings:
    """The settings of the model in ``folder``; reads no weights."""
    if is_release(Path(folder)):
        return ModelSettings(backbone=release_settings(Path(folder)))
    config = read_config(Path(folder))
    return _settings(config, _layout(config, Path(folder)), Path(folder))


def _layout(config: Mapping[str, Any], folder: Path) -> Layout | None:
    model_type = config["model_type"]
    if model_type == OWN:
        return None
    if model_type in LAYOUTS:
        return LAYOUTS[model_type]
    if config.get("auto_map"):
        what = "this model is defined by code in its folder, which is never run"
        raise BadInput(what, where=str(folder / CONFIG), value=model_type, allowed=", ".join(LAYOUTS))
    # Another architecture may be called almost like one of these: only a slip of one letter is a slip.
    names = [name for name in LAYOUTS if _digits(name) == _digits(model_type) and model_type not in OTHERS]
    close = difflib.get_close_matches(model_type, names, 1, cutoff=0.85)
    raise BadInput(
        "unknown model_type: this architecture is not read", where=str(folder / CONFIG), value=model_type,
        allowed=", ".join(sorted(LAYOUTS)), next_step=f"did you mean {close[0]!r}?" if close else "",
    )  # fmt: skip


def _digits(name: str) -> str:
    return "".join(filter(str.isdigit, name))


def _settings(config: Mapping[str, Any], layout: Layout | None, folder: Path) -> ModelSettings:
    path = str(folder / CONFIG)
    if layout is None:
        return _validate({key: value for key, value in config.items() if key != "model_type"}, path)
    names = set(current_names(tensor_names(base_of(folder))).values())
    if is_adapter(folder):
        names = joined_names(names, folder, layout.prefix)
    own = config.get(OWN) or {}
    try:
        backbone = layout.read(config, names).model_dump()
        heads = own.get("heads") or _heads(config, layout, names)
    except BadInput as error:
        raise error.with_where(error.where.replace(CONFIG, path)) from None
    return _validate({"backbone": backbone | _untrained_settings(own), "heads": heads}, path)


def _untrained_settings(own: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (own.get("backbone") or {}).items() if name in UNTRAINED}


def _validate(fields: dict[str, Any], path: str) -> ModelSettings:
    try:
        settings = ModelSettings.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(name) for name in first["loc"] if name not in KINDS)
        raise BadInput(
            f"impossible model setting {field!r}: {first['msg']}", where=path, value=first["input"]
        ) from None
    settings.backbone.check(path)
    return settings


def _heads(config: Mapping[str, Any], layout: Layout, names: set[str]) -> dict[str, Any]:
    """The head that a foreign config speaks of, if its weights are there."""
    for goal, place in _places(layout, config, class_of(config)).items():
        if f"{place.linear}.weight" in names and goal in _KINDS:
            kind = _KINDS[goal]
            size = HEADS[kind].fixed_size or len(labels_of(config))
            bias = f"{place.linear}.bias" in names
            pooled, pool = bool(place.pooler), _pool(layout, place, config)
            return {goal: HeadSettings(kind=kind, size=size, bias=bias, pooled=pooled, pool=pool).model_dump()}
    return {}


def _pool(layout: Layout, place: HeadPlace, config: Mapping[str, Any]) -> Any:
    """How a class of a foreign config makes one state of a text's states."""
    if not layout.pool_key or len(place.pools) == 1:
        return "sum"
    named = config.get(layout.pool_key, "cls")
    if named not in POOLS:
        raise BadInput(
            "unknown pooling", where=f"{CONFIG}, key {layout.pool_key!r}", value=named, allowed=", ".join(POOLS)
        )
    return POOLS[named]


def _places(layout: Layout, config: Mapping[str, Any], architecture: str) -> dict[str, HeadPlace]:
    """The goals that a class may serve: one class reads classes, several labels and scores, told apart by its config."""
    candidates = {goal: place for goal, place in layout.heads.items() if place.architecture == architecture}
    if len(candidates) <= 1:
        return candidates
    named_goal = {problem: goal for goal, problem in _PROBLEMS.items()}.get(str(config.get("problem_type")))
    goal = named_goal or ("score" if len(labels_of(config)) == 1 else "label")
    return {goal: candidates[goal]}
