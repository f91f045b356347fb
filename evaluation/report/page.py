"""The evaluation report: one HTML page that needs no network, with the verdict first, in words; its items lie beside it.

write_report(inputs, folder)     folder/index.html, folder/items.jsonl

Everything shown is escaped; the page's own style and script are the only ones that its content policy allows.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import jinja2
from markupsafe import Markup

from curation.files import write_atomically
from evaluation.gate.verdict import format_p
from evaluation.report.inputs import ReportInputs
from evaluation.report.item_data import write_items
from evaluation.report.section import Section
from evaluation.report.sections import (
    answers,
    calibration,
    costs,
    forgetting,
    guards,
    judges,
    labels,
    lengths,
    memorisation,
    method,
    provenance,
    rows,
    scores,
    slices,
    training,
    verdict,
)
from evaluation.report.wording import ahead, name_of, shown, title_of

TEMPLATES = Path(__file__).parent / "templates"
STYLES = ("colours.css", "page.css", "figures.css", "viewer.css")
SCRIPTS = ("diff.js", "items.js", "viewer.js")
ITEMS = "items.jsonl"
SECTIONS: tuple[Callable[[ReportInputs], Section | None], ...] = (
    verdict.section,
    scores.section,
    guards.section,
    slices.section,
    labels.section,
    forgetting.section,
    memorisation.section,
    judges.section,
    costs.section,
    lengths.section,
    calibration.section,
    answers.section,
    training.section,
    rows.section,
    provenance.section,
    method.section,
)
"""In the order of the page."""


def write_report(inputs: ReportInputs, folder: Path) -> Path:
    """Write FOLDER/index.html and FOLDER/items.jsonl, and return the path of the page. Raises OSError."""
    write_items(inputs, folder / ITEMS)
    write_atomically(folder / "index.html", render_report(inputs).encode("utf-8", "replace"))
    return folder / "index.html"


def render_report(inputs: ReportInputs) -> str:
    """Return the report as one HTML page."""
    style, script = (_read(names) for names in (STYLES, SCRIPTS))
    sections = [section for build in SECTIONS if (section := build(inputs)) is not None]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            inputs=inputs,
            comparison=inputs.comparison,
            sections=sections,
            items_file=ITEMS,
            links=safe_links(inputs.links),
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
            policy=content_policy(style, script),
        )
    )


def _read(names: tuple[str, ...]) -> str:
    return "\n".join((TEMPLATES / name).read_text() for name in names)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": lambda share: f"{share * 100:.1f} %",
        "metric": title_of,
        "comparator": name_of,
        "p": lambda value: format_p(value).removeprefix("= "),
        "stage": lambda name: name.rpartition("/")[2].replace("_", " "),
        "reason": lambda name: name.replace("_", " "),
        "ahead": lambda value, metric: ahead(metric, value),
        "shown": lambda value, metric: shown(metric, value),
        "attributes": _attributes,
    }
    return environment


def _attributes(values: Mapping[str, str]) -> Markup:
    """Return names and values as attributes of a tag."""
    return Markup(" ").join(Markup('{}="{}"').format(name, value) for name, value in values.items())


def content_policy(style: str, script: str) -> str:
    """Return a policy under which nothing loads and only the page's own style and script run."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def safe_links(links: Mapping[str, str]) -> dict[str, str]:
    """Return the links that lead to a web page; anything else (`javascript:`, `data:`, files) is dropped."""
    return {title: address for title, address in links.items() if address.startswith(("http://", "https://"))}
