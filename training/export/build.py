"""Builds an export under a temporary name, proves it, signs it, and only then puts it where it belongs.

export_model(spec, say)

    OUT/model.safetensors (or shards of 5 GB), config.json, generation_config.json, tokenizer.json, chat_template.jinja
    OUT/adapter/           the adapter for vLLM, with tokenizer, template and generation config of its own
    OUT/Modelfile          for Ollama
    OUT/model.gguf         for llama.cpp
    OUT/README.md          the model card
    OUT/proof.json         what was measured
    OUT/SHA256SUMS         the hash of every file: `sha256sum -c SHA256SUMS`
"""

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from curation.checksums import write_sums
from curation.errors import ExportError, ExportRefusedError
from curation.files import replace_folder, write_atomically
from training.base_model import load_tokenizer
from training.export.adapter import CONFIG, why_unserved, write_adapter
from training.export.conversations import choose_conversations
from training.export.gguf import check_gguf, write_gguf
from training.export.modelfile import RenderedPrompt, write_modelfile
from training.export.prompts import read_ends
from training.export.proof import prove_export
from training.export.spec import ADAPTER, ExportSpec
from training.export.weights import list_weight_files, write_weights
from training.preflight.served import serve_prompts
from training.progress import Say

SUFFIXES = frozenset({".json", ".jinja", ".model", ".txt"})
"""What is copied from the top of the model folder besides weights; pickled weights and checkpoints never are."""
NOT_COPIED = frozenset({"model.safetensors.index.json"})
ABOUT_WEIGHTS = frozenset({"config.json", "manifest.json"})
"""Files that belong to the merged weights and not to an adapter."""


def export_model(spec: ExportSpec, say: Say) -> Path:
    """Write, prove and sign the forms of a model that the spec asks for, and return their folder.

    An earlier export is replaced as a whole, and stays as it was where this one fails.

    Raises:
        ExportRefusedError: if the export is not, token by token, the model that was trained; nothing of it is kept.
        ExportError: if the model has no readable weights, tokenizer or config, or the folder cannot be written.
    """
    out = Path(spec.out)
    part = out.with_name(f".{out.name}.{uuid.uuid4().hex}.part")
    try:
        part.mkdir(parents=True)
        notes = write_forms(spec, part, say)
        proof = prove_export(spec, part, say)
        (part / "README.md").write_text(spec.readme)
        text = json.dumps({**proof.as_plain(), "notes": notes}, indent=1, sort_keys=True)
        write_atomically(part / "proof.json", text.encode())
        write_sums(part)
        replace_folder(part, out)
    except OSError as error:
        raise ExportError(name=spec.name, reason=f"{error.strerror or error} ({error.filename or out})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out


def write_forms(spec: ExportSpec, out: Path, say: Say) -> dict[str, str]:
    """Write the forms that a spec asks for, unproved, and return what is to be said about them, such as what is left out.

    Raises:
        ExportRefusedError, ExportError, OSError: as `export_model`.
    """
    source, notes = Path(spec.model_folder), {}
    config = _read_json(source / "config.json", spec.name)
    _read_json(source / "tokenizer.json", spec.name)
    if config.get("quantization_config"):
        raise ExportError(name=spec.name, reason="its weights are quantised; a model is merged in the precision of its base")
    files = list_weight_files(source, spec.name)
    if spec.merged:
        say("export: writing the merged model")
        _copy_settings(source, out)
        write_weights(files, out, name=spec.name)
    reason = _why_no_adapter(spec)
    if reason:
        notes["adapter"] = f"left out: {reason}"
    else:
        _write_adapter(spec, out / ADAPTER)
    if spec.ollama:
        refusal = _write_modelfile(spec, config, out)
        notes |= {"ollama": f"no TEMPLATE: {refusal}"} if refusal else {}
    if spec.gguf:
        say("export: converting to GGUF")
        check_gguf(write_gguf(out, name=spec.name), load_tokenizer(str(out)), name=spec.name)
    return notes


def _why_no_adapter(spec: ExportSpec) -> str:
    """Say why no adapter is written; empty if one is. Raises ExportRefusedError where the export would be nothing without."""
    if spec.adapter is False:
        return "not asked for"
    if spec.trained_adapter is None:
        reason = "all weights of the model were trained, so that it has no adapter"
    else:
        reason = why_unserved(spec.trained_adapter)
    if reason and (spec.adapter or not spec.merged):
        raise ExportRefusedError(name=spec.name, reason=f"vLLM cannot serve an adapter of it: {reason}.")
    return reason


def _write_adapter(spec: ExportSpec, out: Path) -> None:
    assert spec.trained_adapter is not None
    write_adapter(spec.trained_adapter, out, name=spec.name, base=spec.base, revision=spec.revision)
    _copy_settings(Path(spec.model_folder), out, without=ABOUT_WEIGHTS)
    rank = json.loads((out / CONFIG).read_bytes())["r"]
    (out / "README.md").write_text(
        f"# Adapter of {spec.name}\n\nBase: `{spec.base}`{f' at {spec.revision}' if spec.revision else ''}\n\n"
        f"    vllm serve BASE --enable-lora --max-lora-rank {rank} --lora-modules {spec.name}=ADAPTER \\\n"
        "        --tokenizer ADAPTER --chat-template ADAPTER/chat_template.jinja\n"
    )


def _write_modelfile(spec: ExportSpec, config: dict[str, Any], out: Path) -> str:
    """Write the Modelfile, and return why it has no template; empty if it has one."""
    tokenizer = load_tokenizer(spec.parent_folder or spec.model_folder)
    context = (config.get("text_config") or config).get("max_position_embeddings") or 1 << 20
    examples = [item.example for item in choose_conversations(spec, tokenizer, longest=int(context))]
    rendered = [
        RenderedPrompt(example.prompt, text, example.tools)
        for example, text in zip(examples, serve_prompts(tokenizer, examples).texts, strict=True)
    ]
    stops = tokenizer.convert_ids_to_tokens(read_ends(out, spec.name))
    made = write_modelfile(out, config, stops=stops, rendered=rendered)
    (out / "Modelfile").write_text(made.text)
    return made.refusal


def _copy_settings(source: Path, out: Path, *, without: frozenset[str] = frozenset()) -> None:
    for file in sorted(source.iterdir()):
        wanted = file.suffix in SUFFIXES and file.name not in NOT_COPIED | without and not file.name.startswith(".")
        if wanted and file.is_file():
            shutil.copyfile(file, out / file.name)


def _read_json(path: Path, name: str) -> dict[str, Any]:
    try:
        parsed = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ExportError(name=name, reason=f"{path.name} cannot be read ({error})") from error
    if not isinstance(parsed, dict):
        raise ExportError(name=name, reason=f"{path.name} holds no object")
    return parsed
