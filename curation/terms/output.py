"""Output-use terms as words: what `output_terms` of a source or teacher may say so that a machine can judge it.

    read_output_terms("no_competing_models, attribution")

Rows carry these texts joined by `; `. A text that is none of these words is unknown, unless a person confirmed it.
"""

from collections.abc import Iterator

from curation.terms.uses import Uses

OUTPUT_TERMS: dict[str, Uses] = {
    "unrestricted": Uses(),
    "no_training": Uses(train="no"),
    "no_competing_models": Uses(compete="no"),
    "non_commercial": Uses(commercial="no"),
    "no_redistribution": Uses(redistribute_data="no"),
    "no_model_redistribution": Uses(redistribute_model="no"),
    "attribution": Uses(attribution=True),
}
"""Each word forbids, or asks for, exactly what its name says."""


def split_texts(text: str) -> tuple[str, ...]:
    """Split what a row carries into the texts of its source and its teacher."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(";") if part.strip()))


def words_of(text: str) -> Iterator[str]:
    """Yield the words of one text, written in one way (`No competing models` is `no_competing_models`)."""
    for part in text.split(","):
        word = "_".join(part.lower().replace("-", " ").replace("_", " ").split())
        if word:
            yield word


def read_output_terms(text: str) -> list[Uses] | None:
    """Return what each word of a text allows, or None if it holds a word that is not in `OUTPUT_TERMS`."""
    found = [OUTPUT_TERMS.get(word) for word in words_of(text)]
    return [uses for uses in found if uses is not None] if all(found) else None
