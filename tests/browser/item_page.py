"""The page of one item, by keyboard: which item it shows, and keys that lead to another one."""

from typing import Any


def shown_item(page: Any) -> str:
    return str(page.locator("#item").get_attribute("data-item"))


def press_through(page: Any, *keys: str) -> str:
    """Press keys, the last of which leads to another item, wait until that is drawn, and return it."""
    page.wait_for_selector("html[data-painted] #item")  # else the first drawing of this item would pass for the next item
    before = page.evaluate("document.documentElement.dataset.painted")
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_function("before => document.documentElement.dataset.painted !== before", arg=before)
    return shown_item(page)
