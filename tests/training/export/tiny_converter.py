"""What llama.cpp's converter does, for a small Llama: `python tiny_converter.py FOLDER --outfile FILE --outtype f32`.

With TINY_CONVERTER=unpermuted it leaves the heads of queries and keys as they are, the best-known fault of converters; with
TINY_CONVERTER=plain it forgets the chat template, with TINY_CONVERTER=changed it writes another one.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import load_file

NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip


def rename(name: str) -> str:
    module = name.removesuffix(".weight")
    if module.startswith("model.layers."):
        _, _, layer, rest = module.split(".", 3)
        return f"blk.{layer}.{NAMES[rest]}.weight"
    return f"{NAMES[module]}.weight"


def permute(name: str, weight: Any, heads: int) -> Any:
    """Interleave the halves of each head, as llama.cpp rotates neighbours and Transformers halves."""
    if not name.endswith(("q_proj.weight", "k_proj.weight")) or os.environ.get("TINY_CONVERTER") == "unpermuted":
        return weight
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--outfile")
    parser.add_argument("--outtype", choices=["f32"])
    given = parser.parse_args()
    config = json.loads((given.folder / "config.json").read_text())
    tokens = json.loads((given.folder / "tokenizer.json").read_text())["model"]["vocab"]
    writer = gguf.GGUFWriter(given.outfile, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(sorted(tokens, key=tokens.__getitem__))
    writer.add_eos_token_id(config["eos_token_id"])
    if os.environ.get("TINY_CONVERTER") != "plain":
        change = " " if os.environ.get("TINY_CONVERTER") == "changed" else ""
        writer.add_chat_template((given.folder / "chat_template.jinja").read_text() + change)
    for name, weight in load_file(given.folder / "model.safetensors").items():
        writer.add_tensor(rename(name), np.ascontiguousarray(permute(name, weight, config["num_attention_heads"])))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
