"""The stage `candidates`: examples that a teacher writes from documents, and preference pairs.

    made = generate(Inputs(documents=documents, examples=rows), config=recipe.generate, session=session,
                    methods=build_methods(recipe.generate))
    made.examples[0].key          "api/polars.Expr.str.head#routing/0"
    made.pairs[0].key             "api/polars.Expr.str.head#routing/0~pair/0"

Every method of the recipe makes its rows, then pairs are made of the examples and demonstrations. Everything proposed ends as
a row or as a rejection: num_proposed == len(examples) + len(pairs) + len(tasks) + len(rejections).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from curation.ids import canonical_json
from curation.records import (
    Document,
    Example,
    PreferencePair,
    Record,
    Rejection,
    VerifiableTask,
    record_hash,
)
from curation.synthesis.asking import Answer, Ask, Session
from curation.synthesis.config import ON_NOTHING, GenerateConfig
from curation.synthesis.engine.complete import CallReport
from curation.synthesis.methods.method import STAGE, Inputs, Made, Method, Unit
from curation.synthesis.pairs import PlannedPair, build_pair, plan_pairs, wrong_answer
from curation.synthesis.parse import (
    MAX_ANSWER_CHARS,
    UnusableError,
    check_text,
    excerpt_of,
    read_entries,
)
from curation.synthesis.prompts.grounded import render_ungrounded
from curation.synthesis.prompts.template import Prompt
from curation.synthesis.quota import fill_quotas

Accept = Callable[[Example | PreferencePair | VerifiableTask], Rejection | None]
"""Says why a row does not count for a quota; None: it does."""


def accept_all(row: Example | PreferencePair | VerifiableTask) -> None:
    """Count every row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """What generation made, what it dropped, and what it cost."""

    examples: tuple[Example, ...]
    pairs: tuple[PreferencePair, ...]
    tasks: tuple[VerifiableTask, ...]
    rejections: tuple[Rejection, ...]
    report: CallReport
    num_proposed: int
    """Rows that could have been: documents without a usable reply, entries of replies, planned pairs, units of methods."""
    figures: dict[str, float]
    """What methods report about themselves, by `METHOD: FIGURE`."""


def generate(
    inputs: Inputs, *, config: GenerateConfig, session: Session, methods: Sequence[Method], accept: Accept = accept_all
) -> Generated:
    """Return what the methods make of the inputs, and pairs from these examples and the demonstrations.

    Raises:
        TeacherKeyMissingError, TeacherRefusedError, TeacherUnreachableError: no row can be made.
        DatabaseError: replies cannot be stored.
    """
    work = _Generation(config, session, accept)
    work.make_by_methods(inputs, methods)
    work.make_pairs([*work.examples, *inputs.examples], inputs.documents)
    return Generated(
        examples=tuple(work.examples),
        pairs=tuple(work.pairs),
        tasks=tuple(work.tasks),
        rejections=tuple(work.rejections),
        report=session.report,
        num_proposed=work.num_proposed,
        figures=work.figures,
    )


class _Generation:
    """The rows of one call of `generate` as they come into being."""

    def __init__(self, config: GenerateConfig, session: Session, accept: Accept) -> None:
        self.examples: list[Example] = []
        self.pairs: list[PreferencePair] = []
        self.tasks: list[VerifiableTask] = []
        self.rejections: list[Rejection] = []
        self.figures: dict[str, float] = {}
        self.num_proposed = 0
        self._config = config
        self._session = session
        self._accept = accept

    def _reject(self, key: str, row_hash: str, *, reason: str, detail: str, excerpt: str) -> None:
        self.num_proposed += 1
        self.rejections.append(
            Rejection(key=key, stage=STAGE, reason=reason, detail=detail, record_hash=row_hash, excerpt=excerpt_of(excerpt))
        )

    def _ask(self, prompts: Sequence[tuple[str, Prompt]]) -> list[Answer]:
        return self._session.ask([Ask(key=key, prompt=prompt, is_lenient=True) for key, prompt in prompts])

    def make_by_methods(self, inputs: Inputs, methods: Sequence[Method]) -> None:
        """Let every method of the recipe make its rows. A unit of which nothing came is counted, so that it is noticed."""
        for method in methods:
            units = wanted_units(method, inputs)
            quota = self._config.quotas.get(method.name)
            if quota is not None:
                made, units = self._fill(method, inputs, quota), []
            else:
                made = method.make(units, self._session)
            self.examples += made.examples
            self.pairs += made.pairs
            self.tasks += made.tasks
            self.rejections += made.rejections
            self.figures |= {f"{method.name}: {name}": value for name, value in made.figures.items()}
            rows: list[Record] = [*made.examples, *made.pairs, *made.tasks, *made.rejections]
            self.num_proposed += len(rows) + len(units_without_rows(units, [row.key for row in rows]))

    def _fill(self, method: Method, inputs: Inputs, quota: int | dict[str, int]) -> Made:
        """Make as many accepted rows as fall to this shard; a shortfall is among the figures, by slice."""
        is_free = method.name in ON_NOTHING
        if is_free and not inputs.has_free_units:
            return Made()
        share = (lambda number: number) if is_free else inputs.share_of
        filled = fill_quotas(
            method,
            inputs,
            self._session,
            quotas=share(quota) if isinstance(quota, int) else {name: share(number) for name, number in quota.items()},
            max_candidates=self._config.max_candidates,
            accept=self._accept,
        )
        missing = {f"missing for {name or 'the quota'}": float(gap.missing) for name, gap in filled.shortfalls.items()}
        return Made(figures=missing) + filled.made

    # -- pairs ----------------------------------------------------------------------------------------------------

    def make_pairs(self, examples: Sequence[Example], documents: Sequence[Document]) -> None:
        """Make the planned pairs of all examples, in their order; those that need the teacher come last."""
        planned = [pair for example in examples for pair in plan_pairs(example, self._config)]
        by_document: dict[str, list[PlannedPair]] = {}
        for pair in planned:
            if pair.kind == "ungrounded":
                by_document.setdefault(pair.example.provenance.spans[0].document_key, []).append(pair)
            else:
                self.num_proposed += 1
                self.pairs.append(build_pair(pair, wrong_answer(pair, self._config)))
        asks = [(document, by_document[document.key]) for document in documents if document.key in by_document]
        prompts = [render_ungrounded(document, [_question_line(pair.example) for pair in pairs]) for document, pairs in asks]
        keyed = [(f"{document.key}#ungrounded", prompt) for (document, _), prompt in zip(asks, prompts, strict=True)]
        for (_, pairs), prompt, answer in zip(asks, prompts, self._ask(keyed), strict=True):
            self._read_wrong_answers(pairs, prompt, answer)

    def _read_wrong_answers(self, pairs: list[PlannedPair], prompt: Prompt, answer: Answer) -> None:
        for position, pair in enumerate(pairs):
            try:
                wrong = _wrong_answer_at(answer, position, pair.example.answer)
            except UnusableError as error:
                self._reject(pair.key, record_hash(pair.example), reason=error.reason, detail=error.detail, excerpt=answer.text)
                continue
            self.num_proposed += 1
            requests = (*pair.example.provenance.request_ids, *answer.request_ids)
            template = prompt.template
            self.pairs.append(
                build_pair(
                    pair, wrong, request_ids=requests, template_id=template.template_id, template_hash=template.template_hash
                )
            )


def _question_line(example: Example) -> str:
    return canonical_json({"question": example.prompt[-1].text, "answer": example.answer})


def wanted_units(method: Method, inputs: Inputs) -> list[Unit]:
    """Return the units of a method; those that rest on no row of the inputs only where they are wanted, see `Inputs`."""
    units = method.plan(inputs)
    if inputs.has_free_units:
        return units
    rows: list[Record] = [*inputs.documents, *inputs.examples]
    keys = {row.key for row in rows}
    return [unit for unit in units if unit.key.rpartition("#")[0] in keys]


def units_without_rows(units: Sequence[Unit], keys: Sequence[str]) -> list[str]:
    """Return the keys of units of which neither a row nor a rejection came; there should be none."""
    seen = {key[:end] for key in keys for end in (*(at for at, mark in enumerate(key) if mark in "/~"), len(key))}
    return [unit.key for unit in units if unit.key not in seen]


def _wrong_answer_at(answer: Answer, position: int, right: str) -> str:
    if answer.reply is None:
        assert answer.problem is not None
        raise answer.problem
    entries = read_entries(answer.reply, "answers")
    if position >= len(entries) or not isinstance(entries[position], str):
        raise UnusableError("invalid_entry", f"The reply has no answer number {position + 1}.")
    wrong = str(entries[position]).strip()
    check_text(wrong, "answer", 1, MAX_ANSWER_CHARS)
    if wrong.casefold() in right.casefold():
        raise UnusableError("same_as_answer", "The wrong answer says what the right one says.")
    return wrong
