"""The corpus of the near-duplicate benchmark: short instruction rows of invented words, a tenth of them planted copies.

rows, clusters = make_corpus(100_000)      rows of one cluster are copies of each other; about 239 characters a row

Half of the originals are free text, half fill one of 6 shared templates (hard negatives: nearly half of a row is the same in
thousands of others). Copies are of 4 kinds in equal parts: other case and punctuation; 5 % of the words replaced; a
prefix or a suffix added; 10 % of the words replaced and two words swapped.
"""

from itertools import product

import numpy as np

KINDS = ("case", "replaced_5", "inserted", "replaced_10_swap")
TEMPLATES = (
    "You are given a report about {}. Summarise the report in three short sentences and mention {} where it matters, then {}",
    "Write a friendly reply to a customer who asks about {}. Explain clearly how {} works in our product and close with {}",
    "Translate the following passage into plain language for a new colleague: {}. Keep all the names such as {} and add {}",
    "Compare these two options for a small company, with their strengths and weaknesses: {} on one side, {} on the other, {}",
    "Extract every requirement from the text below and return them as a numbered list. Text: {}. Also consider {} and {}",
    "Given the table of results {}, describe the most important trend to a manager in simple words, using {} and also {}",
)
NUMBERS = {"two", "three"}
"""Words that no copy changes: a row that asks for another number is a sibling, not a copy."""
ADDED = (
    "Please answer carefully and in full.",
    "Be concise.",
    "Think about it step by step before you reply.",
    "Here is the next task for you:",
    "Thanks in advance for your help!",
    "Reply in plain English only.",
    "Make sure that nothing is missing:",
    "I need this for my work today.",
)


def make_corpus(num_rows: int, seed: int = 20_240) -> tuple[list[str], list[int], list[str]]:
    """Return rows in random order, the cluster of each (copies share that of their original), and the kind of each."""
    choose = np.random.default_rng(seed)
    words = _make_words(choose, 20_000)
    num_copies = num_rows // 10
    originals = _make_originals(choose, words, num_rows - num_copies)
    sources = choose.choice(len(originals), num_copies, replace=False).tolist()
    kinds = [KINDS[number % len(KINDS)] for number in range(num_copies)]
    copies = [_copy(choose, originals[source], kind, words) for source, kind in zip(sources, kinds, strict=True)]
    rows, clusters = originals + copies, [*range(len(originals)), *sources]
    all_kinds = ["original"] * len(originals) + kinds
    order = choose.permutation(num_rows).tolist()
    return [rows[at] for at in order], [clusters[at] for at in order], [all_kinds[at] for at in order]


def _make_words(choose: np.random.Generator, number: int) -> list[str]:
    syllables = ["".join(letters) for letters in product("bcdfglmnprstvz", "aeiou", ["", "n", "r", "s", "l"])]
    words = {"".join(choose.choice(syllables, choose.integers(2, 4))) for _ in range(2 * number)}
    return sorted(words)[:: max(1, len(words) // number)][:number]


def _make_originals(choose: np.random.Generator, words: list[str], number: int) -> list[str]:
    lengths = choose.integers(24, 40, number).tolist()
    weights = 1 / (np.arange(len(words)) + 50)
    drawn = choose.choice(len(words), sum(lengths), p=weights / weights.sum()).tolist()
    rows, start = [], 0
    for at, length in enumerate(lengths):
        mine = [words[word] for word in drawn[start : start + length]]
        start += length
        rows.append(_free_text(mine) if at % 2 else _templated(mine, TEMPLATES[at // 2 % len(TEMPLATES)]))
    return rows


def _free_text(words: list[str]) -> str:
    half = len(words) // 2
    return f"{' '.join(words[:half]).capitalize()}. {' '.join(words[half:]).capitalize()}."


def _templated(words: list[str], template: str) -> str:
    size = max(3, (len(words) - 14) // 3 + 1)
    return template.format(*(" ".join(words[part * size : (part + 1) * size]) for part in range(3))) + "."


def _copy(choose: np.random.Generator, text: str, kind: str, words: list[str]) -> str:
    if kind == "case":
        changed = [text.upper(), text.lower(), text.title()][choose.integers(3)]
        return changed.replace(".", ["!", "", " ..."][choose.integers(3)]).replace(",", [";", ""][choose.integers(2)])
    if kind == "inserted":
        added = ADDED[choose.integers(len(ADDED))]
        return f"{added} {text}" if choose.integers(2) else f"{text} {added}"
    parts = text.split()
    share = 0.05 if kind == "replaced_5" else 0.10
    free = [at for at, part in enumerate(parts) if part not in NUMBERS]
    for at in choose.choice(free, max(1, round(share * len(parts))), replace=False).tolist():
        parts[at] = words[choose.integers(len(words))]
    if kind == "replaced_10_swap":
        one, two = choose.choice(len(parts), 2, replace=False).tolist()
        parts[one], parts[two] = parts[two], parts[one]
    return " ".join(parts)
