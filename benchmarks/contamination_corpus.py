"""A training set with planted copies of evaluation items, made from invented words.

    corpus = make_corpus(num_clean=90_000, num_items=2_000)      90,000 clean rows, 2,000 items, 10,000 planted rows

Half of the clean rows and of the items are free text; the other half fills slots of six shared templates, so most of what they
share is the template. Each item is planted five times: word for word, with other case and punctuation, with 5 % of its words
replaced, inside other text, and with 10 % of its words replaced and two neighbours swapped.
"""

import random
from dataclasses import dataclass

KINDS = ("exact", "norm", "replace_5", "inside", "replace_10_swap")
TEMPLATES = (
    "Write a short story of about {n} words in which a {w} meets a {w} near the old bridge of {w} and both of them learn "
    "something new about patience and the value of friendship",
    "You are given a list of {n} items about {w}. Sort them by their {w} in descending order and return only the first {n} "
    "entries as a JSON array without any further explanation",
    "Explain to a {n} year old child what a {w} is and why the {w} of {w} matters in everyday life and use one simple example "
    "from school or from home",
    "A shop sells {w} for {n} dollars each and {w} for {n} dollars each. If a customer buys {n} of the first and {n} of the "
    "second kind how much does the customer pay in total",
    "Translate the following sentence about {w} into formal English and keep the names {w} and {w} as they are and mark every "
    "word that has no exact translation with a star",
    "Summarize the history of the {w} of {w} between {n} and {n} in three sentences for a general reader and mention at least "
    "one person called {w}",
)
_OPENERS = ("Please answer carefully:", "Here is a task for you.", "I need some help with this one,", "Question number seven:")
_CLOSERS = ("Think step by step.", "Thanks in advance!", "Give only the final answer.", "Explain how you got there.")


@dataclass(frozen=True)
class Corpus:
    """Rows to check, and the item that each planted row gives away (-1 for a clean row)."""

    rows: list[str]
    planted_item: list[int]
    kinds: list[str]
    """Kind of each row: one of KINDS, `free` or `template`."""
    items: list[str]


def make_corpus(num_clean: int = 90_000, num_items: int = 2_000, seed: int = 7) -> Corpus:
    """Return the corpus; 5 planted rows an item."""
    source = random.Random(seed)
    words = ["".join(source.choices("abcdefghiklmnoprstuvw", k=source.randint(3, 10))) for _ in range(20_000)]
    items = [_text(source, words, number) for number in range(num_items)]
    made = [(_text(source, words, number), -1, "template" if number % 2 else "free") for number in range(num_clean)]
    made += [(_copy(source, words, text, kind), number, kind) for number, text in enumerate(items) for kind in KINDS]
    source.shuffle(made)
    return Corpus([row[0] for row in made], [row[1] for row in made], [row[2] for row in made], items)


def _text(source: random.Random, words: list[str], number: int) -> str:
    if number % 2 == 0:
        return " ".join(source.choices(words, k=min(80, max(8, int(source.lognormvariate(3.4, 0.4))))))
    parts = source.choice(TEMPLATES).replace("{n}", "{w}#").split("{w}")
    filled = parts[0]
    for part in parts[1:]:
        filled += str(source.randint(2, 999)) + part[1:] if part.startswith("#") else source.choice(words) + part
    return filled


def _copy(source: random.Random, words: list[str], text: str, kind: str) -> str:
    if kind == "norm":
        return "  ".join(word.upper() if source.random() < 0.3 else word for word in text.split()) + " !!"
    if kind == "inside":
        return f"{source.choice(_OPENERS)} {text} {source.choice(_CLOSERS)}"
    if kind == "exact":
        return text
    share = 0.05 if kind == "replace_5" else 0.10
    copied = [source.choice(words) if source.random() < share else word for word in text.split()]
    if kind == "replace_10_swap":
        place = source.randrange(len(copied) - 1)
        copied[place : place + 2] = reversed(copied[place : place + 2])
    return " ".join(copied)
