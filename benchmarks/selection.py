"""How long it takes to rank and select rows, to run a quality suite, and to mix with replay.

python -m benchmarks.selection [--quick]        the last line is JSON

Rows have random words, so that hardly any are alike: the worst case for the walk that compares each row with all kept ones.
`good_share` is the share of good rows among those kept (as many as there are) where 50 noisy rows stand beside each good one.
"""

import argparse
import json
import random
import resource
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from curation.mix.config import MixConfig, SelectionConfig
from curation.mix.mixing import mix_rows
from curation.mix.scores import score_rows
from curation.mix.selection import select_best
from curation.mix.texts import answer_text, prompt_text
from curation.mix.vectors import text_vectors
from curation.quality.config import QualityConfig
from curation.quality.flatten import flatten_examples
from curation.quality.suites import run_suite
from curation.records import Example, Message, Provenance
from curation.tables import to_arrow

WORDS = [f"word{number}" for number in range(8000)]
NOISE = (
    "I'm sorry, but I can't help with that.",
    "ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok.",
    "",
    "\ufffd\ufffd\ufffd",
    "and then we take all of the rows and we",
)


def make_example(key: str, prompt: str, answer: str) -> Example:
    """Return a row."""
    messages = (Message(role="user", content=prompt), Message(role="assistant", content=answer))
    return Example(key=key, task="qa", messages=messages, group=key, provenance=Provenance(origin="human", method="m"))


def make_rows(number: int) -> list[Example]:
    """Return rows of 5 to 40 words of prompt and 3 to 90 of answer, in seven sources."""
    chance = random.Random(1)
    return [
        make_example(
            f"s{n % 7}/f#{n}",
            " ".join(chance.choices(WORDS, k=chance.randint(5, 40))) + "?",
            " ".join(chance.choices(WORDS, k=chance.randint(3, 90))) + ".",
        )
        for n in range(number)
    ]


def make_noisy_mix(number: int) -> list[Example]:
    """Return `number` good rows and 50 times as many bad ones of five kinds."""
    chance = random.Random(2)

    def some(least: int, most: int) -> str:
        return " ".join(chance.choices(WORDS, k=chance.randint(least, most)))

    good = [
        make_example(f"good/{n}", f"Explain in three steps: {some(4, 25)}?", f"First {some(10, 80)}.") for n in range(number)
    ]
    return good + [make_example(f"noisy/{n}", f"{some(4, 25)}?", NOISE[n % 5]) for n in range(50 * number)]


def timed(label: str, work: Callable[[], Any]) -> tuple[Any, float]:
    """Return a result and the seconds it took, and print them."""
    started = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - started
    print(f"{label:<52} {seconds:>9.2f} s")
    return result, round(seconds, 2)


def measure_selection(rows: list[Example]) -> dict[str, float]:
    """Measure scores, vectors, and ranking given both."""
    scores, score_s = timed("built-in quality and complexity", lambda: score_rows(rows, SelectionConfig(keep=1)))
    vectors, vector_s = timed("hashed TF-IDF vectors", lambda: text_vectors([_text(row) for row in rows], seed=0))
    table = pa.table({"key": [row.key for row in rows], "quality": scores.quality, "complexity": scores.complexity})
    figures = {"score_s": score_s, "vector_s": vector_s}
    for keep in (1000, 0.2, 0.5):
        config = SelectionConfig(keep=keep)
        label = f"rank and select {keep if keep > 1 else f'{keep:.0%}'}, given scores and vectors"
        _, figures[f"select_{keep}_s"] = timed(label, lambda config=config: select_best(rows, config, table, vectors))  # type: ignore[misc]
    return figures


def _text(row: Example) -> str:
    return f"{prompt_text(row)}\n{answer_text(row)}"


def measure_quality(rows: list[Example]) -> dict[str, float]:
    """Measure the default suite of the demonstrations."""
    import great_expectations  # noqa: F401 - its import takes seconds and is not what is measured

    table = to_arrow(Example, rows)
    flat, flatten_s = timed("flatten", lambda: flatten_examples(table))
    suite = QualityConfig().suite("demonstrations")
    _, suite_s = timed(f"default suite, {len(suite)} expectations", lambda: run_suite(suite, flat))
    return {"flatten_s": flatten_s, "suite_s": suite_s, "num_expectations": len(suite)}


def measure_mix(rows: list[Example]) -> dict[str, float]:
    """Measure a mix by weights with 5 % replay."""
    weights = {f"s{n}": 1.0 + n for n in range(6)}
    config = MixConfig(weights=weights, replay_share=0.05, replay_sources=("s6",))
    mixed, seconds = timed("mix six sources by weight with 5 % replay", lambda: mix_rows(rows, config))
    shares = {name: item.num_tokens for name, item in mixed.report.by_source.items() if name != "s6"}
    total = sum(shares.values())
    off = max(abs(shares[name] / total - weight / sum(weights.values())) for name, weight in weights.items())
    return {"mix_s": seconds, "replay_share": round(mixed.report.replay_share, 6), "largest_share_error": round(off, 6)}


def main() -> None:
    """Measure, print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10,000 rows instead of 100,000")
    quick = parser.parse_args().quick
    rows, num_good = make_rows(10_000 if quick else 100_000), 100 if quick else 1000
    figures: dict[str, float] = {"rows": len(rows), **measure_selection(rows), **measure_quality(rows), **measure_mix(rows)}
    noisy = make_noisy_mix(num_good)
    selected, seconds = timed(f"keep {num_good:,} of {len(noisy):,} noisy rows, from scratch", lambda: _keep(noisy, num_good))
    figures |= {"noisy_s": seconds, "good_share": sum(row.key.startswith("good") for row in selected.kept) / num_good}
    figures["rss_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)
    print(json.dumps(figures))


def _keep(rows: list[Example], number: int) -> Any:
    return select_best(rows, SelectionConfig(keep=number))


if __name__ == "__main__":
    main()
