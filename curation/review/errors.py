"""The errors of the review app, a branch of the tree in `curation.errors`: the docstring of a class is its message.

raise LastLeadError(name="Ada")
"""

from curation.errors import TunewrightError

# accounts


class PersonNameError(TunewrightError, ValueError):
    """This name cannot be used: {problem}"""


class NameTakenError(TunewrightError, ValueError):
    """The name '{name}', or one that looks like it, is taken. Choose another: names are never passed on, because verdicts stand under them."""


class PasswordRefusedError(TunewrightError, ValueError):
    """This password cannot be used: {problem}. A few random words make a good one."""


class LoginRefusedError(TunewrightError):
    """Name or password is wrong."""


class TooManyTriesError(TunewrightError):
    """Too many tries. Wait {seconds} seconds, then try again."""


class InvitationInvalidError(TunewrightError):
    """This link is not valid any more: it was used, has expired, or was replaced by a newer one. Ask a lead for a new one."""


class LastLeadError(TunewrightError):
    """{name} is the only lead. Make somebody else a lead first, or nobody could manage the people."""


class UnknownPersonError(TunewrightError):
    """There is nobody called '{name}'."""


class ScopeMissingError(TunewrightError):
    """This API token may not do that: it lacks the scope '{scope}'. Make one that has it on the account page."""


class TokenRefusedError(TunewrightError, ValueError):
    """This API token cannot be made: {problem}."""


class UntrustedProxyError(TunewrightError):
    """Refused: the request says who sends it, but comes from {address}, which is not a trusted proxy."""


class SingleSignOnMissingError(TunewrightError):
    """Single sign-on needs a library that is not installed. Install Tunewright with the extra `oidc`: pip install 'tunewright[oidc]'."""


class SingleSignOnError(TunewrightError):
    """Single sign-on did not work: {problem}. Try again, or log in with your password."""


class ServedTwiceError(TunewrightError):
    """The review database {path} is already served by process {pid}. SQLite has one writer: stop that process first, or use PostgreSQL (TUNEWRIGHT_DATABASE_URL)."""


class AddressTakenError(TunewrightError):
    """The review app cannot listen on {host}:{port}: {reason}. Choose another --port, or stop what listens there."""


class TlsFileError(TunewrightError, ValueError):
    """TLS needs both a certificate and a key: give --tls-cert and --tls-key, each a readable PEM file ({problem})."""


# reviewers


class GoldRefusedError(TunewrightError, ValueError):
    """No item with a known decision was made: {problem}"""


class GuidelineRefusedError(TunewrightError, ValueError):
    """The guidelines are as they were: {problem}"""


# review files in and out, webhooks, backups


class ReviewFileError(TunewrightError):
    """The file {path} cannot be used: {reason}. What was stored before stays; correct it and give the same command again."""


class WebhookRefusedError(TunewrightError, ValueError):
    """This webhook cannot be used: {problem}"""


class UnknownWebhookError(TunewrightError):
    """There is no webhook or delivery '{id}'. `tunewright review webhooks list` shows those that there are."""


class BackupError(TunewrightError):
    """The backup was not made or not used: {reason}"""


# bulk actions


class BulkRefusedError(TunewrightError, ValueError):
    """Nothing was decided in bulk: {problem}"""
