from curation.records import Document, Example, Message, Provenance
from evaluation.report.nearest import MAX_TEXT, SHOWN_OF_A_KIND, find_nearest, passages_of

MADE = Provenance(origin="human", method="demonstration")


def example(key: str, question: str, answer: str) -> Example:
    turns = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Example(key=key, task="qa", messages=turns, group=key, provenance=MADE)


def document(key: str, text: str) -> Document:
    return Document(
        key=key, source="docs", title=key, kind="text", text=text, sections=(), group=key, license="", output_terms=""
    )


def test_the_rows_that_share_the_rarest_words_come_first() -> None:
    rows = [example("a", "How do I read a CSV file?", "read_csv"), example("b", "How do I sort a table?", "sort")]
    found = find_nearest(
        {"q": "Which call reads CSV?"}, passages_of(rows, [document("io", "CSV and Parquet files."), document("x", "Nothing.")])
    )
    assert [(near.kind, near.key) for near in found["q"]] == [("training row", "a"), ("document", "io")]
    assert found["q"][0].text == "How do I read a CSV file? -> read_csv"
    assert found["q"][0].score > 0


def test_few_of_each_kind_are_given_and_long_texts_are_cut() -> None:
    rows = [example(f"r{number}", "same words " * 200, "x") for number in range(9)]
    found = find_nearest({"q": "same words"}, passages_of(rows, []))["q"]
    assert len(found) == SHOWN_OF_A_KIND
    assert all(len(near.text) <= MAX_TEXT for near in found)


def test_without_rows_or_shared_words_nothing_is_near() -> None:
    assert find_nearest({"q": "words"}, []) == {"q": ()}
    assert find_nearest({"q": "???"}, passages_of([example("a", "words", "x")], [])) == {"q": ()}
