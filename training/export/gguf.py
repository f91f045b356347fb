"""GGUF through llama.cpp's converter, where somebody has installed it.

    write_gguf(folder, name="sdk_assistant")        # FOLDER/model.gguf, or ExportRefusedError saying what is missing

The file is written in the precision of the weights, and read back: its chat template and end token are compared with those
of the tokenizer here, its weights in `training.export.proof`.
"""

import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from curation.errors import ExportRefusedError
from training.export.spec import GGUF_FILE
from training.export.weights import list_tensors

CONVERTERS = ("convert_hf_to_gguf.py", "convert-hf-to-gguf.py")
"""How llama.cpp has called its converter."""
TYPES = {"F32": "f32", "BF16": "bf16", "F16": "f16"}
LONGEST_SECONDS = 4 * 3600


def find_converter() -> Path | None:
    """Return llama.cpp's converter if it lies in a folder of PATH; as a script it need not be executable."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    return next((folder / script for folder in folders for script in CONVERTERS if (folder / script).is_file()), None)


def write_gguf(folder: Path, *, name: str) -> Path:
    """Convert the merged model in a folder, and return the file beside it.

    Raises:
        ExportRefusedError: if the converter or the package `gguf` is missing, or the converter does not take the model.
    """
    converter = find_converter()
    if converter is None:
        reason = f"GGUF needs llama.cpp's {CONVERTERS[0]}, which is in no folder of PATH."
        raise ExportRefusedError(name=name, reason=reason)
    if importlib.util.find_spec("gguf") is None:
        raise ExportRefusedError(name=name, reason="GGUF needs the package `gguf`, with which the file is read back.")
    out = folder / GGUF_FILE
    kind = TYPES.get(_widest_type(folder, name), "f32")
    command = [sys.executable, str(converter), str(folder), "--outfile", str(out), "--outtype", kind]
    is_done = False
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
        said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        is_done = out.exists() and not done.returncode
    except subprocess.TimeoutExpired:
        said = f"it was not done after {LONGEST_SECONDS // 3600} hours"
    if not is_done:
        raise ExportRefusedError(name=name, reason=f"llama.cpp's converter does not take the model ({said[:300]}).")
    return out


def check_gguf(file: Path, tokenizer: Any, *, name: str) -> None:
    """Compare what a GGUF file says about prompts with the tokenizer.

    Raises:
        ExportRefusedError: if chat template or end token differ, or the file cannot be read.
    """
    reader = importlib.import_module("gguf")  # an optional package without types
    try:
        fields = reader.GGUFReader(file).fields
        template = fields["tokenizer.chat_template"].contents()
        end = fields["tokenizer.ggml.eos_token_id"].contents()
    except Exception as error:  # OSError, ValueError, KeyError, ...
        reason = f"{file.name} names no chat template and end token, or cannot be read ({type(error).__name__}: {error})."
        raise ExportRefusedError(name=name, reason=reason) from error
    if template != tokenizer.chat_template:
        raise ExportRefusedError(name=name, reason=f"{file.name} has another chat template than the model.")
    if end != tokenizer.eos_token_id:
        reason = f"{file.name} ends at token {end}, the model at {tokenizer.eos_token_id}."
        raise ExportRefusedError(name=name, reason=reason)


def _widest_type(folder: Path, name: str) -> str:
    sizes: dict[str, int] = {}
    for tensor in list_tensors(sorted(folder.glob("*.safetensors")), name):
        sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.size
    return max(sizes, key=lambda dtype: sizes[dtype])
