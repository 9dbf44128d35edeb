"""What a training that ends for want of memory leaves to the one that goes on: how many tokens a micro-batch may have.

Of processes with a part of the weights each, those that wait for the one without memory inside of a layer cannot be asked
to take the step again. So all end, and begin again with smaller micro-batches: by ``--resume``, or by ``torchrun`` itself.
"""

from pathlib import Path

from warmstart.base.files import read_json, write_json

_NAME = "shortage.json"


def note_shortage(resume: Path, max_tokens: int) -> None:
    """Keeps in the folder of the checkpoints how many tokens a micro-batch may have; 0: no number is small enough."""
    if max_tokens:
        resume.mkdir(parents=True, exist_ok=True)
        write_json(resume / _NAME, max_tokens)


def noted_shortage(resume: Path) -> int:
    """What was kept; 0 where nothing was."""
    found = read_json(resume / _NAME) if (resume / _NAME).is_file() else 0
    return found if isinstance(found, int) else 0
