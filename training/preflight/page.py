"""The report as one offline page: rows token by token, light and dark, no script, nothing loaded, every text escaped.

Path("preflight.html").write_text(render_html(report))
"""

import base64
import hashlib
from pathlib import Path
from typing import Any

from training.preflight.findings import PreflightReport
from training.preflight.plain_text import make_visible
from training.preflight.promises import PROMISES

TEMPLATES = Path(__file__).parent / "templates"
KINDS = {
    "answers": "chats, the last answer is learnt",
    "turns": "chats, all turns of the assistant are learnt",
    "text": "documents, every token is learnt",
    "pairs": "pairs of answers",
    "labelled": "answers with a label",
    "prompts": "prompts for reinforcement learning",
}


def render_html(report: PreflightReport) -> str:
    """Return the page."""
    from markupsafe import Markup

    style = (TEMPLATES / "report.css").read_text()
    template = _environment().get_template("report.html.j2")
    return str(
        template.render(
            report=report,
            kind=KINDS.get(report.kind, report.kind),
            promises=PROMISES,
            style=Markup(style),  # noqa: S704 - our own file
            policy=_policy(style),
        )
    )


def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": lambda value: f"{value:,}", "visible": make_visible, "sentence": _sentence}
    return environment


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _policy(style: str) -> str:
    """Return a policy under which nothing loads or runs and only the page's own style applies."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
