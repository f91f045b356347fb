r"""Secrets: known tokens, private keys, credentials in URLs, and what is assigned to a name such as `password`.

find_secrets('api_key = "sk-proj-..."')              API_KEY, the span of the token alone
find_secrets("postgres://app:S3cr3t!pw@db/x")        URL_CREDENTIALS, the span of the password alone
"""

import math
import re
from collections import Counter
from collections.abc import Iterator

from curation.privacy.clues import Clues
from curation.privacy.finding import Finding
from curation.privacy.token_patterns import patterns_by_literal

_STRETCH = re.compile(r"[A-Za-z0-9_\-+/=.:~%]{16,}")
_STRETCH_LIMIT, _STRETCH_OVERLAP = 4096, 512
_TOKEN_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY = re.compile(
    r"(?:(?:\\[nr]|[\s\"',>]){0,12}[A-Za-z0-9+/=]{20,100})*(?:(?:\\[nr]|[\s\"',>]){0,12}[A-Za-z0-9+/]{1,19}={1,2})?"
)
_PUTTY = re.compile(r"PuTTY-User-Key-File-[23]:")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{1,30}://[^\s:/@\"'<>\[\]{}]{0,100}:([^\s@\"'<>]{1,200})@(?=[\w\[{$<])")
_STEMS = ("pass", "pwd", "secret", "token", "key", "credential", "auth", "sig")
_NAMED = re.compile(
    r"(?i)(passwords?|passwd|passphrase|pass(?![a-z])|pwd|secrets?|tokens?|credentials?|keys?|auth|sig)([A-Za-z0-9_\-]{0,24})"
    r"[\"'\]`)]{0,3}[ \t]{0,4}(?::[ ]?(?:str|string|&str|String)[ ]?=|=>|:=|={1,3}|:| is )[ \t]{0,4}"
    r"(?:[@bru]{0,2}([\"'`])([^\"'`\n]{4,512})\3|((?:[^\s\"'`,;<>(){}\[\]&]|&(?![\w\-]{1,30}=)){6,512}))"
)
_FLAG = re.compile(
    r"-(?<![^\s\"']-)(?:-(?:password|token|api-key|secret|pass)[ =]|p[ ]?(?=\S{8})"
    r"|u[ ]{1,2}[\w.@\-]{1,64}:)([^\s\"'`<>$]{6,256})"
)
_SCHEMES = ("bearer", "basic", "token")
_SCHEME = re.compile(r"(?i)(?:bearer|basic|token)[ ]{1,2}([A-Za-z0-9_\-+/=.~]{16,2000})")
_REFERENCE = re.compile(
    r"[A-Za-z_$][A-Za-z_]*(?:[.:\-/][A-Za-z_]+)*|[a-z_]\w*(?:\.[A-Za-z_]\w*)+|\$\S*|%[a-z]\W?|%\w+%|%\(\S*|.*\(.*|.*\{.*\}.*|.*<.*>.*"
)
_NOT_SECRET_SUFFIX = re.compile(
    r"(?i)[_\-]?(?:ids?|names?|urls?|uri|path|file|types?|len|length|size|count|exp|expir\w*|field|label|header|prefix|hint|limit|param|arn|ref|regex|pattern|format|version|fingerprint|sha|hash|checksum|digest)$"
)
_NOT_SECRET_PREFIX = re.compile(
    r"(?i)(?:public|pub|max|min|num|foreign|primary|cache|sort|partition|group|index|object|lookup|dict|row|unique|integrity"
    r"|idempotency|hot|short)[_\-]?$|(?:mon|tur|don|joc|hoc|whis|hus)$"
)
_PASSWORD_NAME = re.compile(r"(?i)pass|pwd")
_STRONG_NAME = re.compile(r"(?i)secret|token|api|access|auth|private|account|signing|encryption|license|credential")


def find_secrets(text: str, clues: Clues) -> Iterator[Finding]:
    """Find secrets but for private keys; each span holds the secret and not the name in front of it."""
    if clues.long_tokens:
        yield from _find_tokens(text, clues.long_tokens)
    if clues.has_at and "://" in text:
        for match in _URL.finditer(text):
            yield Finding("URL_CREDENTIALS", match.start(1), match.end(1), "url_credentials", 0.85)
    if clues.has_assignment:
        yield from _find_assigned(text)
    if clues.long_tokens and clues.has_part(_SCHEMES):
        yield from _find_authorizations(text)


def find_private_keys(text: str) -> Iterator[Finding]:
    """Find private keys from their first line to their last one, or as far as a cut one goes."""
    for match in _PEM.finditer(text):
        close = text.find("-----END", match.end(), match.end() + 20_000)
        stop = text.find("-----", close + 8, close + 80) if close >= 0 else -1
        body = _PEM_BODY.match(text, match.end(), match.end() + 20_000)
        end = stop + 5 if stop >= 0 else (body.end() if body is not None else match.end())
        yield Finding("PRIVATE_KEY", match.start(), match.start() + len(text[match.start() : end].rstrip()), "private_key", 1.0)
    for match in _PUTTY.finditer(text):
        mac = text.find("Private-MAC:", match.end(), match.end() + 20_000)
        line = text.find("\n", mac) if mac >= 0 else -1
        yield Finding("PRIVATE_KEY", match.start(), line if line >= 0 else len(text), "private_key", 1.0)


def _find_tokens(text: str, long_tokens: str) -> Iterator[Finding]:
    possible = {known for literal, known in patterns_by_literal() if literal in long_tokens}
    if len(long_tokens) <= _STRETCH_LIMIT:
        possible = {known for known in possible if known.pattern.search(long_tokens)}
    for start, end in _stretches(text) if possible else ():
        for known in possible:
            for match in known.pattern.finditer(text, start, end):
                yield from _whole_token(text, match.start(), match.end(), known.detector, known.entity)


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Return the parts without white space or quotes, long ones in overlapping pieces."""
    for match in _STRETCH.finditer(text):
        for start in range(match.start(), match.end(), _STRETCH_LIMIT - _STRETCH_OVERLAP):
            yield start, min(start + _STRETCH_LIMIT, match.end())
            if start + _STRETCH_LIMIT >= match.end():
                break


def _whole_token(text: str, start: int, end: int, detector: str, entity: str) -> Iterator[Finding]:
    """A match inside a longer word is none, but a token that goes on is masked to its end."""
    if start and text[start - 1] in _TOKEN_CHARS and text[start] in _TOKEN_CHARS and text[start - 1] not in "_-":
        return
    while end < len(text) and end - start < 10_000 and text[end] in _TOKEN_CHARS:
        end += 1
    if entropy(text[start:end]) >= 2.5:
        yield Finding(entity, start, end, detector, 0.9)


def _find_assigned(text: str) -> Iterator[Finding]:
    place = 0
    for start in _starts(text, _STEMS):
        match = _NAMED.match(text, start) if start >= place else None
        if match is None:
            continue
        place = match.end()
        group = 4 if match[3] else 5
        value = match[group].rstrip(".,:") if group == 5 else match[group]
        before = text[max(0, start - 24) : start]
        if _is_secret_name(before, match[1], match[2]) and _is_secret_value(match[1], before, value, is_quoted=group == 4):
            entity = "PASSWORD" if _PASSWORD_NAME.search(match[1]) else "SECRET"
            yield Finding(entity, match.start(group), match.start(group) + len(value), "assignment", 0.75)
    for match in _FLAG.finditer(text) if "-" in text else ():
        yield from _if_random(match, "command_line")


def _find_authorizations(text: str) -> Iterator[Finding]:
    for start in _starts(text, _SCHEMES):
        match = _SCHEME.match(text, start) if not text[start - 1 : start].isalnum() else None
        if match is not None:
            yield from _if_random(match, "authorization")


def _if_random(match: re.Match[str], detector: str) -> Iterator[Finding]:
    if not _REFERENCE.fullmatch(match[1]) and entropy(match[1]) >= 2.5:
        yield Finding("SECRET", match.start(1), match.end(1), detector, 0.75)


def _starts(text: str, stems: tuple[str, ...]) -> list[int]:
    """Return where the stems stand, in any case, sorted; finding them is many times as fast as a pattern."""
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    starts: set[int] = set()
    for stem in stems:
        start = lowered.find(stem)
        while start >= 0:
            starts.add(start)
            start = lowered.find(stem, start + 1)
    return sorted(starts)


def _is_secret_name(before: str, name: str, rest: str) -> bool:
    if _NOT_SECRET_SUFFIX.search(rest) or name.lower() in ("keys", "auth") and not rest:
        return False
    plain = name.lower() in ("key", "keys", "auth", "sig", "token", "tokens")
    if name == "pass" and before[-1:].islower():
        return False
    prefix = re.search(r"[A-Za-z0-9_\-]*$", before)
    return not (plain and prefix and prefix[0] and _NOT_SECRET_PREFIX.search(prefix[0]))


def _is_secret_value(name: str, before: str, value: str, *, is_quoted: bool) -> bool:
    if _REFERENCE.fullmatch(value) and not (is_quoted and _PASSWORD_NAME.search(name) and _looks_chosen(value)):
        return False
    if any(char.isspace() for char in value):
        return False
    if _PASSWORD_NAME.search(name):
        return _is_password(value, is_quoted)
    strong = _STRONG_NAME.search(name) or _STRONG_NAME.search(before)
    return _is_random(value, shortest=12 if strong else 20, least_entropy=3.0 if strong else 3.3)


def _looks_chosen(value: str) -> bool:
    """A password of letters only, such as `TrailDog`; a plain word in one case is taken for a name."""
    return len(value) >= 8 and not value.islower() and not value.isupper() and value[1:] != value[1:].lower()


def _is_password(value: str, is_quoted: bool) -> bool:
    kinds = _kinds(value)
    if is_quoted:
        return len(value) >= 5 and kinds >= 2 and not value.replace("_", "").replace("-", "").isalpha() or _looks_chosen(value)
    return len(value) >= 6 and kinds >= 2 and any(char.isdigit() for char in value) and not value[0].isdigit() or kinds >= 3


def _kinds(value: str) -> int:
    return sum(
        (
            any(char.islower() for char in value),
            any(char.isupper() for char in value),
            any(char.isdigit() for char in value),
            any(not char.isalnum() for char in value),
        )
    )


def _is_random(value: str, shortest: int, least_entropy: float) -> bool:
    has_both = any(char.isdigit() for char in value) and any(char.isalpha() for char in value)
    mixed = any(char.islower() for char in value[1:]) and sum(char.isupper() for char in value[1:]) >= 4
    return len(value) >= shortest and (has_both or mixed and len(value) >= 24) and entropy(value) >= least_entropy


def entropy(value: str) -> float:
    """Return the Shannon entropy of the characters in bits a character."""
    total = len(value)
    return -sum(count / total * math.log2(count / total) for count in Counter(value).values()) if total else 0.0
