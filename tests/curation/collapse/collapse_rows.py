"""A small world of sentences with a long tail, and models that learn it from each other."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from curation.records import Example, Message, Origin, Provenance


def row(key: str, text: str, origin: Origin, *, task: str = "qa", depth: int = 0, parents: tuple[str, ...] = ()) -> Example:
    question, _, answer = text.partition("|")
    messages = (Message(role="user", content=question), Message(role="assistant", content=answer))
    provenance = Provenance(origin=origin, method="test", generation_depth=depth, parents=parents)
    return Example(key=key, task=task, messages=messages, group=key, provenance=provenance)


def human_rows(num_rows: int, seed: int = 0, source: str = "people", task: str = "qa") -> list[Example]:
    """Sentences whose words follow Zipf's law, so that most of the vocabulary is rare."""
    rng = random.Random(seed)
    words = [
        f"{first}{middle}{last}" for first in "bdgklmnprst" for middle in "aeiou" for last in ("n", "rt", "l", "st", "mp", "x")
    ]
    words += [f"{word}ing" for word in words] + [f"re{word}" for word in words]
    random.Random(99).shuffle(words)
    weights = [1 / (rank + 3) for rank in range(len(words))]

    def sentence(length: int) -> str:
        return " ".join(rng.choices(words, weights, k=length))

    return [
        row(f"{source}/{number}", f"{sentence(rng.randint(5, 12))}?|{sentence(rng.randint(8, 20))}.", "human", task=task)
        for number in range(num_rows)
    ]


def next_generation(rows: Sequence[Example], num_rows: int, depth: int, seed: int, top: int = 12) -> list[Example]:
    """What a bigram model writes that has learned from rows and only ever says its likeliest next words."""
    rng = random.Random(seed)
    following: dict[str, Counter[str]] = defaultdict(Counter)
    for one in rows:
        words = ["<", *f"{one.messages[0].content[:-1]} {one.answer[:-1]}".split()]
        for word, after in zip(words, words[1:], strict=False):
            following[word][after] += 1
    likely = {word: counts.most_common(top) for word, counts in sorted(following.items())}
    return [row(f"model{depth}/{number}", _write(likely, rng), "synthetic", depth=depth) for number in range(num_rows)]


def resampled(rows: Sequence[Example], num_rows: int, depth: int = 1, source: str = "model") -> list[Example]:
    """Healthy synthetic rows: as people would have written them."""
    return [
        row(f"{source}/{number}", f"{one.messages[0].content}|{one.answer}", "synthetic", depth=depth)
        for number, one in enumerate(rows)
    ][:num_rows]


def _write(likely: dict[str, list[tuple[str, int]]], rng: random.Random) -> str:
    words = ["<"]
    for _ in range(rng.randint(13, 32)):
        options, weights = zip(*likely.get(words[-1], likely["<"]), strict=True)
        words.append(rng.choices(options, weights)[0])
    middle = len(words) // 3
    return " ".join(words[1:middle]) + "?|" + " ".join(words[middle:]) + "."
