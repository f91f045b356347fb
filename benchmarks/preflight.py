"""Does the preflight stop what has to be stopped, let through what is right, and cost nothing?

python -m benchmarks.preflight [--quick]        the last line is JSON

faults           planted mistakes of data, template, tokenizer and collator, each on three kinds of chat with a seed a round
caught           those that stopped the stage by the right rule, in every round and on every kind of chat
templates        chat templates that TRL ships, each with rows of our own and TRL's collator
false_refusals   templates whose right rows were refused
seconds_10k      wall time of one preflight on 10,000 rows, real collator included, beside the CPU time and the load
"""

import argparse
import dataclasses
import json
import os
import random
import time
from typing import Any

from benchmarks.preflight_data_faults import FAULTS
from benchmarks.preflight_rows import SETUPS, SIZES, WORDS, Setup, build_tokenizer, make_examples, make_subject, sentence
from benchmarks.preflight_templates import list_templates
from curation.errors import PreflightFailedError
from curation.garbage import relax_collector
from training.chat_format import BOS, CHAT_TEMPLATE, END, PAD, SPECIAL_TOKENS
from training.preflight.findings import PreflightReport
from training.preflight.inspect import inspect_rows, require_ready

NUM_TIMED = 10_000


def main() -> None:
    """Run the three parts and print what came out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one round of faults instead of five")
    rounds = 1 if parser.parse_args().quick else 5
    relax_collector()  # as the training process does
    caught = sum(_is_caught(name, rounds) for name in FAULTS)
    refused = _count_refusals()
    timed = _time_rows()
    templates = sum(1 for _ in list_templates())
    print(json.dumps({"faults": len(FAULTS), "caught": caught, "templates": templates, "false_refusals": refused, **timed}))


def _is_caught(name: str, rounds: int) -> bool:
    missed = []
    for kind, build in SETUPS.items():
        setup = build()
        right = inspect_rows(make_subject(setup, make_examples(random.Random(0), 40)))
        if not right.passed:
            missed.append(f"{kind}: right rows are refused by {right.errors[0].rule}")
        for seed in range(rounds):
            planted = FAULTS[name](setup, random.Random(seed))
            report = inspect_rows(planted.subject)
            if not is_stopped(report, planted.rule):
                missed.append(f"{kind}, seed {seed}: {planted.rule} not among {[finding.rule for finding in report.errors]}")
    print(f"{'MISSED' if missed else 'caught':<7} {name}" + "".join(f"\n          {line}" for line in missed))
    return not missed


def is_stopped(report: PreflightReport, rule: str) -> bool:
    """Tell whether a report stops its stage, and by this rule."""
    try:
        require_ready(report)
    except PreflightFailedError:
        return any(finding.rule == rule for finding in report.errors)
    return False


def _count_refusals() -> int:
    refused = 0
    for name, setup in list_templates():
        report = inspect_template(setup)
        notes = [f"{finding.rule} ({finding.severity})" for finding in report.findings if finding.severity != "info"]
        print(f"{'fine' if report.passed else 'REFUSED':<7} {name:<40} {report.num_rows} rows  {', '.join(notes)}")
        refused += not report.passed
    return refused


def inspect_template(setup: Setup) -> PreflightReport:
    """Inspect rows of a template; those with a system turn are left out where the template says that it takes none."""
    try:
        setup.tokenizer.apply_chat_template(
            [{"role": "system", "content": "x"}, {"role": "user", "content": "y"}], tokenize=False
        )
        has_system = True
    except Exception as error:
        has_system = "system" not in str(error).lower()
    sizes = dataclasses.replace(SIZES, max_length=4096)  # some templates begin with a page of their own
    return inspect_rows(make_subject(setup, make_examples(random.Random(1), 24, has_system=has_system), sizes=sizes))


def _time_rows() -> dict[str, Any]:
    rng = random.Random(2)
    texts = [sentence(rng, 40) for _ in range(2_000)]
    tokenizer = build_tokenizer(
        CHAT_TEMPLATE, SPECIAL_TOKENS, bos=BOS, eos=END, pad=PAD, texts=[*texts, " ".join(WORDS)], size=8_000
    )
    setup = Setup(tokenizer, frozenset([tokenizer.eos_token_id]))
    subject = make_subject(setup, make_examples(rng, NUM_TIMED, num_words=60))
    wall, cpu = time.perf_counter(), time.process_time()
    report = inspect_rows(subject)
    took = {"seconds_10k": round(time.perf_counter() - wall, 2), "cpu_seconds_10k": round(time.process_time() - cpu, 2)}
    assert report.passed, report.errors
    print(f"{report.num_rows} rows of {report.num_tokens / report.num_rows:.0f} tokens: {took}")
    return {**took, "load": round(os.getloadavg()[0], 1), "cores": len(os.sched_getaffinity(0))}


if __name__ == "__main__":
    main()
