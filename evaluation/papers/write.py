"""Writes the papers of a model into one folder, and puts them beside an exported model.

write_papers(facts, folder)

README.md             the model card
model.cdx.json        the bill of materials, CycloneDX 1.6
.eval_results/*.yaml  results as the Hugging Face Hub reads them
evidence.json         where every number comes from
openlineage.jsonl     how it was made, if the recipe asks for it
"""

import json
import shutil
import uuid
from pathlib import Path
from typing import NamedTuple

from curation.checksums import add_sums, read_sums
from curation.files import write_atomically
from evaluation.papers.bom import add_files, write_bom
from evaluation.papers.citations import Citations
from evaluation.papers.eval_results import FOLDER, result_files
from evaluation.papers.facts import PaperFacts
from evaluation.papers.model_card import write_model_card
from evaluation.papers.openlineage import as_lines, lineage_events

CARD = "README.md"
BOM = "model.cdx.json"
EVIDENCE = "evidence.json"
EVENTS = "openlineage.jsonl"


class WrittenPapers(NamedTuple):
    """What was written."""

    folder: Path
    num_citations: int


def write_papers(facts: PaperFacts, folder: Path) -> WrittenPapers:
    """Write all papers into a folder that holds nothing else; an earlier one is replaced. Raises OSError."""
    cite = Citations()
    texts = {CARD: write_model_card(facts, cite), BOM: _as_json(write_bom(facts, cite)), **result_files(facts, cite)}
    cited = cite.as_plain()
    texts[EVIDENCE] = _as_json({"recipe": facts.recipe, "model": facts.model.hash, "numbers": cited})
    if facts.stated.openlineage:
        texts[EVENTS] = as_lines(lineage_events(facts))
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.part")
    try:
        for name, text in texts.items():
            write_atomically(part / name, text.encode("utf-8", "replace"))
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return WrittenPapers(folder, len(cited))


def lay_beside(papers: Path, export: Path) -> None:
    """Put the papers of a model beside its export, the bill of materials with the hashes of the files there, and sign them.

    Args:
        papers: what `write_papers` wrote; older ones that lack a file are taken as they are.
        export: a folder with SHA256SUMS.

    Raises:
        OSError: if a file cannot be read or written.
        ValueError: if the export is not signed, or the bill of materials cannot be read.
    """
    sums = read_sums(export)
    added = []
    for name in (EVIDENCE, EVENTS, *(f"{FOLDER}/{file.name}" for file in sorted((papers / FOLDER).glob("*.yaml")))):
        if (papers / name).exists():
            write_atomically(export / name, (papers / name).read_bytes())
            added.append(name)
    if (papers / BOM).exists():
        bom = add_files(
            json.loads((papers / BOM).read_bytes()), {name: sums[name] for name in sums if name not in (BOM, *added)}
        )
        write_atomically(export / BOM, _as_json(bom).encode())
        added.append(BOM)
    add_sums(export, *added)


def _as_json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False) + "\n"
