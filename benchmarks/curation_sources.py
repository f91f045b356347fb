"""The real data of the curation benchmark as sources of a recipe: every file that holds rows or documents to learn from.

sources(Path("/data/realdata"))[0]      SourceConfig(name="alpaca", kind="files", role="demonstrations", path=..., ...)
"""

from pathlib import Path
from typing import Any

from curation.ingest.config import SourceConfig
from curation.ingest.shapes.config import ColumnsConfig, ShapeConfig

_COMPLETION = ShapeConfig(name="prompt_completion", columns=ColumnsConfig(user="prompt", assistant="canonical_solution"))
DEMONSTRATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "alpaca": ("llamafactory_demo/alpaca_en_demo.json", "Apache-2.0", {}),
    "dpo": ("llamafactory_demo/dpo_en_demo.json", "Apache-2.0", {}),
    "kto": ("llamafactory_demo/kto_en_demo.json", "Apache-2.0", {}),
    "glaive": ("llamafactory_demo/glaive_toolcall_en_demo.json", "Apache-2.0", {}),
    "chats": ("fastchat_dummy_chat/dummy_conversation.json", "Apache-2.0", {}),
    "gsm8k": ("gsm8k/data/train.jsonl", "MIT", {}),
    "gsm8k_test": ("gsm8k/data/test.jsonl", "MIT", {}),
    "codegen": ("gpteacher_codegen/codegen-instruct.json", "MIT", {}),
    "seeds": ("self_instruct_seeds/**/seed_tasks.jsonl", "Apache-2.0", {}),
    "banking_train": ("banking77/train.csv", "CC-BY-4.0", {}),
    "banking_test": ("banking77/test.csv", "CC-BY-4.0", {}),
    "medquad": ("medquad/**/*.xml", "CC-BY-4.0", {"record_path": "QAPair"}),
    "aqua": ("aqua/*.json", "Apache-2.0", {}),
    "sgd": ("sgd_dialogues/dev/dialogues_*.json", "CC-BY-SA-4.0", {}),
    "mbpp": ("mbpp_sanitized/**/*.jsonl", "MIT", {"shape": _COMPLETION}),
    "humaneval": ("humaneval/HumanEval.jsonl.gz", "MIT", {"shape": _COMPLETION}),
    "abcd": (
        "abcd_support/abcd_sample.json",
        "MIT",
        {"shape": ShapeConfig(role_names={"action": "skip"}, trim_to_assistant=True)},
    ),
}
DOCUMENTS = {
    "polars_docs": ("polars_docs/**/*.md", "MIT"),
    "fastapi_docs": ("fastapi_docs/**/*.md", "MIT"),
    "httpx_docs": ("httpx_docs/**/*.md", "BSD-3-Clause"),
    "dagster_docs": ("dagster_university/**/*.md", "Apache-2.0"),
    "web": ("llamafactory_demo/c4_demo.jsonl", "ODC-By-1.0"),
    "wiki": ("llamafactory_demo/wiki_demo.txt", "CC-BY-SA-4.0"),
    "duplicates": ("dedupe_true_ids/csv_example_input_with_true_ids.csv", "MIT"),
    "products": ("dedupe_true_ids/AbtBuy_*.csv", "MIT"),
    "private": ("presidio_pii/**/*.json", "MIT"),
    "rephrased": ("llm_decontaminator/data/rephrase/rephrase_gsm8k.jsonl", "Apache-2.0"),
    "rules": ("ifeval/input_data.jsonl", "Apache-2.0"),
    "questions": ("self_instruct_seeds/**/user_oriented_instructions.jsonl", "Apache-2.0"),
}


def sources(folder: Path) -> list[SourceConfig]:
    """Return all sources, demonstrations first."""
    found = [
        SourceConfig(
            name=name, kind="files", role="demonstrations", path=str(folder / path), license=license, task=name, **more
        )
        for name, (path, license, more) in DEMONSTRATIONS.items()
    ]
    found += [
        SourceConfig(name=name, kind="files", path=str(folder / path), license=license)
        for name, (path, license) in DOCUMENTS.items()
    ]
    return found
