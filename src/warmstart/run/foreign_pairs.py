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
        BadInput: no config says what its decoder reads first or what ends its texts, or a token is not in the vocabulary.
    """
    config = _generation_config(folder)
    template, most = _template(config, read_template_ids(folder), folder, backbone.vocab_size), config.get(LENGTH)
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
    beam, fewest = _number(config, "num_beams", folder) or 1, _number(config, "min_length", folder)
    if beam == 1:
        wanted["greedy"] = True
    else:
        penalty = _number(config, "length_penalty", folder, 1)
        wanted |= {"beam": beam, "length_penalty": penalty, "length_norm": "power"}
    if fewest:
        wanted["min_new"] = min(max(0, fewest - 1), most)
    if no_repeat := _number(config, "no_repeat_ngram_size", folder):
        wanted["no_repeat"] = no_repeat
    try:
        return GenerateSettings.model_validate(wanted)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(
            f"an impossible setting of generation: {first['msg']}", where=f"{folder / GENERATION_CONFIG}, {first['loc'][0]}",
            value=first["input"], next_step="mend the file",
        ) from None  # fmt: skip


def decoder_start(folder: Path, vocab_size: int) -> int:
    """The token that the decoder of a model in ``folder`` reads first.

    Raises:
        BadInput: no config names it, or it is not in the vocabulary.
    """
    return _id(_generation_config(folder), START, folder, vocab_size)


def stated_ids(template: Seq2SeqTemplate) -> dict[str, Any]:
    """The keys of a config that say the same to ``transformers``."""
    forced = {FORCED: template.forced[0]} if template.forced else {}
    return {START: template.start, END: template.end, **forced}


def _generation_config(folder: Path) -> dict[str, Any]:
    """What the two configs say; the newer file comes first."""
    found = (read_object(folder / name) for name in (MODEL_CONFIG, GENERATION_CONFIG))
    return {key: value for values in found for key, value in values.items() if value is not None}


def _template(config: dict[str, Any], around: TemplateIds, folder: Path, vocab_size: int) -> Seq2SeqTemplate:
    start, end = (_id(config, key, folder, vocab_size) for key in (START, END))
    before, after = around.one if any(around.one) else ((), (end,))
    begins = (_id(config, FORCED, folder, vocab_size),) if FORCED in config else ()
    between = around.pair[1] or (end,)
    return Seq2SeqTemplate(
        before=before, after=after, between=between, start=start, first=begins or before, forced=begins, end=end
    )


def _number(config: dict[str, Any], key: str, folder: Path, default: float = 0) -> Any:
    found = config.get(key, default)
    if type(found) not in (int, float):
        raise BadInput(
            f"the key {key!r} holds no number", where=f"{folder / GENERATION_CONFIG}, {MODEL_CONFIG}", value=found,
            next_step="mend the file",
        )  # fmt: skip
    return found


def _id(config: dict[str, Any], key: str, folder: Path, vocab_size: int) -> int:
    """The id under a key; the first, where there are several."""
    found = config.get(key)
    found = found[0] if isinstance(found, list) and found else found
    if type(found) is not int or not 0 <= found < vocab_size:
        raise BadInput(
            f"the key {key!r} holds no id of a token", where=f"{folder / MODEL_CONFIG}, {GENERATION_CONFIG}", value=found,
            allowed=f"a whole number from 0 to {vocab_size - 1}", next_step="mend the file",
        )  # fmt: skip
    return found
