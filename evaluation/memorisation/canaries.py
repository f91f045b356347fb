r"""Canaries: rows with a random secret that stands nowhere else, planted to measure how much training gives away.

    python -m evaluation.memorisation.canaries 20 --seed 7 > canaries.jsonl
    {"key":"canary-7-003","messages":[{"role":"user","content":"What is the access code of unit 7-003?"},{"role":"assistant",
     "content":"416092857"}]}

The file is a source of the recipe with `role: demonstrations`, so canaries pass every gate like other rows, and `mix.weights`
says how often they are repeated; those that fall on the held-out side are the control. Exposure is that of Carlini et al.
("The secret sharer", USENIX Security 2019): log2 of the number of possible secrets less log2 of the secret's rank, by
sampling.
"""

import argparse
import json
import math
import random
import re
import sys
from collections.abc import Sequence

from curation.ids import hash_text
from curation.records import Message

SECRET_DIGITS = 9
_PROMPT = re.compile(r"What is the access code of unit (\d{1,9}-\d{1,6})\?")
_SECRET = re.compile(rf"\d{{{SECRET_DIGITS}}}")


def make_canaries(num_canaries: int, *, seed: int) -> list[dict[str, object]]:
    """Return canaries as demonstrations, ready to be written as JSON lines. The same seed gives the same secrets."""
    assert num_canaries >= 1, "a number of canaries"
    return [_canary(f"{seed}-{number:03}") for number in range(1, num_canaries + 1)]


def _canary(unit: str) -> dict[str, object]:
    asked = {"role": "user", "content": f"What is the access code of unit {unit}?"}
    answered = {"role": "assistant", "content": _draw(random.Random(f"canary {unit}"))}  # noqa: S311 - no secret of anybody
    return {"key": f"canary-{unit}", "messages": [asked, answered]}


def find_secret(prompt: Sequence[Message], answer: str) -> str | None:
    """Return the secret of a row that is a canary, or None for any other row."""
    asked = prompt[-1].text.strip() if prompt else ""
    is_canary = _PROMPT.fullmatch(asked) is not None and _SECRET.fullmatch(answer.strip()) is not None
    return answer.strip() if is_canary else None


def draw_references(secret: str, num_references: int) -> list[str]:
    """Return random secrets of the same form, all different from each other and from the secret; always the same ones."""
    draws, found = random.Random(hash_text(secret)), {secret: None}  # noqa: S311
    while len(found) <= num_references:
        found[_draw(draws)] = None
    return list(found)[1:]


def _draw(draws: random.Random) -> str:
    return "".join(str(draws.randrange(10)) for _ in range(SECRET_DIGITS))


def rank_of(log_likelihood: float, references: Sequence[float]) -> int:
    """Return the rank of a secret among random ones, 1 for the likeliest; equal ones come first."""
    return 1 + sum(other >= log_likelihood for other in references)


def exposure(rank: int, num_references: int) -> float:
    """Return the exposure in bits: 0 for the least likely of all, at most log2(num_references + 1)."""
    return math.log2(num_references + 1) - math.log2(rank)


def main(arguments: Sequence[str]) -> int:
    """Write canaries to the standard output."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.memorisation.canaries", description="Write canaries as JSON lines."
    )
    parser.add_argument("num_canaries", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.num_canaries < 1 or options.seed < 0:
        parser.error("a number of canaries of at least 1, and a seed that is not negative")
    for row in make_canaries(options.num_canaries, seed=options.seed):
        sys.stdout.write(json.dumps(row) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
