"""A process that judges 60 pairs and writes down every request that is answered; for killing.

python -m tests.evaluation.judge.killed_judging FOLDER [NUM]      # the judge falls silent for ever after NUM answers
"""

import sys
import threading
from pathlib import Path
from typing import Any

from curation.chat_model import ChatRequest
from curation.database import Database
from curation.judging.jury import build_juror
from curation.synthesis.ledger.request_ledger import MIGRATIONS, RequestLedger
from evaluation.judge.judge_answers import judge_answers
from tests.curation.judging.ruled_judge import RuledJudge, prefer
from tests.evaluation.judge.tea_answers import answers, is_good, named_judge, settings

NUM_PAIRS, CONCURRENCY = 60, 4


def main() -> None:
    """Judge, and print the hash of the summary."""
    folder = Path(sys.argv[1])
    places = threading.Semaphore(int(sys.argv[2]) if len(sys.argv) > 2 else 2 * NUM_PAIRS)
    with (
        (folder / "asked.log").open("a") as log,
        RequestLedger(Database.open(folder / "ledger.db", concern="ledger", migrations=MIGRATIONS)) as ledger,
    ):

        def rule(request: ChatRequest) -> Any:
            places.acquire()
            log.write("asked\n")
            log.flush()
            return prefer(is_good)(request)

        juror = build_juror(named_judge("j", concurrency=CONCURRENCY), RuledJudge(rule), ledger)
        judged = judge_answers(answers(NUM_PAIRS, 40), [], [], [juror], settings())
        print(judged.summary.hash(), judged.num_calls, judged.num_cached)


if __name__ == "__main__":
    main()
