"""The proof of an export: every folder in it is loaded, asked, and compared with the model that was trained.

    proof = prove_export(spec, folder, say)           # ExportRefusedError, or what was measured
    proof.formats["merged"]                           Agreement(kl=3e-10, num_tokens=812, num_same=20, ...)

The reference is what training had in its hands: the parent with the adapter on it, or the model itself where all weights
were trained; never the merged weights that are to be proved.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from curation.errors import ExportError, ExportRefusedError
from training.base_model import load_tokenizer
from training.export.adapter import CONFIG, check_adapter
from training.export.conversations import Conversation, choose_conversations
from training.export.opinion import Agreement, Opinion, ask_model, compare_opinions, load_adapted, load_whole
from training.export.prompts import prove_prompts, read_ends
from training.export.spec import ADAPTER, GGUF_FILE, ExportSpec
from training.export.weights import list_tensors
from training.progress import Say

MOST_DIVERGENCE = 1e-3
"""Nats a token. Rounding a merge to bf16 costs about a tenth of it, a wrong scale a hundred times as much."""
ROUNDED = frozenset({"BF16", "F16"})


class Proof(NamedTuple):
    """What was measured."""

    num_conversations: int
    formats: dict[str, Agreement]

    def as_plain(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        measured = {name: {**found._asdict(), "kl": float(f"{found.kl:.3g}")} for name, found in self.formats.items()}
        return {"num_conversations": self.num_conversations, "most_kl": MOST_DIVERGENCE, "formats": measured}


def prove_export(spec: ExportSpec, folder: Path, say: Say) -> Proof:
    """Compare an export with the model that was trained.

    Raises:
        ExportRefusedError: if anything differs by more than rounding.
        ExportError: if a part of it cannot be loaded.
    """
    reference = load_tokenizer(spec.parent_folder or spec.model_folder)
    conversations = choose_conversations(spec, reference, longest=_context_length(spec))
    ends: list[int] = []
    for part in list_parts(folder):
        say(f"export: prompts of {part.name or folder.name}")
        exported, ends = load_tokenizer(str(part)), read_ends(part, spec.name)
        where = "adapter" if part != folder else "merged model"
        prove_prompts(reference, exported, conversations, ends=ends, name=spec.name, where=where)
    if spec.trained_adapter is not None and (folder / ADAPTER).exists():
        check_adapter(folder / ADAPTER, spec.trained_adapter, name=spec.name)
    say(f"export: asking the trained model {len(conversations)} questions")
    trained = _ask_trained(spec, conversations, ends)
    tensors = list_tensors(sorted(Path(spec.model_folder).glob("*.safetensors")), spec.name)
    is_rounded = any(tensor.dtype in ROUNDED for tensor in tensors)
    measured = {}
    for form in list_formats(folder):
        say(f"export: asking the {form} model")
        found = _ask(spec, folder, form, conversations, ends)
        measured[form] = judge_form(spec, form, trained, found, is_rounded=form != ADAPTER and is_rounded)
    return Proof(len(conversations), measured)


def list_parts(folder: Path) -> list[Path]:
    """Return the folders of an export that a server can be started from."""
    parts = [(folder / ADAPTER, CONFIG), (folder, "config.json")]
    return [part for part, sign in parts if (part / sign).exists()]


def list_formats(folder: Path) -> list[str]:
    """Return in which forms an export holds the model."""
    signs = {"adapter": folder / ADAPTER / CONFIG, "merged": folder / "config.json", "gguf": folder / GGUF_FILE}
    return [form for form, sign in signs.items() if sign.exists()]


def judge_form(spec: ExportSpec, form: str, trained: Opinion, found: Opinion, *, is_rounded: bool) -> Agreement:
    """Return how far one form agrees with the trained model.

    Raises:
        ExportRefusedError: if that is less than rounding allows (see `compare_opinions`).
    """
    sizes = [opinion.log_probabilities[0].shape[-1] for opinion in (trained, found)]
    if sizes[0] != sizes[1]:
        reason = f"the {form} model has a vocabulary of {sizes[1]} tokens, and {sizes[0]} were trained."
        raise ExportRefusedError(name=spec.name, reason=reason)
    agreed = compare_opinions(trained, found, is_rounded=is_rounded)
    problem = ""
    if not agreed.kl < MOST_DIVERGENCE:  # NaN is refused too
        problem = f"its divergence from the trained model is {agreed.kl:.3g} nats a token, and {MOST_DIVERGENCE:g} is allowed"
    elif agreed.num_other:
        problem = f"{agreed.num_other} of {len(trained.answers)} greedy answers differ from those of the trained model"
    if problem:
        raise ExportRefusedError(name=spec.name, reason=f"the {form} model is not the one that was trained: {problem}.")
    return agreed


def _ask_trained(spec: ExportSpec, conversations: Sequence[Conversation], ends: list[int]) -> Opinion:
    adapter = spec.trained_adapter
    if adapter is None:
        return ask_model(load_whole(Path(spec.model_folder), name=spec.name), conversations, ends=ends)
    return ask_model(load_adapted(Path(spec.parent_folder), adapter, name=spec.name), conversations, ends=ends)


def _ask(spec: ExportSpec, folder: Path, form: str, conversations: Sequence[Conversation], ends: list[int]) -> Opinion:
    if form == "adapter":
        model = load_adapted(Path(spec.parent_folder), folder / ADAPTER, name=spec.name)
    else:
        model = load_whole(folder, name=spec.name, **({"gguf_file": GGUF_FILE} if form == "gguf" else {}))
    return ask_model(model, conversations, ends=ends)


def _context_length(spec: ExportSpec) -> int:
    try:
        config = json.loads((Path(spec.model_folder) / "config.json").read_bytes())
        return int((config.get("text_config") or config).get("max_position_embeddings") or 1 << 20)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ExportError(name=spec.name, reason=f"config.json cannot be read ({error})") from error
