"""OPT (Zhang et al. 2022) as ``transformers`` has it: GPT with ReLU, whose table of positions has two rows too many.

The 350M model alone has its norms behind the residual sums, as GPT-1, and a token table narrower than its states. States are
made as narrow again before the softmax; classifiers of ``transformers`` read them there, ours before, so none is written.
"""

from collections.abc import Collection
from typing import Any

from warmstart.models.transformer_settings import Activation, TransformerSettings
from warmstart.transfer.layout import (
    ACTIVATIONS,
    Config,
    HeadPlace,
    Key,
    Layout,
    Name,
    activation,
    backbone,
    linear,
    only,
    read_keys,
    their_activation,
    write_keys,
)
from warmstart.transfer.llama import heads
from warmstart.transfer.name_forms import LaterRows

KEYS = (
    Key("vocab_size", "vocab_size"),
    Key("context", "max_position_embeddings"),
    Key("layers", "num_hidden_layers"),
    Key("width", "hidden_size"),
    Key("heads", "num_attention_heads"),
    Key("hidden", "ffn_dim"),
    Key("residual_dropout", "dropout", 0.1),
    Key("attention_dropout", "attention_dropout", 0.0),
    Key("init_std", "init_std", 0.02),
)


def _settings(config: Config, names: Collection[str]) -> TransformerSettings:
    only(config, {"layer_norm_elementwise_affine": True, "_remove_final_layer_norm": False})
    sizes = read_keys(config, KEYS)
    narrow = config.get("word_embed_proj_dim") or sizes["width"]
    return backbone(
        **sizes,
        norm="pre" if config.get("do_layer_norm_before", True) else "post",
        activation=activation(str(config.get("activation_function", "relu"))),
        bias=bool(config.get("enable_bias", True)),
        tied=config.get("tie_word_embeddings", True) or "lm_head.weight" not in names,
        token_width=None if narrow == sizes["width"] else narrow,
        embedding_dropout=0.0,
        norm_eps=1e-5,
    )


def _config(settings: TransformerSettings) -> dict[str, Any]:
    # With biases and a table of full width, what has another activation than ReLU is a GPT, and not written as an OPT.
    alike = settings.bias and settings.token_width is None
    known: dict[str, Activation] = {"relu": "relu"} if alike else ACTIVATIONS
    return write_keys(settings, KEYS) | {
        "do_layer_norm_before": settings.norm == "pre",
        "activation_function": their_activation(settings.activation, known),
        "enable_bias": settings.bias,
        "word_embed_proj_dim": settings.table_width,
        "tie_word_embeddings": settings.tied,
    }


_LAYER = "decoder.layers.{}"
LAYOUT = Layout(
    model_type="opt",
    settings=_settings,
    config=_config,
    names=(
        Name("tokens.weight", ("decoder.embed_tokens.weight",), twins=("lm_head.weight",)),
        Name("token_in.weight", ("decoder.project_in.weight",)),
        Name("token_out.weight", ("decoder.project_out.weight",)),
        LaterRows("positions.weight", ("decoder.embed_positions.weight",)),
        *linear("blocks.{}.attention.qkv", *(f"{_LAYER}.self_attn.{part}_proj" for part in "qkv")),
        *linear("blocks.{}.attention.out", f"{_LAYER}.self_attn.out_proj"),
        *linear("blocks.{}.norm1", f"{_LAYER}.self_attn_layer_norm"),
        *linear("blocks.{}.mlp.up", f"{_LAYER}.fc1"),
        *linear("blocks.{}.mlp.down", f"{_LAYER}.fc2"),
        *linear("blocks.{}.norm2", f"{_LAYER}.final_layer_norm"),
        *linear("final_norm", "decoder.final_layer_norm"),
        Name("output.weight", ("lm_head.weight",), outer=True),
    ),
    prefix="model.",
    language_model="OPTForCausalLM",
    heads=heads("OPT", tags=None) | {"span": HeadPlace("OPTForQuestionAnswering", "qa_outputs")},
    ignored=("lm_head.weight",),  # where it is tied, the table itself
)
