"""``warmstart generate``: new text from a prompt."""

from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.decode.generate import generate as continue_prompts
from warmstart.decode.settings import GenerateSettings
from warmstart.readers.opening import lines
from warmstart.text.clean import clean
from warmstart.verbs.loading import load_run


def generate(
    run: str,
    prompts: list[str] | None = None,
    input: str | None = None,
    encoding: str = "utf-8",
    precision: str = "fp32",
    **settings: Any,
) -> list[dict[str, Any]]:
    """Continues prompts.

    Args:
        run: a run, fine-tuned or not.
        prompts: texts to continue.
        input: instead, a file with one prompt per line.
        encoding: of ``input``.
        precision: of the products.
        settings: fields of :class:`~warmstart.decode.settings.GenerateSettings`.

    Returns:
        Per text {"prompt", "text", "tokens", "stopped", "log_prob", "cut"}.

    Raises:
        BadInput: no such run, an impossible setting, or neither or both of ``prompts`` and ``input``.
    """
    if (prompts is None) == (input is None):
        raise BadInput("give a prompt or a file of prompts, one of the two", where="--prompt, --input")
    asked = list(prompts or []) if input is None else [line.rstrip("\n") for line in lines(input, encoding)]
    wanted = GenerateSettings.model_validate(settings)
    loaded = load_run(Path(run), precision)
    tokenizer, rules = loaded.tokenizer, loaded.remembered.rules
    ids = tokenizer.encode_batch([clean(prompt, rules) for prompt in asked])
    end = tokenizer.end_id
    found = continue_prompts(loaded.model, ids, wanted, end)
    return [
        {
            "prompt": asked[number // wanted.samples],
            "text": tokenizer.decode(one.ids),
            "tokens": len(one.ids),
            "stopped": one.stopped,
            "log_prob": round(one.log_prob, 4),
            "cut": one.cut,
        }
        for number, one in enumerate(found)
    ]
