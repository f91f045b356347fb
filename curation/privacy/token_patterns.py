"""Which tokens of which providers are known: the patterns of detect-secrets, and ours where its plugins miss today's formats.

TokenPattern(detector="github_token", entity="API_KEY", literals=("ghp_", ...), pattern=re.compile(...))

A pattern is tried on a stretch of text only if one of its literals occurs there. Plugins are used for their patterns alone:
`analyze_string` gives a group instead of the token (GitHub: "ghp"), stops before a JWT's signature, and tells no span;
their `verify`, which asks the provider over the network, is never called.
"""

import importlib
import re
from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True)
class TokenPattern:
    """One known form of a secret."""

    detector: str
    entity: str
    literals: tuple[str, ...]
    """One of these occurs in every match (compared as written)."""
    pattern: re.Pattern[str]


_PLUGINS: tuple[tuple[str, str, str, str, tuple[str, ...]], ...] = (
    ("aws", "AWSKeyDetector", "aws_access_key", "AWS_KEY", ("A3T", "ABIA", "ACCA", "AKIA", "ASIA")),
    ("discord", "DiscordBotTokenDetector", "discord", "API_KEY", (".",)),
    ("github_token", "GitHubTokenDetector", "github_token", "API_KEY", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
    ("gitlab_token", "GitLabTokenDetector", "gitlab_token", "API_KEY", ("gl", "GR1348941")),
    ("jwt", "JwtTokenDetector", "jwt", "JWT", ("eyJ",)),
    ("mailchimp", "MailchimpDetector", "mailchimp", "API_KEY", ("-us",)),
    ("openai", "OpenAIDetector", "openai", "API_KEY", ("T3BlbkFJ",)),
    ("pypi_token", "PypiTokenDetector", "pypi_token", "API_KEY", ("pypi-",)),
    ("sendgrid", "SendGridDetector", "sendgrid", "API_KEY", ("SG.",)),
    ("slack", "SlackDetector", "slack", "API_KEY", ("xox", "hooks.slack.com")),
    ("square_oauth", "SquareOAuthDetector", "square", "API_KEY", ("sq0csp-",)),
    ("stripe", "StripeDetector", "stripe", "API_KEY", ("k_live_",)),
    ("telegram_token", "TelegramBotTokenDetector", "telegram", "API_KEY", (":",)),
    ("twilio", "TwilioKeyDetector", "twilio", "API_KEY", ("AC", "SK")),
)
"""Module, class, our detector name, entity and literals. Not used: the keyword and entropy plugins (`secret_values` replaces
them), artifactory, cloudant, ibm, softlayer (their values are found by assignment), npm, azure_storage_key, basic_auth (see
ours), ip_public."""

_OURS: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("anthropic", "API_KEY", ("sk-ant-",), r"sk-ant-[A-Za-z0-9]{2,12}-[A-Za-z0-9_\-]{20,200}"),
    ("openai", "API_KEY", ("sk-",), r"sk-(?:proj|svcacct|admin|None|or-v1)-[A-Za-z0-9_\-]{20,250}|sk-[A-Za-z0-9]{32,64}"),
    ("huggingface", "API_KEY", ("hf_", "api_org_"), r"(?:hf|api_org)_[A-Za-z0-9]{30,60}"),
    ("google_api", "API_KEY", ("AIza",), r"AIza[0-9A-Za-z_\-]{35}"),
    ("google_oauth", "API_KEY", ("GOCSPX-", "ya29."), r"GOCSPX-[A-Za-z0-9_\-]{28}|ya29\.[A-Za-z0-9_\-]{20,300}"),
    ("github_token", "API_KEY", ("github_pat_", "gh"), r"github_pat_[A-Za-z0-9_]{50,100}|gh[pousr]_[A-Za-z0-9_]{36,255}"),
    ("npm", "API_KEY", ("npm_",), r"npm_[A-Za-z0-9]{36}"),
    (
        "slack",
        "API_KEY",
        ("xapp-", "xox"),
        r"xapp-\d-[A-Za-z0-9\-]{20,200}|xox[abeposr][.\-](?:[A-Za-z0-9\-]{1,200}\.)?[A-Za-z0-9\-]{20,300}",
    ),
    (
        "stripe",
        "API_KEY",
        ("k_live_", "k_test_", "whsec_"),
        r"[rs]k_(?:live|test)_[0-9a-zA-Z]{16,120}|whsec_[A-Za-z0-9+/=]{24,64}",
    ),
    ("digitalocean", "API_KEY", ("_v1_",), r"do[por]_v1_[a-f0-9]{64}"),
    ("shopify", "API_KEY", ("shp",), r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    ("square", "API_KEY", ("sq0", "EAAA"), r"sq0[a-z]{3}-[0-9A-Za-z_\-]{22,43}|EAAA[A-Za-z0-9_\-]{60}"),
    ("groq", "API_KEY", ("gsk_",), r"gsk_[A-Za-z0-9]{40,60}"),
    ("xai", "API_KEY", ("xai-",), r"xai-[A-Za-z0-9]{60,90}"),
    ("nvidia", "API_KEY", ("nvapi-",), r"nvapi-[A-Za-z0-9_\-]{60,70}"),
    ("replicate", "API_KEY", ("r8_",), r"r8_[A-Za-z0-9]{37}"),
    ("perplexity", "API_KEY", ("pplx-",), r"pplx-[A-Za-z0-9]{40,60}"),
    ("pinecone", "API_KEY", ("pcsk_",), r"pcsk_[A-Za-z0-9_]{50,90}"),
    ("databricks", "API_KEY", ("dapi",), r"dapi[a-f0-9]{32}(?:-\d)?"),
    ("docker", "API_KEY", ("dckr_",), r"dckr_[op]at_[A-Za-z0-9_\-]{24,40}"),
    ("grafana", "API_KEY", ("gl",), r"gl(?:sa|c)_[A-Za-z0-9+/=_]{32,160}"),
    ("vault", "API_KEY", ("hv",), r"hv[sbr]\.[A-Za-z0-9_\-]{20,200}"),
    ("terraform", "API_KEY", ("atlasv1.",), r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_\-]{60,70}"),
    ("atlassian", "API_KEY", ("ATATT3", "ATCTT3"), r"AT[AC]TT3[A-Za-z0-9_\-=]{50,250}"),
    ("postman", "API_KEY", ("PMAK-",), r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    ("linear", "API_KEY", ("lin_",), r"lin_(?:api|oauth)_[A-Za-z0-9]{40,64}"),
    ("figma", "API_KEY", ("figd_",), r"figd_[A-Za-z0-9_\-]{36,50}"),
    ("sentry", "API_KEY", ("sntry",), r"sntry[su]_[A-Za-z0-9+/=_\-]{40,300}"),
    ("new_relic", "API_KEY", ("NRAK-",), r"NRAK-[A-Z0-9]{27}"),
    ("mailgun", "API_KEY", ("key-",), r"(?<![\w\-])key-[0-9a-f]{32}"),
    ("azure_ad", "API_KEY", ("Q~",), r"(?<![A-Za-z0-9_~.\-])[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.\-]{31,34}"),
    ("azure_storage", "API_KEY", ("AccountKey=",), r"(?<=AccountKey=)[A-Za-z0-9+/]{40,90}={0,2}"),
    ("azure_sas", "API_KEY", ("sig=",), r"(?<=sig=)[A-Za-z0-9%+/]{30,90}={0,2}"),
    ("age", "PRIVATE_KEY", ("AGE-SECRET-KEY-",), r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    ("jwt", "JWT", ("eyJ",), r"eyJ[A-Za-z0-9_\-]{10,2000}\.eyJ[A-Za-z0-9_\-]{4,8000}\.[A-Za-z0-9_\-]{0,1000}"),
)


@cache
def token_patterns() -> tuple[TokenPattern, ...]:
    """Return all known forms; imports detect-secrets (a quarter of a second, no network) once a process."""
    ours = [TokenPattern(name, entity, literals, re.compile(pattern)) for name, entity, literals, pattern in _OURS]
    theirs = [
        TokenPattern(name, entity, literals, pattern)
        for module, plugin, name, entity, literals in _PLUGINS
        for pattern in _denylist(module, plugin)
    ]
    return (*ours, *theirs)


@cache
def patterns_by_literal() -> tuple[tuple[str, TokenPattern], ...]:
    """Return each literal with the form that it belongs to."""
    return tuple((literal, known) for known in token_patterns() for literal in known.literals)


def _denylist(module: str, plugin: str) -> Any:
    found = getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), plugin).denylist
    return found[:1] if module == "aws" else found
