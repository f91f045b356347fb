"""chrF: how much two texts have in common, by n-grams of characters; made for languages whose words change their endings.

    chrf("The tea is hot.", "The tea is hot!")        0.89

Popovic, "chrF: character n-gram F-score for automatic MT evaluation", 2015: mean precision and recall over n = 1..6, white
space left out, recall counted twice as much (beta 2). As in sacrebleu, orders that are longer than a text do not count.
"""

from collections import Counter

MAX_ORDER = 6
BETA = 2.0


def chrf(hypothesis: str, reference: str) -> float:
    """Return the score of a hypothesis against its reference, 0 to 1; 0 if either holds no character."""
    mine, theirs = "".join(hypothesis.split()), "".join(reference.split())
    precisions, recalls = [], []
    for order in range(1, MAX_ORDER + 1):
        found, wanted = _grams(mine, order), _grams(theirs, order)
        if not found or not wanted:
            break
        shared = sum((found & wanted).values())
        precisions.append(shared / sum(found.values()))
        recalls.append(shared / sum(wanted.values()))
    if not precisions:
        return 0.0
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    weighted = BETA**2 * precision + recall
    return (1 + BETA**2) * precision * recall / weighted if weighted else 0.0


def _grams(text: str, order: int) -> Counter[str]:
    return Counter(text[at : at + order] for at in range(len(text) - order + 1))
