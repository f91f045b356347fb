r"""The whole of a long field as plain text, which no browser takes for anything else.

raw_path("demo", item.key, "evidence-0")      "/recipes/demo/items/4f.../raw/evidence-0"
raw_text(item, "evidence-0")                  the passage; None if the item has no such field
raw_response("a\ud83d", name="x-answer")      text/plain, nosniff, "aU+D83D" (what UTF-8 cannot carry is named)

A page shows the first `show.MAX_PAGE_CHARS` characters of a field (`show.shorten_for_page`), and links here for the rest.
"""

import re
from typing import Annotated
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request
from fastapi import Path as PathParameter
from fastapi.responses import Response

from curation.records import ReviewItem
from curation.review.web.site import Site

_SURROGATE = re.compile("[\ud800-\udfff]")
_HEADERS = {
    "content-type": "text/plain; charset=utf-8",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
}

ItemKey = Annotated[str, PathParameter(pattern="^[0-9a-f]{32}$")]
Field = Annotated[str, PathParameter(pattern="^(answer|alternative|edited-answer|(prompt|evidence)-[0-9]{1,4})$")]


def add_routes(app: FastAPI, site: Site) -> None:
    """Add the raw page of every field to the app."""

    @app.get("/recipes/{recipe}/items/{key}/raw/{field}", response_class=Response)
    def show_raw(request: Request, recipe: str, key: ItemKey, field: Field) -> Response:
        site.person(request)
        entry = site.queue(recipe).get_item(key)
        edited = entry.human.edited_answer if entry.human else None
        text = edited or None if field == "edited-answer" else raw_text(entry.item, field)
        if text is None:
            raise HTTPException(404, f"The item has no field '{field}'.")
        return raw_response(text, name=f"{key}-{field}")


def raw_path(recipe: str, key: str, field: str) -> str:
    """Return the path of the raw page of a field: `answer`, `alternative`, `edited-answer`, `prompt-0`, `evidence-0`, ..."""
    return f"/recipes/{quote(recipe, safe='')}/items/{quote(key, safe='')}/raw/{quote(field, safe='')}"


def raw_text(item: ReviewItem, field: str) -> str | None:
    """Return a field of an item as text, or None if the item has no such field."""
    name, _, number = field.partition("-")
    if name in ("answer", "alternative") and not number:
        return item.answer if name == "answer" else item.alternative or None
    texts = {"prompt": [message.text for message in item.prompt], "evidence": list(item.evidence)}.get(name, [])
    return texts[int(number)] if number.isascii() and number.isdecimal() and int(number) < len(texts) else None


def raw_response(text: str, *, name: str) -> Response:
    """Answer with plain text. `name` is what a browser calls the file; odd characters in it are replaced."""
    shown = _SURROGATE.sub(lambda half: f"U+{ord(half[0]):04X}", text)
    file_name = re.sub(r"[^A-Za-z0-9.-]+", "_", name).lstrip(".")[:120] or "text"
    headers = _HEADERS | {"content-disposition": f'inline; filename="{file_name}.txt"'}
    return Response(shown.encode(), headers=headers)
