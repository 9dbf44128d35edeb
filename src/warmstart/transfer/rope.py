"""Rotary positions in a config of ``transformers``, in both spellings.

The new one is ``rope_parameters``, the old one ``rope_theta`` with ``rope_scaling``.

What is written has both, since each version of the library reads one of them.
"""

import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from warmstart.base.errors import BadInput
from warmstart.models.rotary_settings import RotaryScaling
from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.layout import Config

BASE = 10000.0
_ORIGINAL = "original_max_position_embeddings"
_LLAMA3 = {"few_turns": "low_freq_factor", "many_turns": "high_freq_factor"}
_YARN = {"few_turns": "beta_slow", "many_turns": "beta_fast"}
KINDS = ("linear", "dynamic", "llama3", "yarn")


def rope_keys(config: Config) -> dict[str, Any]:
    """What a config says of rotary positions; the old key ``rope_scaling`` comes first where both stand there."""
    said = config.get("rope_scaling") or config.get("rope_parameters") or {}
    if not isinstance(said, Mapping):
        raise BadInput(
            "not the parameters of rotary positions", where="config.json", value=said,
            allowed="an object with rope_type and its numbers",
        )  # fmt: skip
    return dict(said)


def rotary_fields(
    config: Config, said: Mapping[str, Any], default_base: float = BASE, base_key: str = "rope_theta"
) -> dict[str, Any]:
    """Our settings of rotary positions.

    Args:
        config: the whole config.
        said: its part about rotary positions (:func:`rope_keys`).
        default_base: where no base is said.
        base_key: what the base is called outside ``said``.

    Raises:
        BadInput: another kind of scaling, or one without its numbers.
    """
    base = said.get("rope_theta") or config.get(base_key) or default_base
    return {"rotary_base": float(base), "rotary_scaling": _scaling(config, said)}


def _scaling(config: Config, said: Mapping[str, Any]) -> RotaryScaling | None:
    kind = said.get("rope_type") or said.get("type") or "default"
    if kind == "default":
        return None
    if kind not in KINDS:
        raise BadInput(
            "rotary positions with this scaling are not supported", where="config.json", value=kind,
            allowed=f"rope_type default, {', '.join(KINDS)}",
        )  # fmt: skip
    context = int(config.get("max_position_embeddings") or 1)
    original = config.get(_ORIGINAL) or said.get(_ORIGINAL) or context
    factor = said.get("factor")
    if factor is None and kind == "yarn":
        factor = context / original
    fields = {"kind": kind, "factor": factor}
    if kind == "dynamic":
        fields |= {"original_context": context}
    elif kind == "llama3":
        fields |= {"original_context": original} | {ours: said.get(theirs) for ours, theirs in _LLAMA3.items()}
    elif kind == "yarn":
        fields |= {
            "original_context": original,
            "few_turns": said.get("beta_slow") or 1.0,
            "many_turns": said.get("beta_fast") or 32.0,
            "whole_places": said.get("truncate", True),
            "amplitude": _amplitude(said, float(factor or 1.0)),
        }
    try:
        return RotaryScaling.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(
            f"impossible scaling of rotary positions, {'.'.join(map(str, first['loc']))}: {first['msg']}",
            where="config.json", value=first["input"],
        ) from None  # fmt: skip


def _amplitude(said: Mapping[str, Any], factor: float) -> float:
    """YaRN's factor on the cosines: what the config says, else what its paper takes (section 3.4)."""
    if said.get("attention_factor") is not None:
        return float(said["attention_factor"])

    def grown(share: float) -> float:
        return 0.1 * share * math.log(factor) + 1.0 if factor > 1 else 1.0

    top, bottom = said.get("mscale"), said.get("mscale_all_dim")
    return grown(top) / grown(bottom) if top and bottom else grown(1.0)


def read_share(config: Config, said: Mapping[str, Any], per_head: int, key: str, default: float) -> int | None:
    """How many numbers of a head are rotated; ``None``: all.

    Args:
        config: the whole config.
        said: its part about rotary positions (:func:`rope_keys`).
        per_head: width of a head.
        key: what the share is called outside ``said``.
        default: where no share is said.
    """
    share = said.get("partial_rotary_factor", config.get(key))
    if share is None:
        share = default
    if not isinstance(share, int | float) or not 0 < share <= 1:
        raise BadInput(
            "not a share of a head that is rotated", where="config.json", value=share, allowed="above 0, at most 1"
        )
    width = int(per_head * share)
    return None if width == per_head else width


def write_share(settings: TransformerSettings) -> float:
    """The share of a head that is rotated, from which :func:`read_share` has the same number again."""
    width = settings.rotary_width or settings.per_head
    share = width / settings.per_head
    return share if int(settings.per_head * share) == width else (width + 0.5) / settings.per_head


def write_scaling(scaling: RotaryScaling | None) -> dict[str, Any]:
    """The scaling as ``rope_parameters`` has it, without the base."""
    if scaling is None:
        return {"rope_type": "default"}
    said: dict[str, Any] = {"rope_type": scaling.kind, "factor": scaling.factor}
    if scaling.kind == "llama3":
        said |= {theirs: getattr(scaling, ours) for ours, theirs in _LLAMA3.items()}
    if scaling.kind == "yarn":
        said |= {theirs: getattr(scaling, ours) for ours, theirs in _YARN.items()}
        said |= {"attention_factor": scaling.amplitude, "truncate": scaling.whole_places}
    return said if scaling.kind in ("linear", "dynamic") else said | {_ORIGINAL: scaling.original_context}


def write_rope(base: float, scaling: RotaryScaling | None, **more: Any) -> dict[str, Any]:
    """Both spellings of base and scaling; ``more`` are further parameters (the share of a head that is rotated)."""
    said = write_scaling(scaling)
    old = {} if scaling is None else {"rope_scaling": said | more}
    return {"rope_theta": base, "rope_parameters": {"rope_theta": base, **said, **more}, **old}
