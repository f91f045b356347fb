"""Planting errors: copies of accepted examples, each damaged in one known way, and as many as the recipe asks for.

    plant_errors(queue, 20, by="Lea", seed=7)       [GoldItem(kind="planted", damage="number", detail="42 became 62", ...), ...]
    top_up(queue, ReviewConfig(gold_share=0.05))    19

The recipe's share is one of what waits to be served: with 5 %, 19 open items get 1 beside them.
"""

import math
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from curation.ids import stable_fraction
from curation.records import ReviewItem
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.items import GOLD_PREFIX
from curation.review.lots.held import is_held
from curation.review.queue import ReviewQueue
from curation.review.reviewers import tables
from curation.review.reviewers.damage import DAMAGE_KINDS, Context, DamageKind, damage_answer
from curation.review.reviewers.gold import DAMAGED, GoldItem, NewGold, load_items, put_gold

MAX_CANDIDATES = 2_000
"""Accepted examples that one planting looks at."""

SYSTEM = "recipe"
"""Who sets gold items that the recipe asks for."""


def plant_errors(
    queue: ReviewQueue, num: int, *, by: str, seed: int, kinds: Sequence[DamageKind] = DAMAGE_KINDS
) -> list[GoldItem]:
    """Put at most `num` damaged copies of accepted examples into the queue; fewer if no more can be damaged.

    Only examples that people approved are copied (where the recipe accepts automatic verdicts, also theirs), each once.
    """
    with queue.database.read() as connection:
        keys = _accepted(connection, queue.recipe, stable_fraction(str(seed), "planting"))
        origins = load_items(connection, queue.recipe, keys)
    return put_gold(queue, _damage(origins, num, seed, kinds), by=by, seed=seed) if num > 0 else []


def _accepted(connection: sa.Connection, recipe: str, first: float) -> list[str]:
    """Return keys of accepted examples that were not planted yet, in an order that the seed determines."""
    item, gold = schema.items.c, tables.gold.c
    planted = sa.exists().where(gold.recipe == item.recipe, gold.origin_key == item.item_key, gold.kind == "planted")
    accept = sa.select(schema.queues.c.accept).where(schema.queues.c.recipe == recipe).scalar_subquery()
    by_rule = sa.and_(accept == "automatic", item.human_decision == "", item.automatic_decision == "approve")
    chosen = (item.recipe == recipe, item.is_listed, item.kind == "example", ~planted)
    query = sa.select(item.item_key).where(*chosen, sa.or_(item.human_decision == "approve", by_rule))
    query = query.where(~item.record_key.startswith(GOLD_PREFIX, autoescape=True))
    order = (sa.case((item.random_rank < first, 1), else_=0), item.random_rank, item.item_key)
    return list(connection.execute(query.order_by(*order).limit(MAX_CANDIDATES)).scalars())


def _damage(origins: Sequence[ReviewItem], num: int, seed: int, kinds: Sequence[DamageKind]) -> list[NewGold]:
    answers: dict[str, list[str]] = {}
    right: dict[object, set[str]] = {}
    for item in origins:
        answers.setdefault(item.task, []).append(item.answer)
        right.setdefault(item.prompt, set()).add(item.answer)
    made: list[NewGold] = []
    for item in origins:
        if len(made) == num:
            break
        texts = (*item.evidence, *(message.content for message in item.prompt))
        context = Context(texts=texts, answers=tuple(answers[item.task][:200]), right=frozenset(right[item.prompt]))
        damage = damage_answer(item.answer, context, seed=f"{seed}:{item.key}", kinds=kinds)
        if damage is not None:
            new = NewGold(
                origin=item,
                kind="planted",
                expected=DAMAGED,
                answer=damage.answer,
                damage=damage.kind,
                detail=damage.detail,
            )
            made.append(new)
    return made


def num_missing(queue: ReviewQueue, share: float) -> int:
    """Return how many gold items have to be added so that they are this share of what is open."""
    waiting = _count_open(queue)
    return max(0, math.floor(share / (1 - share) * waiting[False] + 1e-9) - waiting[True])


def _count_open(queue: ReviewQueue) -> dict[bool, int]:
    item = schema.items.c
    gold = item.record_key.startswith(GOLD_PREFIX, autoescape=True)
    chosen = (item.recipe == queue.recipe, item.is_listed, item.state.in_(["open", "partial"]), ~is_held(queue.recipe))
    query = sa.select(sa.func.count(), sa.func.sum(sa.case((gold, 1), else_=0))).where(*chosen)
    with queue.database.read() as connection:
        num, num_gold = connection.execute(query).one()
    return {True: int(num_gold or 0), False: num - int(num_gold or 0)}


def top_up(queue: ReviewQueue, config: ReviewConfig, *, seed: int | None = None) -> int:
    """Plant errors until they are the recipe's share of what is open; call it after `sync_items` and `store_lots`."""
    num = num_missing(queue, config.gold_share)
    if num == 0:
        return 0
    chosen = queue.state_sequence() if seed is None else seed
    return len(plant_errors(queue, num, by=SYSTEM, seed=chosen))


def damages(golds: Iterable[GoldItem]) -> dict[str, int]:
    """Return damage -> how many of these items have it, sorted by name."""
    counts: dict[str, int] = {}
    for gold in golds:
        if gold.damage:
            counts[gold.damage] = counts.get(gold.damage, 0) + 1
    return dict(sorted(counts.items()))
