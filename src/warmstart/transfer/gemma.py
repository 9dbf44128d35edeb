"""Gemma (Mesnard et al. 2024), Gemma 2 (Riviere et al. 2024) and the text model of Gemma 3, as ``transformers`` has them.

Gemma is Llama with a GELU, embeddings times √width, and norms whose files hold the gain less 1. Gemma 2 has norms on what
each part adds too, bounds on its scores, a scale of its own for these, and a window in every other layer. Gemma 3 has norms
on queries and keys instead of the bounds, and five layers with a window for one without, each kind with a rotary base.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.models.transformer_settings import Activation, TransformerSettings
from warmstart.transfer import llama
from warmstart.transfer.layout import (
    Config,
    Layout,
    Name,
    activation,
    backbone,
    only,
    read_keys,
    required_key,
    their_activation,
    write_keys,
)
from warmstart.transfer.name_forms import Gain
from warmstart.transfer.rope import rope_keys, rotary_fields, write_rope, write_scaling
from warmstart.transfer.sliding import GLOBAL, LOCAL, read_windows, shortest_cycle, write_windows

TANH = "gelu_pytorch_tanh"
ACTIVATIONS: dict[str, Activation] = {TANH: "gelu_tanh", "gelu": "gelu"}
FIRST_ACTIVATIONS: dict[str, Activation] = {TANH: "gelu_tanh", "gelu": "gelu_tanh"}
"""Gemma's first configs say ``gelu`` and mean the one by tanh."""
BASES = {GLOBAL: 1e6, LOCAL: 10000.0}
"""Gemma 3's rotary bases where its config says none."""


@dataclass(frozen=True, slots=True)
class _Generation:
    """What a generation has.

    Attributes:
        cycle: layers from one without a window to the next; 0: no windows, and none of what Gemma 2 brought.
        caps: bounds of attention's scores and of the softmax's, where a config says none.
        qk_norm: norms on queries and keys, and two rotary bases.
    """

    cycle: int = 0
    caps: tuple[float | None, float | None] = (None, None)
    qk_norm: bool = False

    def settings(self, config: Config, names: Collection[str]) -> TransformerSettings:
        """Our settings."""
        said = {key: value for key, value in config.items() if value is not None}
        only(said, {"use_bidirectional_attention": False, "attention_bias": False})
        sizes = read_keys(config, llama.KEYS)
        return backbone(
            **sizes,
            **(self._second(config) if self.cycle else {}),
            **(_read_two_bases(config) if self.qk_norm else rotary_fields(config, rope_keys(config))),
            embedding_scale=sizes["width"] ** 0.5,
            kv_heads=config.get("num_key_value_heads"),
            head_width=config.get("head_dim") or 256,
            positions="rotary",
            norm="both" if self.cycle else "pre",
            norm_kind="rms",
            qk_norm=self.qk_norm,
            mlp="gated",
            activation=activation(config.get(self._act) or TANH, ACTIVATIONS if self.cycle else FIRST_ACTIVATIONS),
            bias=False,
            tied=config.get("tie_word_embeddings", True) or "lm_head.weight" not in names,
            embedding_dropout=0.0,
            residual_dropout=0.0,
        )

    @property
    def _act(self) -> str:
        return "hidden_activation" if self.cycle else "hidden_act"

    def _second(self, config: Config) -> dict[str, Any]:
        """What Gemma 2 and 3 have beyond Gemma."""
        if self.qk_norm:
            only(config, {"attn_logit_softcapping": None})
        cycle = int(config.get("sliding_window_pattern") or config.get("_sliding_window_pattern") or self.cycle)
        layers = range(1, 1 + int(required_key(config, "num_hidden_layers")))
        kinds = config.get("layer_types") or [LOCAL if layer % cycle else GLOBAL for layer in layers]
        return {
            "windows": shortest_cycle(read_windows(kinds, config.get("sliding_window", 4096))),
            "attention_scale": float(config.get("query_pre_attn_scalar") or 256) ** -0.5,
            "attention_cap": config.get("attn_logit_softcapping", self.caps[0]),
            "logit_cap": config.get("final_logit_softcapping", self.caps[1]),
        }

    def config(self, settings: TransformerSettings) -> dict[str, Any]:
        """Theirs."""
        said = write_keys(settings, llama.KEYS) | {
            "num_key_value_heads": settings.key_heads,
            "head_dim": settings.per_head,
            self._act: their_activation(settings.activation, ACTIVATIONS),
            "attention_bias": False,
            "tie_word_embeddings": settings.tied,
            **(
                _write_two_bases(settings)
                if self.qk_norm
                else write_rope(settings.rotary_base, settings.rotary_scaling)
            ),
        }
        if not self.cycle:
            return said
        kinds, window = write_windows(settings)
        return said | {
            "layer_types": kinds,
            "sliding_window": window,
            "query_pre_attn_scalar": _query_scalar(settings),
            "attn_logit_softcapping": settings.attention_cap,
            "final_logit_softcapping": settings.logit_cap,
        }


def _query_scalar(settings: TransformerSettings) -> float:
    """The number whose root divides the scores; a whole one where it is."""
    if settings.attention_scale is None:
        return settings.per_head
    found = settings.attention_scale**-2
    return round(found) if round(found) ** -0.5 == settings.attention_scale else found


def _read_two_bases(config: Config) -> dict[str, Any]:
    """Gemma 3's rotary bases, and the scaling that layers without a window have."""
    said = rope_keys({"rope_parameters": config.get("rope_parameters")})
    whole, local = (dict(said.get(kind) or {}) for kind in (GLOBAL, LOCAL))
    if not (whole or local):
        whole = said
    whole |= rope_keys({"rope_scaling": config.get("rope_scaling")})
    if (local.get("rope_type") or "default") != "default":
        raise BadInput(
            "rotary positions with scaling in layers with a window are not supported", where="config.json",
            value=local["rope_type"], allowed="rope_type default",
        )  # fmt: skip
    base = local.get("rope_theta") or config.get("rope_local_base_freq") or BASES[LOCAL]
    return rotary_fields(config, whole, BASES[GLOBAL]) | {"local_rotary_base": float(base)}


def _write_two_bases(settings: TransformerSettings) -> dict[str, Any]:
    said = write_rope(settings.rotary_base, settings.rotary_scaling)
    local = settings.local_rotary_base or settings.rotary_base
    return said | {
        "rope_local_base_freq": local,
        "rope_parameters": {
            GLOBAL: said["rope_parameters"], LOCAL: {"rope_theta": local, **write_scaling(None)}
        },
    }  # fmt: skip


_LAYER = "layers.{}"
_SECOND_NORMS = {
    "blocks.{}.norm1_out.weight": f"{_LAYER}.post_attention_layernorm.weight",
    "blocks.{}.norm2.weight": f"{_LAYER}.pre_feedforward_layernorm.weight",
    "blocks.{}.norm2_out.weight": f"{_LAYER}.post_feedforward_layernorm.weight",
}


def _names(second_norms: dict[str, str]) -> tuple[Name, ...]:
    """Llama's, with gains that are kept less 1, and some norms elsewhere."""
    others = [name for name in llama.NAMES if "norm" not in name.ours]
    norms = {name.ours: name.theirs[0] for name in llama.NAMES if "norm" in name.ours} | second_norms
    return (*others, *(Gain(ours, (theirs,)) for ours, theirs in norms.items()))


def _layout(model_type: str, family: str, generation: _Generation, classifiers: str) -> Layout:
    return Layout(
        model_type=model_type,
        settings=generation.settings,
        config=generation.config,
        names=_names(_SECOND_NORMS if generation.cycle else {}),
        prefix="model.",
        language_model=f"{family}ForCausalLM",
        heads=llama.heads(classifiers, tags=None if generation.qk_norm else "score"),
        ignored=("rotary_emb.inv_freq", "lm_head.weight"),  # where it is tied, the table itself
    )


GEMMA = _layout("gemma", "Gemma", _Generation(), "Gemma")
GEMMA2 = _layout("gemma2", "Gemma2", _Generation(cycle=2, caps=(50.0, 30.0)), "Gemma2")
GEMMA3 = _layout("gemma3_text", "Gemma3", _Generation(cycle=6, qk_norm=True), "Gemma3Text")
