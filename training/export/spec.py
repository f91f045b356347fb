"""What the parent asks an exporting process to do: one JSON file.

spec = ExportSpec(name="sdk_assistant", store_url=store.url, conversations=table.root, model_folder="/store/folders/9f...",
                  parent_folder="/store/folders/3a...", base="meta-llama/Llama-3.1-8B-Instruct", readme=card,
                  out="/home/work/export", work_folder="/home/work/exporting")
spec.write(Path("/home/work/exporting/spec.json"))
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from curation.errors import ConfigError
from curation.files import write_atomically

ADAPTER = "adapter"
"""The folder of the adapter, both in a trained model and in its export."""
GGUF_FILE = "model.gguf"


@dataclass(frozen=True, kw_only=True)
class ExportSpec:
    """One export of one trained model."""

    name: str
    """What the model is called in messages and cards."""
    store_url: str
    conversations: str
    """Root of a table of examples; 20 of them prove the export."""
    model_folder: str
    """The trained model, its adapter merged in and, if it has one, kept beside it."""
    parent_folder: str = ""
    """The model that training started from: its tokenizer made the rows, and an adapter belongs onto it. Empty if unknown: then
    the trained model's own tokenizer is taken, and no adapter."""
    base: str = ""
    """What the model in `parent_folder` is called by those who serve the adapter: a Hub name, or a name of ours."""
    revision: str | None = None
    """Commit, tag or branch of a base on the Hub."""
    adapter: bool | None = None
    """Whether the adapter is exported; None: if there is one that vLLM can serve."""
    merged: bool = True
    ollama: bool = True
    gguf: bool = False
    readme: str = ""
    """The model card."""
    out: str
    work_folder: str

    @property
    def trained_adapter(self) -> Path | None:
        """Where the adapter lies that the stage has trained, or None."""
        folder = Path(self.model_folder) / ADAPTER
        return folder if self.parent_folder and (folder / "adapter_config.json").exists() else None

    def write(self, path: Path) -> Path:
        """Write the spec as JSON, atomically, and return the path. Raises OSError."""
        write_atomically(path, json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True).encode())
        return path

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a spec. Raises OSError or ConfigError."""
        try:
            return cls(**json.loads(path.read_bytes()))
        except (ValueError, TypeError) as error:
            raise ConfigError(path=str(path), problem="is not an export spec", value=str(error)) from error
