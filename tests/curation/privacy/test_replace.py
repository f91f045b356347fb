from hypothesis import given
from hypothesis import strategies as st

from curation.privacy.replace import Edit, apply_edits, shift_sections
from curation.records import Section


def section(start: int, end: int) -> Section:
    return Section(heading_path=("A",), kind="body", start=start, end=end)


@st.composite
def edited_texts(draw: st.DrawFn) -> tuple[str, list[Edit], list[Section]]:
    text = draw(st.text(alphabet="abc \n", min_size=1, max_size=60))
    offsets = st.integers(0, len(text))
    cuts = sorted(draw(st.lists(offsets, max_size=8, unique=True)))
    pairs = [(left, right) for left, right in zip(cuts[::2], cuts[1::2], strict=False) if left < right]
    edits = [Edit(left, right, draw(st.sampled_from(["", "[X]", "much longer than before"]))) for left, right in pairs]
    borders = sorted(draw(st.lists(offsets, min_size=2, max_size=6, unique=True))) if len(text) > 1 else [0, 1]
    sections = [section(left, right) for left, right in zip(borders, borders[1:], strict=False)]
    return text, edits, sections


@given(edited_texts())
def test_every_section_covers_the_same_text_apart_from_the_replaced_spans(case: tuple[str, list[Edit], list[Section]]) -> None:
    text, edits, sections = case
    edited = apply_edits(text, edits)
    for old, new in [(item, shift_sections([item], edited)) for item in sections]:
        inside = [edit for edit in edits if old.start <= edit.start < old.end]
        cut = [edit for edit in edits if edit.start < old.start < edit.end]
        start = max([old.start, *(edit.end for edit in cut)])
        expected, place = "", start
        for edit in inside:
            expected += text[place : edit.start] + edit.replacement
            place = edit.end
        expected += text[place : max(place, old.end)] if place < old.end else ""
        covered = "".join(edited.text[item.start : item.end] for item in new)
        assert covered == expected


@given(edited_texts())
def test_sections_that_did_not_overlap_do_not_overlap_afterwards(case: tuple[str, list[Edit], list[Section]]) -> None:
    text, edits, sections = case
    moved = shift_sections(sections, apply_edits(text, edits))
    assert all(left.end <= right.start for left, right in zip(moved, moved[1:], strict=False))


def test_text_outside_of_the_spans_keeps_its_place_in_order() -> None:
    edited = apply_edits("Mail ann@corp.com now", [Edit(5, 17, "[EMAIL]")])
    assert edited.text == "Mail [EMAIL] now"
    assert [edited.position(offset) for offset in (0, 5, 6, 16, 17, 18, 21)] == [0, 5, 12, 12, 12, 13, 16]


def test_a_section_inside_a_replaced_span_is_dropped() -> None:
    edited = apply_edits("ab-----cd", [Edit(2, 7, "[K]")])
    assert shift_sections([section(0, 4), section(4, 6), section(6, 9)], edited) == (section(0, 5), section(5, 7))
