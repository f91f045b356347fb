"""Fixtures of the synthesis tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curation.database import Database
from curation.records import Document, Section
from curation.synthesis.ledger.request_ledger import MIGRATIONS, RequestLedger

DOCSTRING = """\
shop.Cart.text.shout(self, marks: int = 1) -> Cart

Turn the label into capital letters.

The price stays as it is.

Parameters
----------
marks : int
    Number of exclamation marks at the end.

Returns
-------
Cart
    A new cart with a louder label.

Examples
--------
>>> Cart("tea").text.shout()
Cart('TEA!')
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[RequestLedger]:
    with RequestLedger(Database.open(tmp_path / "ledger.db", concern="ledger", migrations=MIGRATIONS)) as opened:
        yield opened


@pytest.fixture
def make_document() -> Callable[..., Document]:
    def make(title: str = "shop.Cart.text.shout", text: str = DOCSTRING) -> Document:
        return Document(
            key=f"shop/{title}",
            source="shop",
            title=title,
            kind="method",
            text=text,
            sections=(Section(heading_path=(), kind="body", start=0, end=len(text)),),
            group=title.rpartition(".")[2],
            license="MIT",
            output_terms="as the source",
        )

    return make


@pytest.fixture
def document(make_document: Callable[..., Document]) -> Document:
    return make_document()
