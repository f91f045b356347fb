"""How likely a model finds given texts: the choices of a question, or a text as a whole.

    pairs = [split_pair(tokenize, "Tea is", f" {choice}") for choice in ("hot", "a stone")]
    score_pairs(model, pairs, pad=0, context_length=2048)
    [PairScore(log_likelihood=-2.1, is_greedy=True, num_cut=0), PairScore(log_likelihood=-19.7, is_greedy=False, num_cut=0)]

The boundary between prompt and choice, the windows over a long text and the cut of a prompt that is too long are those of
EleutherAI's lm-evaluation-harness 0.4, so that results can be compared (Gao et al., 2024). A prompt is computed once for all
of its choices, and choices that differ in their last token only share everything.
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from curation.errors import EvaluationError
from evaluation.answering.cache_rows import has_plain_cache, select_rows

MAX_LOGITS = 1 << 27
"""Values of the output layer that are held at once beyond one row (0.5 GiB in float32)."""

Score = Callable[[Any, list["Pair"], int], dict["Pair", tuple[float, bool]]]


class Pair(NamedTuple):
    """Tokens that are given, and tokens whose likelihood is asked for."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]


class PairScore(NamedTuple):
    """Natural logarithm of the probability of a continuation, and whether greedy decoding writes exactly it."""

    log_likelihood: float
    is_greedy: bool
    num_cut: int
    """Tokens at the start of the context that were left out, because the model reads no more."""


class ChoiceLikelihood(NamedTuple):
    """How likely one choice is. `num_bytes` and `num_tokens` are what sums are divided by."""

    log_likelihood: float
    num_tokens: int
    num_bytes: int
    """Bytes of the choice in UTF-8, without the space before it."""
    is_greedy: bool
    num_cut: int


class TextLikelihood(NamedTuple):
    """How likely a text is; perplexity a token is exp(-log_likelihood / num_tokens)."""

    log_likelihood: float
    num_tokens: int
    num_bytes: int
    num_windows: int


def split_pair(tokenize: Callable[[str, bool], list[int]], context: str, continuation: str, *, prefix_token: int) -> Pair:
    """Return a prompt and what follows it in tokens, split where the prompt's own tokens end.

    Both are tokenized together, as a model meets them; spaces at the end of the prompt go to the continuation.

    Args:
        tokenize: of a text, with special tokens (BOS) where the second argument says so.
        context: may be empty; the continuation then follows `prefix_token`.
        continuation: what is asked about.
        prefix_token: BOS, or EOS where there is none.

    Raises:
        EvaluationError: if the continuation has no tokens.
    """
    if not context:
        tokens = tokenize(continuation, False)
        if len(tokens) > 1 and tokens[0] == prefix_token:
            return Pair(tuple(tokens[:1]), tuple(tokens[1:]))
        return _checked(Pair((prefix_token,), tuple(tokens)), continuation)
    kept = context.rstrip()
    continuation = context[len(kept) :] + continuation
    whole, given = tokenize(kept + continuation, True), tokenize(kept, True)
    if not given:  # white space only, or a tokenizer that drops everything
        return _checked(Pair((prefix_token,), tuple(whole)), continuation)
    rest = whole[len(given) :] or tokenize(continuation, False)
    return _checked(Pair(tuple(given), tuple(rest)), continuation)


def _checked(pair: Pair, continuation: str) -> Pair:
    if not pair.continuation:
        raise EvaluationError(reason=f"the choice {continuation[:60]!r} is nothing to the tokenizer; give it some text.")
    return pair


def split_windows(tokens: Sequence[int], *, prefix_token: int, context_length: int) -> list[Pair]:
    """Cut a text into windows, so that each token is predicted once, from as much as the last window can hold.

    Returns:
        Pairs whose continuations are the text. The first begins behind `prefix_token`; the last one reaches back as far as
        the model reads, all others see one token before their first.
    """
    pairs = []
    start = 0
    while start < len(tokens):
        end = min(start + context_length, len(tokens))
        before = tokens[max(end - context_length - 1, 0) : start] if start else (prefix_token,)
        pairs.append(Pair(tuple(before), tuple(tokens[start:end])))
        start = end
    return pairs


def join_choices(
    choices: Sequence[Sequence[str]], pairs: Sequence[Pair], scores: Sequence[PairScore]
) -> list[tuple[ChoiceLikelihood, ...]]:
    """Return the scores of pairs, one after the other, by the prompts that the choices belong to."""
    flat = [choice for own in choices for choice in own]
    found = iter(
        [
            ChoiceLikelihood(
                log_likelihood=score.log_likelihood,
                num_tokens=len(pair.continuation),
                num_bytes=len(choice.encode("utf-8", "surrogatepass")),
                is_greedy=score.is_greedy,
                num_cut=score.num_cut,
            )
            for choice, pair, score in zip(flat, pairs, scores, strict=True)
        ]
    )
    return [tuple(next(found) for _ in own) for own in choices]


def join_windows(texts: Sequence[str], windows: Sequence[Sequence[Pair]], scores: Sequence[PairScore]) -> list[TextLikelihood]:
    """Return the scores of windows, one after the other, added up for the texts that they belong to."""
    values = iter([score.log_likelihood for score in scores])
    return [
        TextLikelihood(
            log_likelihood=sum((next(values) for _ in own), 0.0),
            num_tokens=sum(len(pair.continuation) for pair in own),
            num_bytes=len(text.encode("utf-8", "surrogatepass")),
            num_windows=len(own),
        )
        for text, own in zip(texts, windows, strict=True)
    ]


def score_pairs(
    model: Any,
    pairs: Sequence[Pair],
    *,
    pad: int,
    context_length: int,
    batch_size: int = 16,
    on_progress: Callable[[int], None] = lambda _: None,
) -> list[PairScore]:
    """Return the likelihood of each continuation, in order. Pairs that are equal get the same score to the last bit.

    Args:
        model: a causal language model in evaluation mode.
        pairs: a context that is too long is cut at its start.
        pad: any token; it fills up and counts for nothing.
        context_length: most tokens that the model reads.
        batch_size: continuations at once, halved where memory is short.
        on_progress: told how many pairs are done.

    Raises:
        EvaluationError: if a continuation is longer than the context, or the model computes what is not a number.
    """
    cut = [cut_pair(pair, context_length) for pair in pairs]
    score = _score_sharing if has_plain_cache(model) else _score_whole
    counts = Counter(pair for pair, _ in cut)
    found: dict[Pair, tuple[float, bool]] = {}
    waiting = _batches(counts, batch_size)[::-1]
    num_done = 0
    while waiting:
        batch = waiting.pop()
        scores = _score_or_halve(score, model, batch, pad)
        if scores is None:
            middle = len(batch) // 2
            waiting += [batch[middle:], batch[:middle]]
            continue
        found |= scores
        num_done += sum(counts[pair] for pair in batch)
        on_progress(num_done)
    return [PairScore(*found[pair], num_cut) for pair, num_cut in cut]


def cut_pair(pair: Pair, context_length: int) -> tuple[Pair, int]:
    """Cut the start of a context that is too long; return the pair and how many tokens were cut.

    Raises:
        EvaluationError: if the continuation alone is longer than what the model reads, or there is none.
    """
    if not pair.continuation or not pair.context:
        raise EvaluationError(reason="a choice or its prompt is nothing to the tokenizer; give it some text.")
    if len(pair.continuation) > context_length:
        reason = f"a choice has {len(pair.continuation)} tokens, and the model reads {context_length}; leave it out."
        raise EvaluationError(reason=reason)
    room = context_length + 1 - len(pair.continuation)
    num_cut = max(len(pair.context) - room, 0)
    return Pair(pair.context[num_cut:], pair.continuation), num_cut


def _batches(pairs: Iterable[Pair], batch_size: int) -> list[list[Pair]]:
    """Return distinct pairs in batches: the longest first, and those of one context together."""
    ordered = sorted(pairs, key=lambda pair: (-len(pair.context), pair))
    batches: list[list[Pair]] = [[]]
    for _, same in itertools.groupby(ordered, key=lambda pair: pair.context):
        rows = list(same)
        for start in range(0, len(rows), batch_size):
            part = rows[start : start + batch_size]
            if len(batches[-1]) + len(part) > batch_size:
                batches.append([])
            batches[-1] += part
    return [batch for batch in batches if batch]


def _score_or_halve(score: Score, model: Any, batch: list[Pair], pad: int) -> dict[Pair, tuple[float, bool]] | None:
    """Return the scores, or None where they do not fit into memory at once."""
    import torch

    try:
        with torch.inference_mode():
            scores = score(model, batch, pad)
    except torch.cuda.OutOfMemoryError as error:
        if len(batch) == 1:
            raise EvaluationError(reason="the model does not fit into GPU memory with one prompt.") from error
        torch.cuda.empty_cache()
        return None
    if any(math.isnan(value) for value, _ in scores.values()):
        raise EvaluationError(reason="the model computes values that are not numbers (NaN); its training diverged.")
    return scores


def _score_sharing(model: Any, batch: list[Pair], pad: int) -> dict[Pair, tuple[float, bool]]:
    """Score a batch: each context once, then each continuation behind a copy of its context's keys and values."""
    import torch

    contexts = list(dict.fromkeys(pair.context for pair in batch))
    owner = {context: row for row, context in enumerate(contexts)}
    width = max(map(len, contexts))
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in contexts], device=model.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in contexts], device=model.device)
    longer = sorted((pair for pair in batch if len(pair.continuation) > 1), key=lambda pair: -len(pair.continuation))
    output = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
        use_cache=bool(longer),
        logits_to_keep=1,
    )
    rows = torch.tensor([owner[pair.context] for pair in batch], device=model.device)
    firsts = torch.tensor([pair.continuation[0] for pair in batch], device=model.device)
    values, is_greedy = read_tokens(output.logits[rows, -1], firsts)
    scores = dict(zip(batch, zip(values.tolist(), is_greedy.tolist(), strict=True), strict=True))
    for part in _chunks(longer, _vocabulary(model), width=len):
        chosen = torch.tensor([owner[pair.context] for pair in part], device=model.device)
        cache = select_rows(output.past_key_values, chosen)
        for pair, rest, is_rest_greedy in _score_rest(model, part, pad, cache, mask[chosen]):
            first, is_first_greedy = scores[pair]
            scores[pair] = (first + rest, is_first_greedy and is_rest_greedy)
    return scores


def _chunks(pairs: list[Pair], vocabulary: int, *, width: Callable[[tuple[int, ...]], int]) -> Iterator[list[Pair]]:
    start = 0
    while start < len(pairs):
        size = max(MAX_LOGITS // (vocabulary * width(pairs[start].continuation)), 1)
        yield pairs[start : start + size]
        start += size


def _vocabulary(model: Any) -> int:
    return int(model.config.get_text_config().vocab_size)


def _score_rest(model: Any, pairs: list[Pair], pad: int, cache: Any, context_mask: Any) -> Iterator[tuple[Pair, float, bool]]:
    """Score all but the first token of continuations whose contexts are in the cache, one row each."""
    import torch

    width = len(pairs[0].continuation) - 1  # the longest comes first
    ids, mask = _padded([pair.continuation[:-1] for pair in pairs], width, pad, model.device)
    targets, _ = _padded([pair.continuation[1:] for pair in pairs], width, pad, model.device)
    positions = context_mask.sum(dim=1, keepdim=True) + torch.arange(width, device=model.device)
    output = model(
        input_ids=ids,
        attention_mask=torch.cat([context_mask, mask], dim=1),
        position_ids=positions * mask,  # padding must not point behind the last position
        past_key_values=cache,
        use_cache=True,
    )
    values, is_greedy = read_tokens(output.logits, targets)
    sums = (values.double() * mask).sum(dim=1).tolist()
    whole = (is_greedy | (mask == 0)).all(dim=1).tolist()
    yield from zip(pairs, sums, whole, strict=True)


def _score_whole(model: Any, batch: list[Pair], pad: int) -> dict[Pair, tuple[float, bool]]:
    """Score pairs of a model whose cache cannot be shared (state spaces, sliding windows): each one from its start.

    Padding on the right reaches nothing before it, whatever kind of model this is.
    """
    scores = {}
    ordered = sorted(batch, key=lambda pair: -len(pair.context) - len(pair.continuation))
    longest = len(ordered[0].context) + len(ordered[0].continuation)
    for part in _chunks(ordered, _vocabulary(model), width=lambda _: longest):
        whole = [pair.context + pair.continuation for pair in part]
        width = max(map(len, whole)) - 1
        ids, mask = _padded([row[:-1] for row in whole], width, pad, model.device)
        targets, _ = _padded([row[1:] for row in whole], width, pad, model.device)
        values, is_greedy = read_tokens(model(input_ids=ids, attention_mask=mask, use_cache=False).logits, targets)
        for row, pair in enumerate(part):
            asked = slice(len(pair.context) - 1, len(whole[row]) - 1)
            scores[pair] = (float(values[row, asked].double().sum()), bool(is_greedy[row, asked].all()))
    return scores


def _padded(rows: Sequence[Sequence[int]], width: int, pad: int, device: Any) -> tuple[Any, Any]:
    import torch

    ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
    return ids, mask


def read_tokens(logits: Any, tokens: Any) -> tuple[Any, Any]:
    """Return the log-probability of each token, in float32, and whether it is the most likely one."""
    logits = logits.float()
    values = logits.gather(-1, tokens[..., None])[..., 0] - logits.logsumexp(dim=-1)
    return values, logits.argmax(dim=-1) == tokens
