"""`tunewright review user`: who may review, from the console of the machine that the app runs on.

tunewright review user add --role reviewer        prints a one-time link
tunewright review user list
"""

import contextlib
import datetime
import getpass
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from curation.home import Home
from pipelines.terminal import say

user_app = typer.Typer(no_args_is_help=True, help="Invite people, change what they may do, shut them out.")
Name = Annotated[str, typer.Argument(help="Name under which the person logs in.")]
ROLE_HELP = "reviewer decides items, adjudicator also settles disputes, lead also manages people, lots and settings."
RoleName = Annotated[str, typer.Option("--role", help=ROLE_HELP)]


@user_app.command("add")
def add_person(role: RoleName = "reviewer") -> None:
    """Print a link with which one person may join, once, within a week. They choose name and password themselves."""
    role = _role(role)
    with _accounts() as accounts:
        token = (accounts.first_link() if role == "lead" else None) or accounts.invite(role, by=_console())
    _print_link(token, f"Give this link to the new {role}; it works once, for a week:")


@user_app.command("list")
def list_people() -> None:
    """Print everybody, with role and state."""
    table = Table("name", "role", "since", "state")
    with _accounts() as accounts:
        for person in accounts.people():
            since = datetime.datetime.fromtimestamp(person.created_at, datetime.UTC).date().isoformat()
            table.add_row(escape(person.name), person.role, since, "disabled" if person.disabled_at else "active")
    Console(highlight=False).print(table)


@user_app.command("role")
def change_role(name: Name, role: Annotated[str, typer.Argument(help=ROLE_HELP)]) -> None:
    """Give a person another role; they have to log in again."""
    with _accounts() as accounts:
        accounts.set_role(name, _role(role), by=_console())
    say(f"{name} is {role} now")


@user_app.command("disable")
def shut_out(name: Name) -> None:
    """Shut a person out at once: sessions, tokens and open links end. Their verdicts stay."""
    with _accounts() as accounts:
        accounts.disable(name, by=_console())
    say(f"{name} is shut out")


@user_app.command("enable")
def let_in(name: Name) -> None:
    """Let a person in again who was shut out; tokens and links stay revoked."""
    with _accounts() as accounts:
        accounts.enable(name, by=_console())
    say(f"{name} may log in again")


@user_app.command("reset-link")
def reset_password(name: Name) -> None:
    """Print a link with which a person chooses a new password, once."""
    with _accounts() as accounts:
        token = accounts.reset(name, by=_console())
    _print_link(token, f"Give this link to {name}; it works once:")


@contextlib.contextmanager
def _accounts() -> Iterator[Any]:
    from curation.review.accounts.accounts import Accounts
    from curation.review.accounts.tables import MIGRATIONS

    database = Home.from_environment().database("accounts", MIGRATIONS)
    try:
        yield Accounts(database)
    finally:
        database.close()


def _role(name: str) -> Any:
    from curation.review.accounts.person import ROLES

    if name not in ROLES:
        raise typer.BadParameter(f"'{name}' is none of: {', '.join(ROLES)}", param_hint="role")
    return name


def _console() -> str:
    return f"the console ({getpass.getuser()})"


def _print_link(token: str, text: str) -> None:
    say(text)
    say(f"{Home.from_environment().review_url.rstrip('/')}{LINK_PATH}{token}")


LINK_PATH = "/welcome/"
