import random
import string

import pytest

from curation.privacy.config import PrivacyConfig
from curation.privacy.detect import find_findings

CONFIG = PrivacyConfig()
ALNUM = string.ascii_letters + string.digits


def draw(alphabet: str, count: int, seed: int = 7) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=count))


def found(text: str) -> list[str]:
    return [text[item.start : item.end] for item in find_findings(text, CONFIG)]


HEX, URL_SAFE = "0123456789abcdef", ALNUM + "-_"
TOKENS = {
    "aws": "AKIA" + draw("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16),
    "github": "ghp_" + draw(ALNUM, 36),
    "github_fine": "github_pat_" + draw(ALNUM, 22) + "_" + draw(ALNUM, 59),
    "gitlab": "glpat-" + draw(URL_SAFE, 19) + "x",
    "slack": "xoxb-123456789012-210987654321-" + draw(ALNUM, 24),
    "slack_app": "xapp-1-A0" + draw(ALNUM, 9).upper() + "-" + draw(string.digits, 13) + "-" + draw(HEX, 64),
    "openai_project": "sk-proj-" + draw(URL_SAFE, 74) + "T3BlbkFJ" + draw(URL_SAFE, 73) + "x",
    "anthropic": "sk-ant-api03-" + draw(URL_SAFE, 93) + "AA",
    "huggingface": "hf_" + draw(string.ascii_letters, 34),
    "google": "AIza" + draw(URL_SAFE, 34) + "x",
    "npm": "npm_" + draw(ALNUM, 36),
    "pypi": "pypi-AgEIcHlwaS5vcmc" + draw(URL_SAFE, 150) + "x",
    "stripe_long": "sk_live_" + draw(ALNUM, 99),
    "sendgrid": "SG." + draw(URL_SAFE, 21) + "x." + draw(URL_SAFE, 42) + "x",
    "jwt": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI5Mzg0NyIsIm4iOiJBIn0." + draw(URL_SAFE, 42) + "x",
    "telegram": "7481920365:AA" + draw(URL_SAFE, 32) + "x",
}


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize(
    "frame", ["{}", 'client = Client("{}")', "curl -H 'X-Api: {}' https://api.corp.io", '{{"a": "{}"}}', "it is {}."]
)
def test_tokens_are_found_whole(name: str, frame: str) -> None:
    assert found(frame.format(TOKENS[name])) == [TOKENS[name]]


@pytest.mark.parametrize("token", [TOKENS["aws"] + "Q7XZ", TOKENS["google"] + "_more1", TOKENS["sendgrid"] + "Ab3-9"])
def test_a_token_that_goes_on_is_masked_to_its_end(token: str) -> None:
    assert found(f"use {token} here") == [token]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('password = "Tr0ub4dor&3"', "Tr0ub4dor&3"),
        ("DB_PASSWORD=gT7!kq2Zp9", "gT7!kq2Zp9"),
        ("export API_KEY=9f8d7c6b5a4e3f2d1c0b9a8f7e6d5c4b", "9f8d7c6b5a4e3f2d1c0b9a8f7e6d5c4b"),
        ('{"client_secret": "mXq8vT2pLw5nRk9yBz3c"}', "mXq8vT2pLw5nRk9yBz3c"),
        ("postgres://app:S3cr3tpw99@db.corp.io:5432/x", "S3cr3tpw99"),
        ("Server=tcp:db;User ID=sa;Password=yT5$kL9pQz;Encrypt=True", "yT5$kL9pQz"),
        ("DefaultEndpointsProtocol=https;AccountKey=" + draw(ALNUM, 86) + "==", draw(ALNUM, 86) + "=="),
        ("Authorization: Bearer " + draw(ALNUM, 40), draw(ALNUM, 40)),
        ("mysql -u root --password=Zk8pLw3vTq", "Zk8pLw3vTq"),
        ('aws_secret_access_key = "' + draw(ALNUM + "/+", 40) + '"', draw(ALNUM + "/+", 40)),
    ],
)
def test_assigned_secrets_are_found_without_their_names(text: str, secret: str) -> None:
    assert found(text) == [secret]


@pytest.mark.parametrize("line_end", ["\n", "\\n"])
def test_a_private_key_is_found_from_begin_to_end(line_end: str) -> None:
    body = line_end.join(draw(ALNUM + "+/", 64, seed) for seed in range(12))
    key = f"-----BEGIN RSA PRIVATE KEY-----{line_end}{body}{line_end}-----END RSA PRIVATE KEY-----"
    assert found(f'key = "{key}"; print(key)') == [key]
    cut = f"-----BEGIN PRIVATE KEY-----{line_end}{body}"
    assert found(f"{cut}\n\nAnd now something else that is prose.") == [cut]


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE and wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        'api_key = "YOUR_API_KEY"',
        "api_key = os.environ['OPENAI_API_KEY']",
        "password = getpass.getpass()",
        "password: str = Field(..., min_length=8)",
        'token = "<your-token>"',
        "export TOKEN=${GITHUB_TOKEN}",
        "password=********",
        'PASSWORD = "changeme"',
        "postgresql://user:password@localhost/db",
        "https://${USER}:${PASS}@host/x",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        'sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"',
        "id: 123e4567-e89b-42d3-a456-426614174000",
        'data = "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcw=="',
        '<script integrity="sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC">',
        "max_tokens=2048, token_type='bearer', key = lambda row: row.name",
        "The password must have 8 characters. The key is to practise; the secret: patience.",
        'primary_key="customer_address_line_number_2"',
        "sk-learn and sk-image-processing-toolbox are packages",
        "https://docs.python.org/3/library/collections.abc.html#collections.abc.AsyncGenerator",
        "monkey = 'AbstractSingletonProxyFactoryBean2'",
        "Authorization: Bearer YOUR_ACCESS_TOKEN_GOES_HERE",
    ],
)
def test_hard_negatives_are_left_alone(text: str) -> None:
    assert found(text) == []
