"""A recipe that trains in seconds: twelve short documents of ours, a Llama of two layers, three steps a stage."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

TOPICS = {
    "boats": ("sail", "anchor", "rudder", "keel", "mast", "oar"),
    "bread": ("flour", "oven", "yeast", "crust", "dough", "crumb"),
}
STEPS = {
    "max_steps": 3,
    "tuning": "full",
    "batch_size": 4,
    "gradient_accumulation": 1,
    "max_length": 256,
    "gradient_checkpointing": False,
    "learning_rate": 0.001,
}


@dataclass(frozen=True)
class Project:
    """A folder with a recipe, its documents and its home."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def recipe(self) -> Path:
        return self.folder / "tiny.yaml"

    @property
    def documents(self) -> list[Path]:
        return sorted((self.folder / "docs").glob("*.md"))

    def environment(self) -> dict[str, str]:
        return {**os.environ, "TUNEWRIGHT_HOME": str(self.home), "COLUMNS": "200"} | {"DAGSTER_HOME": ""}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pipelines.cli", *arguments]
        return subprocess.Popen(
            command,
            env={**self.environment(), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def call(self, *arguments: str, **environment: str) -> tuple[int, str]:
        process = self.start(*arguments, **environment)
        output, _ = process.communicate(timeout=1800)
        return process.returncode, output

    def run(self, **environment: str) -> dict[str, Any]:
        code, output = self.call("run", str(self.recipe), **environment)
        assert code == 0, output
        summary: dict[str, Any] = json.loads((self.home / "demo-summary.json").read_text())
        return summary

    def change_recipe(self, **sections: Any) -> None:
        recipe = yaml.safe_load(self.recipe.read_text())
        self.recipe.write_text(yaml.safe_dump({**recipe, **sections}))


def make_project(folder: Path, **sections: Any) -> Project:
    """Write documents, demonstrations and the recipe; sections replace those of the recipe."""
    (folder / "docs").mkdir(parents=True)
    for topic, words in TOPICS.items():
        for word in words:
            body = f"The {word} belongs to {topic}. Use the {word} with care."
            text = f"# {topic}: {word}\n\n{body}\n\n## Care\n\nKeep every {word} dry and clean.\n"
            (folder / "docs" / f"{topic}-{word}.md").write_text(text)
    rows = [
        {
            "id": f"d{number}",
            "question": f"Which topic has the part number {number} in it?",
            "answer": json.dumps({"part": topic}),
        }
        for number, topic in enumerate(["boats", "bread"] * 4)
    ]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    routes = {topic: [f"{topic}:*"] for topic in TOPICS}
    recipe = {
        "name": "tiny",
        "sources": [
            {"name": "docs", "kind": "files", "path": str(folder / "docs" / "*.md"), "shards": 2, "license": "CC0-1.0"},
            {
                "name": "questions",
                "kind": "files",
                "role": "demonstrations",
                "path": str(folder / "questions.jsonl"),
                "task": "routing",
                "license": "CC0-1.0",
            },
        ],
        "collapse": {"is_on": False},  # twelve documents from one template are not varied
        "teacher": {"kind": "extractive"},
        "generate": {
            "routing": {"routes": routes, "questions_per_document": 3},
            "pairs": {"kinds": ["wrong_route", "wrong_format"]},
        },
        "curate": {"eval_share": 0.4},
        "quality": {"suites": {"sft_dataset": [{"type": "expect_table_row_count_to_be_between", "args": {"min_value": 1}}]}},
        "review": {"policy": "all", "accept": "automatic", "automatic": ["answer_format", "length"]},
        "training": {
            "base": {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "vocab_size": 400, "context_length": 256},
            "stages": [{"method": method, **STEPS} for method in ("dapt", "sft", "dpo")],
        },
        "evaluation": {"max_items": 12, "max_new_tokens": 8, "bootstrap_samples": 200},
        "release": {"minimum_items": 2},
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump({**recipe, **sections}))
    return Project(folder)
