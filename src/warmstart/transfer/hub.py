"""Where a model is: a folder of this machine, or the id of one on the Hugging Face hub.

A hub id is fetched once into the hub's own cache (``HF_HOME``) and read from there; ``HF_HUB_OFFLINE=1`` reads the cache
only. Config, vocabulary and safetensors are asked for, never pickles and never code. Behind the extra ``hub``.
"""

import re
from pathlib import Path

from warmstart.base.errors import BadInput
from warmstart.base.run_folder import RunFolder
from warmstart.text.classes import SENTENCEPIECE

WANTED = ("*.json", "*.safetensors", "*.txt", "*.bpe", "*.npy", *SENTENCEPIECE, "*.spm")
_ID = re.compile(r"hf:[\w.-]+(/[\w.-]+)?|[\w-][\w.-]*/[\w.-]+")


def is_hub_id(name: str) -> bool:
    """Whether ``name`` could be one: ``owner/name``, or that or a name alone after ``hf:``."""
    return _ID.fullmatch(name) is not None


def model_folder(name: str, *, weights: bool = True) -> Path:
    """The folder that ``name`` means.

    Args:
        name: a path or an id.
        weights: whether its weights will be read, not its tokenizer alone.

    Raises:
        BadInput: no such folder here, and no such model on the hub or in its cache; one of the hub that has pickles only;
            a run that is not finished; a file that is not what was written.
    """
    if Path(name).is_dir():
        RunFolder(name).check_model()
        _check_tensorflow(Path(name))
        return Path(name)
    if Path(name).exists():
        raise BadInput("a file, where a model folder is needed", where=name, next_step="name the folder that it is in")
    if not is_hub_id(name):
        raise BadInput(
            "no such folder", where=name, allowed="a run, a model folder, or the id of a model on the hub (owner/name)",
            next_step="check the path",
        )  # fmt: skip
    name = name.removeprefix("hf:")
    folder = _fetch(name)
    if weights and not any(folder.glob("*.safetensors")) and not any(folder.glob("*.npy")):
        _check_pickles(name)
    return folder


def _check_tensorflow(folder: Path) -> None:
    """Refuses a checkpoint of TensorFlow, as OpenAI released GPT-2 in 2019 and Google BERT in 2018."""
    found = next((path.name for path in folder.glob("*.ckpt*.index")), None)
    if found is not None and not any(folder.glob("*.safetensors")):
        raise BadInput(
            "a checkpoint of TensorFlow, which is not read here", where=str(folder), value=found,
            allowed="a folder with config.json and model.safetensors",
            next_step="take GPT-2's four sizes from the hub (openai-community/gpt2, gpt2-medium, gpt2-large, gpt2-xl), or "
            "convert your own with transformers 4: GPT2LMHeadModel.from_pretrained(FILE.index, from_tf=True, config=…)"
            ".save_pretrained(FOLDER)",
        )  # fmt: skip


def cached_folder(name: str) -> Path | None:
    """The folder of a model in the hub's cache, if it is there; downloads nothing."""
    if not is_hub_id(name):
        return None
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
    except ImportError:
        return None
    try:
        return Path(snapshot_download(name, allow_patterns=list(WANTED), local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        return None


def _fetch(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError:
        raise BadInput(
            "no such folder; models of the hub need another package", where=name,
            next_step="check the path, or pip install 'warmstart[hub]'",
        ) from None  # fmt: skip
    try:
        return Path(snapshot_download(name, allow_patterns=list(WANTED)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        first = str(error).strip().split("\n")[0]
        raise BadInput(
            f"no such folder here, and no such model on the hub or in its cache ({first})", where=name,
            next_step="check the path or the id, and whether the hub can be reached (HF_HUB_OFFLINE)",
        ) from None  # fmt: skip


def _check_pickles(name: str) -> None:
    """Says of a model of which no weights were fetched that the hub has them as pickles, where it does."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    from warmstart.models.files import PICKLES, RESAVE_PARTS, pickled  # which imports torch

    try:
        listed = set(HfApi().list_repo_files(name))
    except (HfHubHTTPError, OSError):  # offline: what is missing in the cache is said by those who look for it
        return
    for pickle in PICKLES:
        if pickle in listed:
            raise pickled(f"{name}, {pickle}", RESAVE_PARTS.format(source=repr(name)) + " and give NEW")
