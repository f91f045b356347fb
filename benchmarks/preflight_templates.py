"""The chat templates that TRL ships, each with a tokenizer built on the spot that has the special tokens it needs.

for name, setup in list_templates(): ...      ("llama3.jinja", Setup(tokenizer, stops))

The templates are read where TRL is installed. What a model stops at is not in its template, so it is listed here by family.
"""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.preflight_rows import WORDS, Setup, build_tokenizer

ENDS: dict[str, tuple[str, ...]] = {
    "cohere": ("<|END_OF_TURN_TOKEN|>",),
    "deepseek": ("<\uff5cend\u2581of\u2581sentence\uff5c>",),
    "diffusion_gemma": ("<turn|>",),
    "gemma4": ("<turn|>",),
    "gemma": ("<eos>", "<end_of_turn>"),
    "glm4moe": ("<|endoftext|>", "<|user|>", "<|observation|>"),
    "gptoss": ("<|return|>", "<|call|>"),
    "idefics3": ("<end_of_utterance>",),
    "lfm2": ("<|im_end|>",),
    "llama3": ("<|eot_id|>", "<|eom_id|>"),
    "llava_next": ("</s>",),
    "muse_glimmer": ("<|eot|>", "<|eom|>"),
    "nemotron": ("<|im_end|>",),
    "phi3": ("<|endoftext|>", "<|end|>"),
    "qwen": ("<|im_end|>", "<|endoftext|>"),
    "smolvlm": ("<end_of_utterance>",),
}
"""Beginning of a template's name -> the tokens at which models of this family stop, the tokenizer's own end first."""
_MARKER = re.compile(r"<[|\uff5c]?[A-Za-z][\w\u2581 /:.-]{0,40}[|\uff5c]?>")
_NO_MARKERS = re.compile(
    r"<(?:/?(?:tools?|think|function\w*|parameter\w*|example_\w*|IMPORTANT|tool_\w+|arg_\w+|name|value|args)[^|]*)>"
)


def list_templates() -> Iterator[tuple[str, Setup]]:
    """Yield every template that TRL ships, with a tokenizer for it."""
    spec = importlib.util.find_spec("trl")
    assert spec is not None
    assert spec.submodule_search_locations
    for path in sorted((Path(spec.submodule_search_locations[0]) / "chat_templates").glob("*.jinja")):
        yield path.name, _build(path.name, path.read_text())


def _build(name: str, template: str) -> Setup:
    family = max((family for family in ENDS if name.startswith(family)), key=len, default=None)
    ends = ENDS[family] if family else ("<|im_end|>",)
    found = [
        marker
        for marker in sorted(set(_MARKER.findall(template)))
        if "|" in marker or "\uff5c" in marker or not _NO_MARKERS.match(marker)
    ]
    bos = None if name.startswith(("qwen", "glm4moe", "gptoss", "phi3")) else "<s>"
    tokenizer = build_tokenizer(template, [*ends, *found], bos=bos, eos=ends[0], pad="<|padding|>", texts=[" ".join(WORDS)] * 3)
    return Setup(tokenizer, frozenset(tokenizer.convert_tokens_to_ids(list(ends))))
