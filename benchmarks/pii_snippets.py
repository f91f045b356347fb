"""Code with planted secrets of 24 kinds, and code that only looks as if it held one; all generated, none of them real.

make_snippets(2000, seed=7)[0]     Snippet(kind="github", text="...", secret="ghp_...")      secret "" in a hard negative
"""

import base64
import json
import random
import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass

ALNUM, HEX, UPPER = string.ascii_letters + string.digits, "0123456789abcdef", string.ascii_uppercase + "234567"
URL_SAFE, BASE64 = ALNUM + "-_", ALNUM + "+/"
WORDS = [
    *("river", "copper", "lantern", "orbit", "meadow", "falcon", "winter", "pencil", "harbor", "violet", "timber", "canyon"),
    *("ember", "puzzle", "saddle", "thunder"),
]


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of code and the secret in it."""

    kind: str
    text: str
    secret: str


class _Draw:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def chars(self, alphabet: str, count: int) -> str:
        return "".join(self.random.choices(alphabet, k=count))

    def one(self, items: list[str]) -> str:
        return self.random.choice(items)

    def password(self) -> str:
        shapes = [
            lambda: self.one(WORDS).capitalize() + self.chars("!@#$%&*?", 1) + self.chars(string.digits, 3) + self.one(WORDS),
            lambda: self.chars(ALNUM + "!@#%^*?", 14) + self.chars(string.digits, 1) + self.chars("!#*", 1),
            lambda: self.one(WORDS)[:4] + self.chars(string.digits, 4) + self.one(WORDS).upper()[:4],
        ]
        return self.random.choice(shapes)()


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _jwt(draw: _Draw) -> str:
    def part(value: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    body = {"sub": draw.chars(string.digits, 10), "name": draw.one(WORDS), "iat": draw.random.randrange(10**9)}
    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(body)}.{draw.chars(URL_SAFE, 43)}"


def _private_key(draw: _Draw) -> str:
    kind = draw.one(["RSA ", "EC ", "OPENSSH ", ""])
    body = "\n".join(draw.chars(BASE64, 64) for _ in range(draw.random.randint(4, 12)))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n{draw.chars(BASE64, 30)}==\n-----END {kind}PRIVATE KEY-----"


TOKENS: dict[str, Callable[[_Draw], str]] = {
    "aws_access_key": lambda draw: "AKIA" + draw.chars(UPPER, 16),
    "github": lambda draw: draw.one(["ghp_", "gho_", "ghs_"]) + draw.chars(ALNUM, 36),
    "github_fine_grained": lambda draw: f"github_pat_{draw.chars(ALNUM, 22)}_{draw.chars(ALNUM, 59)}",
    "gitlab": lambda draw: "glpat-" + draw.chars(URL_SAFE, 20),
    "slack_bot": lambda draw: f"xoxb-{draw.chars(string.digits, 12)}-{draw.chars(string.digits, 13)}-{draw.chars(ALNUM, 24)}",
    "openai_project": lambda draw: f"sk-proj-{draw.chars(URL_SAFE, 74)}T3BlbkFJ{draw.chars(URL_SAFE, 74)}",
    "openai_legacy": lambda draw: f"sk-{draw.chars(ALNUM, 20)}T3BlbkFJ{draw.chars(ALNUM, 20)}",
    "anthropic": lambda draw: f"sk-ant-api03-{draw.chars(URL_SAFE, 93)}AA",
    "huggingface": lambda draw: "hf_" + draw.chars(string.ascii_letters, 34),
    "google_api": lambda draw: "AIza" + draw.chars(URL_SAFE, 35),
    "npm": lambda draw: "npm_" + draw.chars(ALNUM, 36),
    "pypi": lambda draw: "pypi-AgEIcHlwaS5vcmc" + draw.chars(URL_SAFE, 150),
    "stripe": lambda draw: f"{draw.one(['sk', 'rk'])}_live_{draw.chars(ALNUM, draw.random.choice([24, 99]))}",
    "sendgrid": lambda draw: f"SG.{draw.chars(URL_SAFE, 22)}.{draw.chars(URL_SAFE, 43)}",
    "telegram": lambda draw: f"{draw.random.randint(10**9, 9 * 10**9)}:AA{draw.chars(URL_SAFE, 33)}",
    "jwt": _jwt,
    "private_key": _private_key,
}
FRAMES = [
    'client = Client(token="{}")',
    "export {N}={}",
    '{{"region": "eu", "{n}": "{}"}}',
    "{n}: {}",
    "const {n} = '{}';",
    "# leftover from debugging: {}",
    "curl -H 'Authorization: Bearer {}' https://api.acme.io/v1/items",
    "I keep getting 401 with {} as my key, what is wrong?",
]
NAMED: dict[str, tuple[Callable[[_Draw], str], list[str]]] = {
    "aws_secret_key": (
        lambda draw: draw.chars(BASE64, 40),
        ['aws_secret_access_key = "{}"', "AWS_SECRET_ACCESS_KEY={}", '"SecretAccessKey": "{}"', "secret_key='{}'"],
    ),
    "azure_storage": (
        lambda draw: draw.chars(BASE64, 86) + "==",
        ["DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={};EndpointSuffix=core.windows.net", 'account_key="{}"'],
    ),
    "password": (
        lambda draw: draw.password(),
        ['password = "{}"', "DB_PASSWORD={}", "db_passwd: '{}'", '"pwd": "{}",', "conn = connect(user='app', password='{}')"],
    ),
    "url_credentials": (
        lambda draw: draw.chars(ALNUM, 14),
        [
            "postgresql://app:{}@db.acme.io:5432/main",
            "REDIS_URL=redis://default:{}@cache.acme.io:6379",
            "amqp://svc:{}@mq.acme.io",
        ],
    ),
    "connection_string": (
        lambda draw: draw.password(),
        [
            "Server=tcp:db.acme.io,1433;User ID=sa;Password={};Encrypt=True;",
            "host=db.acme.io dbname=x user=app password={} sslmode=on",
        ],
    ),
    "hex_secret": (
        lambda draw: draw.chars(HEX, draw.random.choice([32, 40, 64])),
        ['SECRET_KEY = "{}"', "api_key: {}", "export APP_TOKEN={}", "client_secret='{}'", '"auth_token": "{}"'],
    ),
    "base64_secret": (
        lambda draw: draw.chars(BASE64, 43) + "=",
        ["ENCRYPTION_KEY={}", 'signing_key = "{}"', "webhook_secret: '{}'"],
    ),
}
NEGATIVES: dict[str, Callable[[_Draw], str]] = {
    "git_sha": lambda draw: f"git checkout {draw.chars(HEX, 40)}  # was {draw.chars(HEX, 8)}",
    "sha256": lambda draw: f'sha256 = "{draw.chars(HEX, 64)}"',
    "uuid": lambda draw: f'request_id = "{uuid.UUID(int=draw.random.getrandbits(128), version=4)}"',
    "base64_words": lambda draw: f'payload = "{_encode(" ".join(draw.random.choices(WORDS, k=6)))}"',
    "integrity": lambda draw: f'<script src="/a.js" integrity="sha384-{draw.chars(BASE64, 64)}"></script>',
    "placeholder": lambda draw: draw.one(
        [
            'api_key = "YOUR_API_KEY"',
            "password=********",
            "export TOKEN=<your-token-here>",
            "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            'openai.api_key = "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"',
            "postgresql://user:password@localhost:5432/db",
            'SECRET_KEY = "change-me-in-production"',
            "Authorization: Bearer <ACCESS_TOKEN>",
        ]
    ),
    "reference": lambda draw: draw.one(
        [
            'token = os.environ["GITHUB_TOKEN"]',
            "password = getpass.getpass('Password: ')",
            "const secret = process.env.CLIENT_SECRET_FOR_BILLING_SERVICE;",
            "api_key=settings.providers.primary.api_key,",
            "DB_PASSWORD=${DB_PASSWORD}",
            "key = hashlib.sha256(secret.encode()).hexdigest()",
        ]
    ),
    "identifier": lambda draw: draw.one(
        [
            "class AbstractSingletonProxyFactoryBeanConfiguration2:",
            'primary_key = "customer_billing_address_line_2"',
            "max_tokens=4096, token_type_ids=batch.token_type_ids",
            "import { createAsyncThunkWithAuthMiddleware } from './auth-middleware-v2';",
        ]
    ),
    "image": lambda draw: f'<img src="data:image/png;base64,iVBORw0KGgo{draw.chars(BASE64, 80)}">',
    "public_key": lambda draw: f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5{draw.chars(BASE64, 44)} ann@laptop",
    "prose": lambda draw: draw.one(
        [
            "The password must have at least 12 characters and one digit.",
            "The key is to sort first; the secret: use a generator. Token: a unit of text.",
            "Set the api_key parameter to the value you got by mail.",
        ]
    ),
}


def make_snippets(count: int, seed: int) -> list[Snippet]:
    """Return that many snippets: three in five hold one secret, the others none; the same for the same seed."""
    draw = _Draw(seed)
    kinds = [*TOKENS, *NAMED]
    snippets: list[Snippet] = []
    for number in range(count):
        if number % 5 < 3:
            snippets.append(_planted(draw, kinds[(number // 5 * 3 + number % 5) % len(kinds)]))
        else:
            kind = list(NEGATIVES)[(number // 5 * 2 + number % 5) % len(NEGATIVES)]
            snippets.append(Snippet(kind, _around(draw, NEGATIVES[kind](draw)), ""))
    return snippets


def _planted(draw: _Draw, kind: str) -> Snippet:
    if kind in TOKENS:
        secret = TOKENS[kind](draw)
        name = draw.one(["api_key", "service_token", "access_key", "secret", "credential"])
        frame = draw.one(FRAMES[:6] if kind == "private_key" else FRAMES)
        line = frame.replace("{{", "{").replace("}}", "}").replace("{n}", name).replace("{N}", name.upper())
    else:
        make, frames = NAMED[kind]
        secret, line = make(draw), draw.one(frames)
    return Snippet(kind, _around(draw, line.replace("{}", secret)), secret)


def _around(draw: _Draw, line: str) -> str:
    before = draw.one(["import os\n", "# settings\n", "def main() -> None:\n    run()\n\n", "Here is my code:\n\n", ""])
    after = draw.one(["\nprint('done')", "\nretries = 3\n", "\n\nfor item in items:\n    handle(item)\n", ""])
    return f"{before}{line}{after}"
