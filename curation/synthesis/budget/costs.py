"""Where the money went: by method, by what became of the rows, and for each row that is accepted or approved.

    table = attribute_costs(rows=candidates, rejections=rejections, asked=session.asked, ledger=ledger,
                            accepted={row.key for row in curated}, approved={row.key for row in verified})
    table[0]      {"method": "raft", "outcome": "rejected", "reason": "near_duplicate", "rows": 31, "calls": 12.5,
                   "tokens": 40123, "cost_usd": Decimal("0.0214"), "prices": "prices.yaml 2026-11-29"}
    cost_per_row(table)[0]      {"method": "raft", ..., "usd_per_accepted": ..., "usd_per_approved": ...}

A call that several rows or rejections came of is split evenly among them; so the table adds up to what was paid.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from curation.chat_model import ChatReply
from curation.records import Example, PreferencePair, Rejection, VerifiableTask
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.unit_keys import find_unit

Row = Example | PreferencePair | VerifiableTask
OUTCOMES = ("approved", "accepted", "pending", "rejected", "unused")
"""`pending`: neither accepted nor rejected so far. `unused`: calls that nothing came of."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """Something that came of calls."""

    method: str
    outcome: str
    reason: str
    request_ids: tuple[str, ...]


@dataclass(slots=True)
class _Line:
    rows: int = 0
    calls: Decimal = Decimal(0)
    tokens: Decimal = Decimal(0)
    cost_usd: Decimal = Decimal(0)

    def add(self, reply: ChatReply, share: Decimal) -> None:
        self.calls += share
        self.tokens += share * (reply.prompt_tokens + reply.completion_tokens)
        self.cost_usd += share * Decimal(str(reply.cost_usd))


def attribute_costs(
    *,
    rows: Iterable[Row],
    rejections: Iterable[Rejection],
    asked: Mapping[str, Sequence[str]],
    ledger: RequestLedger,
    accepted: Collection[str],
    approved: Collection[str] = (),
    prices: str = "",
) -> list[dict[str, Any]]:
    """Return what was paid, split by method, outcome and reason of rejection.

    Args:
        rows: all rows that methods made, whatever became of them.
        rejections: of all stages; one without a row belongs to the calls for its unit.
        asked: request ids by key, as `Session.asked`.
        ledger: where the calls are.
        accepted: keys of the rows that passed curation.
        approved: keys of the rows that a person approved.
        prices: where the prices come from and whose are unknown (`name_prices`), for the record.
    """
    claims = _claim(list(rows), list(rejections), asked, frozenset(accepted), frozenset(approved))
    claimed = {name for claim in claims for name in claim.request_ids}
    claims += [
        _Claim(_method_of(key), "unused", "", left)
        for key, names in asked.items()
        if (left := tuple(name for name in dict.fromkeys(names) if name not in claimed))
    ]
    replies = ledger.get_many(sorted({name for claim in claims for name in claim.request_ids}))
    lines = _split(claims, replies)
    order = sorted(lines, key=lambda line: (line[0], OUTCOMES.index(line[1]), line[2]))
    return [_as_dict(key, lines[key]) | {"prices": prices} for key in order]


def cost_per_row(table: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return, for each method and for all, what a row that is accepted or approved costs; None where there is none.

    What was rejected, and what nothing came of, is part of the price of what was accepted.
    """
    methods = sorted({str(line["method"]) for line in table})
    return [_sum_up(method, [line for line in table if line["method"] == method]) for method in methods] + [
        _sum_up("all", table)
    ]


def _sum_up(method: str, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    cost = sum((line["cost_usd"] for line in lines), Decimal(0))
    approved = sum(line["rows"] for line in lines if line["outcome"] == "approved")
    accepted = approved + sum(line["rows"] for line in lines if line["outcome"] == "accepted")
    return {
        "method": method,
        "cost_usd": cost,
        "accepted": accepted,
        "usd_per_accepted": cost / accepted if accepted else None,
        "approved": approved,
        "usd_per_approved": cost / approved if approved else None,
    }


def _claim(
    rows: list[Row],
    rejections: list[Rejection],
    asked: Mapping[str, Sequence[str]],
    accepted: frozenset[str],
    approved: frozenset[str],
) -> list[_Claim]:
    reasons = {rejection.key: rejection.reason for rejection in rejections}
    claims = []
    for row in rows:
        outcome = "approved" if row.key in approved else "accepted" if row.key in accepted else "pending"
        if outcome == "pending" and row.key in reasons:
            outcome = "rejected"
        reason = reasons[row.key] if outcome == "rejected" else ""
        claims.append(_Claim(row.provenance.method, outcome, reason, tuple(dict.fromkeys(row.provenance.request_ids))))
    made = {row.key for row in rows}
    below = _calls_below(asked)
    for rejection in rejections:
        if rejection.key not in made:
            unit = find_unit(rejection.key, asked)
            calls = tuple(asked[unit]) if unit is not None else below.get(rejection.key, ())
            claims.append(_Claim(_method_of(rejection.key), "rejected", rejection.reason, tuple(dict.fromkeys(calls))))
    return claims


def _calls_below(asked: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the calls by unit, for units that were asked about in parts (`UNIT/0`, `UNIT/1`)."""
    below: dict[str, tuple[str, ...]] = {}
    for key, names in asked.items():
        unit = key.rpartition("/")[0]
        if unit:
            below[unit] = (*below.get(unit, ()), *names)
    return below


def _split(claims: Sequence[_Claim], replies: Mapping[str, ChatReply]) -> dict[tuple[str, str, str], _Line]:
    num_claims: dict[str, int] = {}
    for claim in claims:
        for name in claim.request_ids:
            num_claims[name] = num_claims.get(name, 0) + 1
    lines: dict[tuple[str, str, str], _Line] = {}
    for claim in claims:
        line = lines.setdefault((claim.method, claim.outcome, claim.reason), _Line())
        line.rows += claim.outcome != "unused"
        for name in claim.request_ids:
            if name in replies:
                line.add(replies[name], Decimal(1) / num_claims[name])
    return lines


def _as_dict(key: tuple[str, str, str], line: _Line) -> dict[str, Any]:
    method, outcome, reason = key
    return {
        "method": method,
        "outcome": outcome,
        "reason": reason,
        "rows": line.rows,
        "calls": float(line.calls),
        "tokens": round(line.tokens),
        "cost_usd": line.cost_usd,
    }


def _method_of(key: str) -> str:
    """Return the method in a key: `guides/intro.md#raft/0` was made by raft."""
    name = key.rpartition("#")[2] if "#" in key else ""
    return name.split("/")[0].split("~")[0] or "unknown"
