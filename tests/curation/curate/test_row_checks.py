"""What is done to a row alone is done once, and says nothing of what it found."""

from collections.abc import Callable

from curation.curate.row_checks import RowCheck, check_rows, known_checks
from curation.filters.rule_config import RuleConfig
from curation.privacy.config import PrivacyConfig
from curation.records import Example
from curation.tables import from_arrow, to_arrow

Make = Callable[..., Example]
RULES, PRIVACY = RuleConfig(), PrivacyConfig()
MAIL = "ada.okafor@northwind-traders.co"


def run(rows: list[Example], known: dict[str, RowCheck] | None = None, **privacy: str):
    config = PrivacyConfig(entities=privacy) if privacy else PRIVACY  # type: ignore[arg-type]
    return check_rows(rows, rules=RULES, privacy=config, version="v", known=known or {})


def test_only_the_edited_row_is_worked_on_again(make_row: Make) -> None:
    rows = [make_row(f"s/{number}", f"What is thing {number} good for?", "For this and that.") for number in range(20)]
    first = run(rows)
    assert first.num_reused == 0
    stored = list(from_arrow(RowCheck, to_arrow(RowCheck, first.checks)))
    rows[7] = make_row("s/7", "What is thing 7 good for?", "For nothing at all.")
    second = run(rows, known_checks(stored, "v"))
    assert len(rows) - second.num_reused == 1
    assert [row.key for row in second.kept] == [row.key for row in rows]
    assert second.kept[7].answer == "For nothing at all."
    assert known_checks(stored, "other") == {}


def test_a_masked_row_comes_back_masked_from_the_store(make_row: Make) -> None:
    rows = [make_row("s/1", f"Write to {MAIL} for me, please.", "I have written the letter as you asked.")]
    first = run(rows)
    again = run(rows, {check.key: check for check in first.checks})
    assert first.kept == again.kept
    assert first.kept[0].messages[0].content == "Write to [EMAIL] for me, please."
    assert [finding.entity for finding in again.findings] == ["EMAIL"]
    assert MAIL not in repr(first.checks)


def test_rejections_name_the_stage_and_hide_what_was_found(make_row: Make) -> None:
    rows = [make_row("s/1", "How do I reach her?", f"Her address is {MAIL}."), make_row("s/2", "What is it?", "")]
    checked = run(rows, EMAIL="reject")
    assert {item.key: (item.stage, item.reason) for item in checked.rejections} == {
        "s/1": ("curated_examples", "private_data"),
        "s/2": ("curated_examples", "answer_too_short"),
    }
    assert MAIL not in repr(checked)


def test_languages_are_told_for_what_is_kept(make_row: Make) -> None:
    german = make_row("s/de", "Wie benenne ich die Spalten einer Tabelle um?", "Mit der Methode, die Spalten umbenennt.")
    english = make_row("s/en", "How do I rename the columns of a table?", "With the method that renames columns.")
    assert run([german, english]).languages == {"s/de": "de", "s/en": "en"}
