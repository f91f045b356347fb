"""Reviewed items as files: with verdicts, votes, edits and lineage, or as rows to train on.

    export_items(queue, Path("items.jsonl"))                             our own shape; also .parquet
    export_items(queue, Path("items.csv"), "flat")                       for spreadsheets
    export_items(queue, Path("records.json"), "argilla")                 also "label_studio"
    export_training(queue, Path("pairs.jsonl"), "dpo")                   also "sft" and "kto"

Items are read page by page in one snapshot, so that the file shows one moment, whatever reviewers do meanwhile.
"""

from collections.abc import Callable
from pathlib import Path

from curation.data_card.shapes import line_of
from curation.garbage import collector_paused
from curation.review.exchange.flat_shape import COLUMNS
from curation.review.exchange.native_shape import ReviewedRow
from curation.review.exchange.reviewed import iter_reviewed
from curation.review.exchange.row_files import open_writer
from curation.review.exchange.shapes import SHAPES, ShapeName
from curation.review.exchange.training_rows import TrainingShape, iter_training_rows
from curation.review.queue import ReviewQueue
from curation.tables import schema_of

Progress = Callable[[int], None]
"""Told how many rows were handled since it was last told."""
STEP = 200


@collector_paused()  # rows make no cycles; looking for some takes a tenth of the time
def export_items(
    queue: ReviewQueue,
    path: Path,
    shape: ShapeName = "tunewright",
    *,
    state: str = "",
    with_withdrawn: bool = False,
    progress: Progress | None = None,
) -> int:
    """Write a queue's items to a file that appears at once and whole, and return how many they are.

    Args:
        queue: where they are.
        path: file to write; its suffix is the format (`.jsonl`, `.json`, `.csv` for the flat shape, `.parquet` for ours).
        shape: how a row looks.
        state: only items in this state (open, partial, disputed, decided); empty: all.
        with_withdrawn: items too that are no longer part of the data.
        progress: told of the rows as they are written.

    Raises:
        ReviewFileError: if the file cannot be written, or the shape does not fit the format.
        DatabaseError: if the queue cannot be read.
    """
    write = SHAPES[shape].write
    columns = COLUMNS if shape == "flat" else ()
    schema = schema_of(ReviewedRow) if shape == "tunewright" else None
    num = 0
    with open_writer(path, columns=columns, schema=schema) as writer:
        for reviewed in iter_reviewed(
            queue.database, queue.recipe, listed_only=not with_withdrawn, state=state, consistent=True
        ):
            writer.add(write(reviewed))
            num += 1
            if progress is not None and num % STEP == 0:
                progress(STEP)
    return num


def export_training(queue: ReviewQueue, path: Path, shape: TrainingShape, *, progress: Progress | None = None) -> int:
    """Write what people accepted as JSON Lines for a trainer, and return how many rows that are.

    Raises:
        ReviewFileError: if the file cannot be written.
        DatabaseError: if the queue cannot be read.
    """
    num = 0
    with open_writer(path) as writer:
        for row in iter_training_rows(queue, shape):
            origin = {
                "key": row.key,
                "task": row.task,
                "teacher": row.provenance.teacher,
                "parents": list(row.provenance.parents),
            }
            writer.add({**line_of(row), **origin})
            num += 1
            if progress is not None and num % STEP == 0:
                progress(STEP)
    return num
