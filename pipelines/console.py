"""Progress on the terminal: one short line for what assets report and for what each stage gave; no engine events.

12.4 s  sft_model            step 40/120  loss 1.21  9,800 tokens/s  8 s left
19.0 s  sft_model            done: final_loss 0.31, tokens_per_s 9,800
"""

import logging
import sys
import time
import warnings
from typing import Any

import dagster as dg

STARTED = time.monotonic()
SHOWN = (
    "num_documents",
    "num_examples",
    "num_pairs",
    "num_items",
    "num_rejections",
    "num_rejected_rows",
    "num_answers",
    "num_scores",
    "teacher_calls",
    "cached_replies",
    "num_open",
    "final_loss",
    "tokens_per_s",
    "verdict",
    "promoted",
)


def quiet_warnings() -> None:
    """Silence what Dagster says about its own preview features, and Alembic's chatter."""
    for category in (dg.BetaWarning, dg.PreviewWarning):
        warnings.filterwarnings("ignore", category=category)
    logging.getLogger("alembic").setLevel(logging.WARNING)


class _LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", {})
        step = str(meta.get("step_key") or "").rpartition("__")[2]
        event = meta.get("dagster_event")
        message = _outcome(event) if event is not None else str(meta.get("orig_message") or record.getMessage()).strip()
        return f"{time.monotonic() - STARTED:7.1f} s  {step:<20} {message}"


class _ProgressFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        meta = getattr(record, "dagster_meta", {})
        event = meta.get("dagster_event")
        if event is not None:
            return bool(event.is_step_materialization)
        message = str(meta.get("orig_message") or record.getMessage())
        return record.levelno >= logging.INFO and not message.startswith(("Dependencies for step", "[pipes]"))


def _outcome(event: dg.DagsterEvent) -> str:
    metadata: dict[str, Any] = {
        name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()
    }
    facts = [f"{name.removeprefix('num_').replace('_', ' ')} {_number(metadata[name])}" for name in SHOWN if name in metadata]
    state = "up to date" if metadata.get("reused") else "done"
    return f"{state}: {', '.join(facts)}" if facts else state


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return f"{value:,.3f}" if isinstance(value, float) and abs(value) < 100 else f"{value:,.0f}"


@dg.logger
def console_logger(init_context: dg.InitLoggerContext) -> logging.Logger:
    """Log to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_LineFormatter())
    handler.addFilter(_ProgressFilter())
    logger = logging.Logger("tunewright.console", level=logging.DEBUG)
    logger.addHandler(handler)
    return logger
