"""Items for the review benchmarks, written by a generator: as long as real ones, each different, made as they are needed.

list(make_items(2))      [ReviewItem(key="3c...", kind="example", prompt=(...), answer="...", ...), ...]
"""

import random
from collections.abc import Iterator

from curation.ids import content_hash
from curation.records import Message, Provenance, ReviewItem, SourceSpan

NOUNS = ("window", "frame", "group", "column", "expression", "schema", "literal", "context", "sink", "plan", "batch", "stream")
VERBS = ("returns", "casts", "groups", "sorts", "drops", "renames", "joins", "reads", "writes", "folds", "counts", "hashes")
RUBRIC = "v1"


def make_items(num: int, *, first: int = 0, seed: int = 7) -> Iterator[ReviewItem]:
    """Yield items `first` to `first + num` - 1: about 200 characters of prompt and answer, and a passage of 400."""
    for number in range(first, first + num):
        rng = random.Random(f"{seed}/{number}")
        topic = f"{rng.choice(NOUNS)}_{number}"
        passage = " ".join(f"It {rng.choice(VERBS)} the {rng.choice(NOUNS)} of {topic}." for _ in range(12))
        answer = f"{topic} {rng.choice(VERBS)} a {rng.choice(NOUNS)} and {rng.choice(VERBS)} the {rng.choice(NOUNS)}."
        yield ReviewItem(
            key=content_hash(["benchmark", seed, number]),
            kind="example",
            prompt=(Message(role="user", content=f"What does {topic} do with a {rng.choice(NOUNS)}? Answer in one sentence."),),
            answer=answer,
            alternative="",
            rubric_version=RUBRIC,
            record_key=f"benchmark/{number}",
            record_hash=content_hash(number),
            evidence=(passage,),
            task=rng.choice(("describe", "explain", "compare")),
            provenance=Provenance(
                origin="synthetic",
                method="grounded_qa",
                spans=(SourceSpan(document_key=f"benchmark/{number}", document_hash="ab" * 16, start=0, end=len(passage)),),
                teacher="extractive",
                generation_depth=1,
            ),
        )
