"""How long a person with a keyboard waits in a real browser: from the key that decides to the next item on the screen.

    with ThreadPoolExecutor(1) as pool:
        waited = pool.submit(press_keys, "http://127.0.0.1:4810", "demo", seconds=60)    milliseconds, one for each key

The page marks both moments itself (`performance.measure("key-to-item")`): the key as it arrives, and the first frame after
the next item is in the document.
"""

import shutil
import time
from typing import Any

THINK_MS = 300


def press_keys(base: str, recipe: str, *, seconds: float) -> list[float]:
    """Approve items by the key `a` (pairs by `1`) for some time, and return the milliseconds that each took.

    Raises:
        RuntimeError: if there is no Chromium on PATH.
    """
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium")
    if found is None:
        raise RuntimeError("Chromium is not on PATH: install it, or leave --browser out")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_context(base_url=base, extra_http_headers={"x-reviewer": "browser"}).new_page()
        page.goto(f"/recipes/{recipe}/next")
        page.wait_for_selector("html[data-painted] #item")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            _decide(page)
        waited = page.evaluate("performance.getEntriesByName('key-to-item').map(entry => entry.duration)")
        browser.close()
    return [float(each) for each in waited]


def _decide(page: Any) -> None:
    before = page.evaluate("document.documentElement.dataset.painted")
    page.keyboard.press("1" if page.locator("#answer-1").count() else "a")
    page.wait_for_function("before => document.documentElement.dataset.painted !== before", arg=before)
    page.wait_for_timeout(THINK_MS)
