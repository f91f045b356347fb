"""Measures of text columns, computed by Arrow on whole columns: words, tokens, ends, repeated texts, odd ids.

count_words(pa.array(["two words"]))                  [2]
ends_properly(pa.array(["Done.", "and so the"]))       [true, ...]

The expressions run in RE2, whose time grows linearly with the text, whatever stands in it.
"""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

CHARS_PER_TOKEN = 4
"""What a token of English holds on average; an estimate where no tokenizer is at hand."""
_OPEN_END = r"[,(\[{\x{2013}\x{2014}]\s*$"
_BROKEN_SENTENCE = r"(?:^|\n)\pL\S*(?:[ \t]+\S+){5,}[ \t]+\S*[\pL]\s*$"
"""A last line of seven words or more that starts and ends with a letter: prose that stops in the middle."""
_NUMBER_ID = r"#[0-9]+$"


def count_words(texts: Any) -> Any:
    """Return the number of words between white space; null where there is no text."""
    return pc.count_substring_regex(texts, r"\S+").cast(pa.int64())


def estimate_tokens(num_chars: Any) -> Any:
    """Return characters / CHARS_PER_TOKEN, rounded up."""
    return pc.divide(pc.add(num_chars, CHARS_PER_TOKEN - 1), CHARS_PER_TOKEN)


def ends_properly(texts: Any) -> Any:
    """Say of each text whether it looks finished; null where there is no text.

    False for an open code fence, a last line of prose without an end mark, or a comma or an opening bracket at the end.
    Labels, numbers, code and list items count as finished.
    """
    broken = pc.or_(pc.match_substring_regex(texts, _OPEN_END), pc.match_substring_regex(texts, _BROKEN_SENTENCE))
    fences = pc.count_substring(texts, "```")
    return pc.invert(pc.or_(broken, pc.equal(pc.bit_wise_and(fences, 1), 1)))


def number_copies(keys: Any, *columns: Any) -> Any:
    """Return 1 for the first row (in key order) with these texts, 2 for the next one that repeats it, and so on.

    Null where all texts are null.
    """
    order = pc.sort_indices(pa.table({"key": keys}), sort_keys=[("key", "ascending")]).to_pylist()
    texts = [column.to_pylist() for column in columns]
    seen: dict[tuple[str | None, ...], int] = {}
    copies: list[int | None] = [None] * len(order)
    for position in order:
        content = tuple(values[position] for values in texts)
        if any(content):
            seen[content] = copies[position] = seen.get(content, 0) + 1
    return pa.array(copies, pa.int64())


def find_sources(keys: Any) -> Any:
    """Return the source of each key, its first part."""
    return pc.replace_substring_regex(keys, r"(?s)/.*", "")


def find_odd_ids(keys: Any) -> Any:
    """Say of each key `FILE#ID` whether its id is a number while most of its file's are names, or the other way round.

    False where a key has no `#`. With as many numbers as names in a file, the numbers are the odd ones.
    """
    files = pc.replace_substring_regex(keys, r"(?s)#.*", "")
    rows = pa.table({"file": files, "number": pc.match_substring_regex(keys, _NUMBER_ID).cast(pa.int64())})
    groups = rows.group_by("file").aggregate([("number", "mean")])
    shares = dict(zip(groups["file"].to_pylist(), groups["number_mean"].to_pylist(), strict=True))
    means = pa.array([shares[file] for file in files.to_pylist()], pa.float64())
    odd = pc.if_else(pc.equal(rows["number"], 1), pc.less_equal(means, 0.5), pc.greater(means, 0.5))
    return pc.and_(odd, pc.match_substring(keys, "#"))
