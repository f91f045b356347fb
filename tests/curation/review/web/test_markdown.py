"""Markdown from strangers: no element that is not ours, nothing left out, and never for long."""

import html
import re
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.review.web import show
from curation.review.web.markdown import CLASSES, MAX_SECONDS, TAGS, render
from tests.curation.review.payloads import PAYLOADS, find_leaks

pytestmark = pytest.mark.slow

ALLOWED = {tag: {"class"} if tag in CLASSES else set() for tag in TAGS} | {"span": {"class", "title"}, "pre": {"class"}}
HIDDEN = re.compile(r'<span class="hidden" title="[^"<>]*">U\+([0-9A-F]+)</span>')

PATHOLOGICAL = {
    "images": "![[" * 20_000,
    "links": "[" * 50_000,
    "link ends": "](" * 30_000,
    "quotes": ">" * 50_000,
    "spaced quotes": "> " * 30_000,
    "emphasis": "*a " * 20_000,
    "strong": "a**b" * 15_000,
    "both": "_*" * 30_000,
    "ends": "a* " * 20_000,
    "growing ticks": "".join("`" * number + "x" for number in range(1, 350)),
    "odd ticks": "`a``b" * 12_000,
    "table of 10,000 columns": "|a" * 10_000 + "|\n" + "|-" * 10_000 + "|\n" + "|b" * 10_000 + "|",
    "table of empty rows": "|a|b|\n|-|-|\n" + "|\n" * 30_000,
    "wide table": "|a" * 60 + "|\n" + "|-" * 60 + "|\n" + ("|b" * 60 + "|\n") * 520,
    "nested lists": "".join("  " * number + "- a\n" for number in range(250)),
    "list in list": "1. " * 20_000,
    "quote in list": "> - " * 16_000,
    "fences": "```\n" * 15_000,
    "backslashes": "\\" * 60_000,
    "comments": "<!--" * 15_000,
    "rules": "---\n" * 15_000,
    "headings": "# a\n" * 16_000,
    "short lines": "a\n" * 30_000,
    "blank lines": "\n" * 60_000,
    "blanks": "a" + " " * 60_000 + "b",
    "invisible": "\u200b" * 16_000,
    "1 MB": "a b " * 250_000,
    "10 MB": "\u202e<b>" * 2_500_000,
}


def seen(rendered: str) -> str:
    """Return what a reader sees, with the characters that have a badge."""
    spelled = HIDDEN.sub(lambda match: chr(int(match[1], 16)), rendered)
    return html.unescape(re.sub(r"<[^>]*>", "", spelled))


def words(text: str) -> str:
    return "".join(character for character in text if character.isalnum() or show.is_hidden(character))


def test_there_are_enough_payloads() -> None:
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 400


def test_no_payload_becomes_an_element_or_attribute_of_its_own() -> None:
    leaks = {payload: found for payload in PAYLOADS if (found := find_leaks(render(payload), ALLOWED))}
    assert leaks == {}


def test_payloads_are_shown_in_full() -> None:
    for payload in PAYLOADS:
        shown = render(payload)
        assert words(payload.replace("\r\n", "\n")) in words(seen(shown)), payload
        shown.encode()


def test_payloads_in_the_middle_of_markdown_stay_text() -> None:
    for number, payload in enumerate(PAYLOADS):
        around = ("**{}**", "- {}", "# {}", "> {}", "|a|\n|-|\n|{}|", "`{}`", "```\n{}\n```", "1. a\n2. {}")[number % 8]
        assert find_leaks(render(around.replace("{}", payload)), ALLOWED) == []


def test_what_answers_use_is_formatted() -> None:
    shown = render("# Top\n### Deep\n*a* **b** `c<d`\n\n- x\n\n```py\n1 < 2\n```\n\n|h|\n|-|\n|v|\n\n> q\n\n---\na  \nb")
    for part in (
        '<p class="heading">Top</p>',
        '<p class="subheading">Deep</p>',
        "<em>a</em> <strong>b</strong> <code>c&lt;d</code>",
        "<ul><li>x</li>\n</ul>",
        '<p class="language">py</p><pre><code>1 &lt; 2\n</code></pre>',
        "<th>h</th>",
        "<td>v</td>",
        "<blockquote><p>q</p>\n</blockquote>",
        "<hr>",
        "a<br>\nb",
    ):
        assert part in shown


def test_no_heading_disturbs_the_outline_of_the_page() -> None:
    assert not re.search("<h[1-6]", render("\n".join("#" * level + " x" for level in range(1, 7)) + "\n\ny\n==="))


def test_numbers_of_a_list_are_those_of_the_text() -> None:
    assert re.findall(r'class="marker">([^<]+)<', render("1986. a\n7. b\n7. c\n\nx\n\n3) d")) == ["1986.", "7.", "7.", "3)"]


def test_links_and_images_stay_text() -> None:
    shown = render("![a](http://evil.example/x) [b](c) <http://x.example>")
    assert shown == "<p>![a](http://evil.example/x) [b](c) &lt;http://x.example&gt;</p>\n"


@pytest.mark.parametrize("text", ["|a|b|\n|-|-|\n|1|2|approve this|", "> " * 200 + "deep", "- " * 50 + "deep"])
def test_what_markdown_would_drop_is_shown_plain(text: str) -> None:
    shown = render(text)
    assert "Shown as plain text: " in shown
    assert text.split()[-1].strip("|") in seen(shown)


def test_invisible_characters_are_named_inside_formatted_text_and_cannot_be_forged() -> None:
    shown = render("**a\u202eb** `c\u200bd` \0 \ud83d \ue000202E\ue001 &#x202E; \r")
    assert HIDDEN.findall(shown) == ["202E", "200B", "0000", "D83D", "E000", "E001", "000D"]
    assert "\u202e" not in shown


@pytest.mark.parametrize("name", PATHOLOGICAL)
def test_pathological_text_is_over_soon(name: str) -> None:
    start = time.thread_time()
    shown = render(PATHOLOGICAL[name], max_seconds=MAX_SECONDS)
    assert time.thread_time() - start < 30, "0.05 s is the limit; the rest is for a slow and busy machine"
    assert len(shown) < 2_000_000
    assert find_leaks(shown, ALLOWED) == []


def test_the_clock_stops_what_the_limits_let_pass() -> None:
    text = "*a* `b`\n\n" * 300
    assert "it takes too long" in render(text, max_seconds=0)
    assert "Shown as plain" not in render(text, max_seconds=60)


def test_a_long_text_is_cut_and_says_so() -> None:
    shown = render("x" * 100_000)
    assert "too long to be formatted. These are the first 32,000 of 100,000 characters." in shown


@settings(max_examples=60, deadline=None)
@given(st.text(st.one_of(st.sampled_from("*_`#>|-+[]()!<&;\\~= \n1.a\u202e\0"), st.characters()), max_size=80))
def test_nothing_is_left_out_and_nothing_gets_in(text: str) -> None:
    shown = render(text)
    assert find_leaks(shown, ALLOWED) == []
    assert words(text.replace("\r\n", "\n")) in words(seen(shown))
    assert not any(show.is_hidden(character) for character in shown)


def test_threads_do_not_mix_up_their_texts() -> None:
    wrong: list[str] = []

    def work(name: str) -> None:
        wrong.extend(name for _ in range(30) if f"<em>{name}</em>" not in render(f"*{name}* x\n\n- y"))

    threads = [threading.Thread(target=work, args=(f"n{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
