"""The page of a preflight in a real browser: nothing hostile runs, no request leaves it, both schemes are readable."""

from pathlib import Path
from typing import Any

import pytest

from training.preflight.findings import Finding, PreflightReport, RowView, Token
from training.preflight.saving import save_report

HOSTILE = '</textarea><script>document.title="owned"</script><img src=x onerror="document.title=1">'

pytestmark = pytest.mark.browser


def make_report() -> PreflightReport:
    tokens = (
        Token(text="<|user|>", state="masked", is_special=True),
        Token(text=f"{HOSTILE}\n", state="masked"),
        Token(text="yes", state="trained"),
        Token(text="<|end|>", state="trained", is_special=True),
    )
    view = RowView(key=HOSTILE, tokens=tokens * 30, num_tokens=500, num_trained=60, num_left_out=380)
    findings = [
        Finding(
            rule=rule, severity=severity, problem="the rows are wrong", advice="Look.", detail=HOSTILE, count=1,
            first_row=HOSTILE, rows=(view,),
        )
        for rule, severity in (("bos_repeated", "error"), ("duplicate_rows", "warning"), ("pad_is_end", "info"))
    ]  # fmt: skip
    return PreflightReport(
        stage="sft_model", kind="answers", num_rows=9, num_tokens=500, num_trained=60, rejected={"too_long": 2},
        rules_held=("no_labels", "too_long"), findings=tuple(findings), samples=(view,), facts={"end": "<|end|>"},
    )  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 380])
def test_the_page_is_offline_harmless_and_readable(chromium: Any, tmp_path: Path, scheme: Any, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page_file = save_report(make_report(), tmp_path)
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    requests: list[str] = []
    messages: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.goto(page_file.as_uri())
    assert page.title() == "sft_model: preflight"
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert page.evaluate("document.scripts.length + document.images.length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert messages == []
    assert Axe().run(page).violations_count == 0
    page.close()
