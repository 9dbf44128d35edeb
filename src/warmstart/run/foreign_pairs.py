"""An encoder-decoder that another library wrote: how it reads a source and writes a text, as its configs tell it.

What stands around a source is the tokenizer's; what the decoder reads first, what its texts begin and end with and how
they are searched stand in ``generation_config.json`` or, in older folders, in ``config.json``. Its ``early_stopping`` is
not taken: a search here ends when no text that goes on can be worth more.
"""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from warmstart.base.errors import BadInput
from warmstart.decode.settings import GenerateSettings
from warmstart.models.settings import BackboneSettings
from warmstart.tasks.seq2seq import Seq2Seq
from warmstart.tasks.settings import FrameSettings, Seq2SeqSettings, Seq2SeqTemplate
from warmstart.tasks.spec import TaskSpec
from warmstart.text.special_tokens import GENERATION_CONFIG, MODEL_CONFIG, read_object
from warmstart.text.template_ids import TemplateIds, read_template_ids

START, FORCED, END = "decoder_start_token_id", "forced_bos_token_id", "eos_token_id"
LENGTH = "max_length"


def foreign_pair_task(folder: Path, backbone: BackboneSettings) -> TaskSpec:
    """The task of an encoder-decoder that another library wrote into ``folder``.

    Raises:
        BadInput: no config says what its decoder reads first or what ends its texts.
    """
    config = _generation_config(folder)
    template, most = _template(config, read_template_ids(folder), folder), config.get(LENGTH)
    options = Seq2SeqSettings(algorithm="causal", template=template)
    if type(most) is int and 2 < most <= backbone.max_length:
        options = options.model_copy(update={"target_limit": most - 1})  # theirs counts the decoder's first token
    options = options.with_segments(backbone.text_segments)
    frame = FrameSettings(context=backbone.max_length, sight=backbone.sight, lm=False)
    return TaskSpec(kind=Seq2Seq.name, frame=frame).with_options(options)


def foreign_search(folder: Path, task: TaskSpec) -> GenerateSettings:
    """How its texts are generated: greedily, or by the beam search that its configs name.

    Raises:
        BadInput: an impossible value.
    """
    config, most = _generation_config(folder), Seq2Seq().options(task).target_limit
    wanted: dict[str, Any] = {"max_new": most}
    beam = config.get("num_beams") or 1
    if beam == 1:
        wanted["greedy"] = True
    else:
        penalty = config.get("length_penalty", 1.0)
        wanted |= {"beam": beam, "length_penalty": max(0.0, penalty), "length_norm": "power"}
    if config.get("min_length"):
        wanted["min_new"] = min(max(0, config["min_length"] - 1), most)
    if config.get("no_repeat_ngram_size"):
        wanted["no_repeat"] = config["no_repeat_ngram_size"]
    try:
        return GenerateSettings.model_validate(wanted)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(
            f"an impossible setting of generation: {first['msg']}", where=f"{folder / GENERATION_CONFIG}, {first['loc'][0]}",
            value=first["input"], next_step="mend the file",
        ) from None  # fmt: skip


def stated_ids(template: Seq2SeqTemplate) -> dict[str, Any]:
    """The keys of a config that say the same to ``transformers``."""
    forced = {FORCED: template.forced[0]} if template.forced else {}
    return {START: template.start, END: template.end, **forced}


def _generation_config(folder: Path) -> dict[str, Any]:
    """What the two configs say; the newer file comes first."""
    found = (read_object(folder / name) for name in (MODEL_CONFIG, GENERATION_CONFIG))
    return {key: value for values in found for key, value in values.items() if value is not None}


def _template(config: dict[str, Any], around: TemplateIds, folder: Path) -> Seq2SeqTemplate:
    start, end, forced = _id(config, START, folder), _id(config, END, folder), config.get(FORCED)
    before, after = around.one if any(around.one) else ((), (end,))
    begins = () if forced is None else (int(forced),)
    between = around.pair[1] or (end,)
    return Seq2SeqTemplate(
        before=before, after=after, between=between, start=start, first=begins or before, forced=begins, end=end
    )


def _id(config: dict[str, Any], key: str, folder: Path) -> int:
    """The id under a key; the first, where there are several."""
    found = config.get(key)
    found = found[0] if isinstance(found, list) and found else found
    if type(found) is not int:
        raise BadInput(
            f"the key {key!r} is missing", where=f"{folder / MODEL_CONFIG}, {GENERATION_CONFIG}", value=found,
            allowed="the id of a token", next_step="add it: every encoder-decoder has one",
        )  # fmt: skip
    return found
