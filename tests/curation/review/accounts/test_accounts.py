"""Who gets in, how, and how they are shut out again."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest

from curation.database import Database
from curation.review.accounts.accounts import INVITATION_SECONDS, Accounts
from curation.review.accounts.names import name_key, read_person_name
from curation.review.accounts.sessions import IDLE_SECONDS, MAX_SECONDS
from curation.review.accounts.tables import MIGRATIONS
from curation.review.errors import (
    InvitationInvalidError,
    LastLeadError,
    LoginRefusedError,
    NameTakenError,
    PasswordRefusedError,
    PersonNameError,
    TokenRefusedError,
    TooManyTriesError,
    UnknownPersonError,
)
from tests.curation.review.accounts.conftest import FAST, PASSWORD, Clock

pytestmark = pytest.mark.slow

Join = Callable[..., str]
HERE = "192.0.2.7"


def test_the_first_lead_comes_by_a_link_that_works_once_and_a_newer_one_replaces(accounts: Accounts) -> None:
    old, new = accounts.first_link(), accounts.first_link()
    assert old
    assert new
    with pytest.raises(InvitationInvalidError):
        accounts.accept(old, "Mallory", PASSWORD)
    assert accounts.accept(new, "  Ada   Lovelace ", PASSWORD).name == "Ada Lovelace"
    assert [(each.name, each.role) for each in accounts.people()] == [("Ada Lovelace", "lead")]
    with pytest.raises(InvitationInvalidError):
        accounts.accept(new, "Mallory", PASSWORD)
    assert accounts.first_link() is None


def test_an_invitation_gives_its_role_once_and_ends_after_a_week(accounts: Accounts, ada: str, clock: Clock) -> None:
    token, late = accounts.invite("adjudicator", by=ada), accounts.invite("lead", by=ada)
    assert accounts.invitation(token)[:3] == ("adjudicator", "", "Ada")
    assert accounts.accept(token, "Bob", PASSWORD).role == "adjudicator"
    clock.now += INVITATION_SECONDS
    for used in (token, late, "", "x" * 10_000, "\ud83d"):
        with pytest.raises(InvitationInvalidError):
            accounts.invitation(used)


def test_what_is_refused_leaves_the_invitation_usable(accounts: Accounts, ada: str) -> None:
    token = accounts.invite("reviewer", by=ada)
    with pytest.raises(NameTakenError):
        accounts.accept(token, "\uff21DA", PASSWORD)
    with pytest.raises(PasswordRefusedError):
        accounts.accept(token, "Bob", "short")
    with pytest.raises(PersonNameError):
        accounts.accept(token, "automatic:judge", PASSWORD)
    assert accounts.accept(token, "Bob", PASSWORD).name == "Bob"


def test_one_link_used_by_many_at_once_admits_one(accounts: Accounts, ada: str) -> None:
    token = accounts.invite("reviewer", by=ada)

    def take(number: int) -> bool:
        try:
            accounts.accept(token, f"Person {number + 2}x", PASSWORD)
        except InvitationInvalidError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(16))) == 1
    assert len(accounts.people()) == 2


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "x" * 81,
        "automatic:rules",
        "Automatic:x",
        "AUTOMATIC :x",
        "\u0430utomatic:x",
        "import:Ada",
        "Label_Studio: 7",
        "\u0430rgilla:ada",
        "a\u202eb",
        "a\u200bb",
        "a\0b",
        "\ud83d",
        "--",
    ],
)
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(PersonNameError):
        read_person_name(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada", "ADA"),
        ("Ada", "\u0410da"),
        ("Ada", "\uff21\uff44\uff41"),
        ("Stra\u00dfe", "STRASSE"),
        ("Zo\u00eb", "Zoe\u0308"),
        ("Bob", "B0b"),
        ("o'neil", "o\u2019neil"),
    ],
)
def test_names_that_look_alike_are_the_same(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@hypothesis.given(st.text(max_size=90))
def test_a_name_that_is_accepted_stays_as_it_is_and_belongs_to_one_person(name: str) -> None:
    try:
        kept = read_person_name(name)
    except PersonNameError:
        return
    assert read_person_name(kept) == kept
    assert name_key(kept) == name_key(f"  {kept} ")
    assert name_key(kept.swapcase()) or not kept.isascii()


def test_logging_in_opens_a_new_session_every_time(accounts: Accounts, ada: str) -> None:
    first, second = (accounts.log_in("ADA", PASSWORD, address=HERE, agent="Firefox") for _ in range(2))
    assert first != second
    session = accounts.sessions.find(first)
    assert session is not None
    assert (session.name, session.role, session.agent, session.address) == ("Ada", "lead", "Firefox", HERE)
    accounts.sessions.end(first)
    assert accounts.sessions.find(first) is None
    assert accounts.sessions.find(second) is not None


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("Ada", "wrong horse battery"),
        ("Nobody", PASSWORD),
        ("", ""),
        ("Ada", ""),
        ("Ada", "!"),
        ("Eve", PASSWORD),
        ("Sso", "!"),
        ("Sso", ""),
    ],
)
def test_a_wrong_name_is_refused_like_a_wrong_password(accounts: Accounts, join: Join, name: str, password: str) -> None:
    accounts.disable(join("Eve"), by="Ada")
    accounts.admit("Sso", "reviewer", by="proxy")
    with pytest.raises(LoginRefusedError, match=r"^Name or password is wrong\.$"):
        accounts.log_in(name, password, address=HERE)


@pytest.mark.parametrize("name", ["Ada", "Nobody", "Eve"])
def test_every_refusal_hashes_once(accounts: Accounts, join: Join, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts.disable(join("Eve"), by="Ada")
    hashed = []
    monkeypatch.setattr(type(FAST), "verify", lambda self, stored, password: hashed.append(stored))
    with pytest.raises(LoginRefusedError):
        accounts.log_in(name, "wrong horse battery", address=HERE)
    assert [each.split("$")[1:4] for each in hashed] == [["argon2id", "v=19", "m=8,t=1,p=1"]]


def test_ten_tries_a_minute_for_a_name_whoever_tries(accounts: Accounts, ada: str, clock: Clock) -> None:
    outcomes = []
    for number in range(40):
        try:
            accounts.log_in("ada", f"guess number {number}", address=f"198.51.100.{number}")
        except (LoginRefusedError, TooManyTriesError) as error:
            outcomes.append(type(error))
        clock.now += 0.5
    assert outcomes.count(LoginRefusedError) == 10
    with pytest.raises(TooManyTriesError, match="Wait 4[01] seconds"):
        accounts.log_in("Ada", PASSWORD, address=HERE)
    clock.now += 60
    assert accounts.log_in("Ada", PASSWORD, address=HERE)


def test_ten_tries_a_minute_from_an_address_whatever_the_names(accounts: Accounts, ada: str) -> None:
    for number in range(10):
        with pytest.raises(LoginRefusedError):
            accounts.log_in(f"name {number}", PASSWORD, address=f"2001:db8::{number}")
    with pytest.raises(TooManyTriesError):
        accounts.log_in("Ada", PASSWORD, address="2001:db8::ffff")
    assert accounts.log_in("Ada", PASSWORD, address="2001:db8:0:1::1")


def test_tries_at_the_same_moment_do_not_slip_through(accounts: Accounts, ada: str) -> None:
    def attempt(number: int) -> type[Exception]:
        try:
            accounts.log_in("Ada", f"guess number {number}", address=f"198.51.100.{number}")
        except (LoginRefusedError, TooManyTriesError) as error:
            return type(error)
        raise AssertionError

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(attempt, range(32))).count(LoginRefusedError) == 10


@pytest.mark.slow
def test_ten_thousand_tries_get_ten_a_minute(accounts: Accounts, ada: str, clock: Clock) -> None:
    looked_at = 0
    for number in range(10_000):
        try:
            accounts.log_in("ada", f"guess number {number}", address=HERE)
        except LoginRefusedError:
            looked_at += 1
        except TooManyTriesError:
            pass
        clock.now += 0.06
    assert looked_at == 100


def test_a_clock_that_went_back_does_not_lock_anybody_out(accounts: Accounts, ada: str, clock: Clock) -> None:
    for _ in range(10):
        with pytest.raises(LoginRefusedError):
            accounts.log_in("Ada", "wrong horse battery", address=HERE)
    clock.now -= 3600
    assert accounts.log_in("Ada", PASSWORD, address=HERE)


def test_a_session_ends_when_idle_and_for_good(accounts: Accounts, ada: str, clock: Clock) -> None:
    idle = accounts.log_in("Ada", PASSWORD, address=HERE)
    clock.now += IDLE_SECONDS
    assert accounts.sessions.find(idle) is None
    used, began = accounts.log_in("Ada", PASSWORD, address=HERE), clock.now
    while clock.now - began + IDLE_SECONDS / 2 < MAX_SECONDS:
        clock.now += IDLE_SECONDS / 2
        assert accounts.sessions.find(used) is not None
    clock.now += IDLE_SECONDS / 2
    assert accounts.sessions.find(used) is None


def test_whoever_changes_a_password_knows_it_and_all_sessions_end(accounts: Accounts, ada: str) -> None:
    session = accounts.log_in("Ada", PASSWORD, address=HERE)
    with pytest.raises(LoginRefusedError):
        accounts.change_password("Ada", "not the password", "another horse battery", address=HERE)
    with pytest.raises(PasswordRefusedError):
        accounts.change_password("Ada", PASSWORD, "aaaaaaaaaaaaaaa", address=HERE)
    assert accounts.sessions.find(session) is not None
    accounts.change_password("Ada", PASSWORD, "another horse battery", address=HERE)
    assert accounts.sessions.find(session) is None
    with pytest.raises(LoginRefusedError):
        accounts.log_in("Ada", PASSWORD, address=HERE)
    assert accounts.log_in("Ada", "another horse battery", address=HERE)


def test_a_password_link_replaces_the_password_and_ends_everything(accounts: Accounts, join: Join) -> None:
    bob = join("Bob")
    session = accounts.log_in(bob, PASSWORD, address=HERE)
    token = accounts.tokens.create(accounts.get(bob).id, label="x", scopes={"read"}, days=1)
    older, link = accounts.reset(bob, by="Ada"), accounts.reset(bob, by="Ada")
    with pytest.raises(InvitationInvalidError):
        accounts.invitation(older)
    assert accounts.accept(link, "Mallory", "another horse battery").name == "Bob"
    assert accounts.sessions.find(session) is None
    assert accounts.tokens.find(token) is None
    assert accounts.log_in("Bob", "another horse battery", address=HERE)


def test_a_disabled_person_has_nothing_left(accounts: Accounts, join: Join) -> None:
    bob = join("Bob", "lead")
    session = accounts.log_in(bob, PASSWORD, address=HERE)
    token = accounts.tokens.create(accounts.get(bob).id, label="x", scopes={"manage"}, days=1)
    link = accounts.invite("lead", by=bob)
    accounts.disable(bob, by="Ada")
    assert accounts.sessions.find(session) is None
    assert accounts.tokens.find(token) is None
    with pytest.raises(InvitationInvalidError):
        accounts.invitation(link)
    with pytest.raises(NameTakenError):
        accounts.accept(accounts.invite("reviewer", by="Ada"), "bob", PASSWORD)
    accounts.enable(bob, by="Ada")
    assert accounts.tokens.find(token) is None
    assert accounts.log_in(bob, PASSWORD, address=HERE)


def test_a_changed_role_ends_the_sessions_and_the_links_of_the_former_lead(accounts: Accounts, join: Join) -> None:
    bob = join("Bob", "lead")
    session, link = accounts.log_in(bob, PASSWORD, address=HERE), accounts.invite("lead", by=bob)
    accounts.set_role(bob, "reviewer", by="Ada")
    assert accounts.sessions.find(session) is None
    with pytest.raises(InvitationInvalidError):
        accounts.invitation(link)
    assert accounts.events()[0][1:] == ("Ada", "changed the role of", "Bob", "lead to reviewer")


def test_the_last_lead_stays(accounts: Accounts, join: Join) -> None:
    for change in (lambda: accounts.disable("Ada", by="Ada"), lambda: accounts.set_role("Ada", "adjudicator", by="Ada")):
        with pytest.raises(LastLeadError):
            change()
    bob = join("Bob", "lead")
    accounts.disable("Ada", by=bob)
    with pytest.raises(LastLeadError):
        accounts.disable(bob, by=bob)
    with pytest.raises(UnknownPersonError):
        accounts.disable("Nobody", by=bob)


def test_a_token_does_what_its_scopes_say_until_it_ends(accounts: Accounts, ada: str, clock: Clock) -> None:
    person = accounts.get(ada).id
    token = accounts.tokens.create(person, label=" nightly  export ", scopes=["vote", "read"], days=2)
    assert token.startswith("tw_")
    assert accounts.tokens.find(token) == ("Ada", "lead", frozenset({"read", "vote"}))
    (shown,) = accounts.tokens.of(person)
    assert (shown.label, shown.scopes, shown.used_at) == ("nightly export", ("read", "vote"), clock.now)
    assert accounts.tokens.find(token[3:]) is None
    accounts.tokens.revoke(person + 1, shown.reference)
    assert accounts.tokens.find(token) is not None
    clock.now += 2 * 86_400
    assert accounts.tokens.find(token) is None


def test_a_revoked_token_opens_nothing(accounts: Accounts, ada: str) -> None:
    person = accounts.get(ada).id
    token = accounts.tokens.create(person, label="x", scopes=["read"], days=2)
    accounts.tokens.revoke(person, accounts.tokens.of(person)[0].reference)
    assert accounts.tokens.find(token) is None


@pytest.mark.parametrize(
    ("label", "scopes", "days"),
    [("", ["read"], 1), ("x", [], 1), ("x", ["root"], 1), ("x", ["read"], 0), ("x", ["read"], 10_000)],
)
def test_a_token_that_makes_no_sense_is_refused(accounts: Accounts, ada: str, label: str, scopes: list[str], days: int) -> None:
    with pytest.raises(TokenRefusedError):
        accounts.tokens.create(accounts.get(ada).id, label=label, scopes=scopes, days=days)


def test_no_secret_stands_in_the_database(accounts: Accounts, ada: str, tmp_path: Path) -> None:
    secrets = [
        PASSWORD,
        accounts.invite("lead", by=ada),
        accounts.log_in(ada, PASSWORD, address=HERE),
        accounts.tokens.create(accounts.get(ada).id, label="x", scopes=["read"], days=1),
    ]
    accounts.database.close()
    stored = "\n".join(sqlite3.connect(tmp_path / "accounts.db").iterdump())
    assert "$argon2id$" in stored
    assert [secret for secret in secrets if secret in stored] == []


@pytest.mark.postgres
def test_two_processes_on_postgresql_keep_a_lead_and_the_limit(postgres_url: str, clock: Clock) -> None:
    both = [
        Accounts(Database.open(postgres_url, concern="accounts", migrations=MIGRATIONS), now=clock, hasher=FAST)
        for _ in range(2)
    ]
    first = both[0].first_link()
    assert first
    both[0].accept(first, "Ada", PASSWORD)
    for number in range(10):
        name = f"Lead {number + 2}"
        both[1].accept(both[0].invite("lead", by="Ada"), name, PASSWORD)

        def disable(index: int, names: tuple[str, str] = ("Ada", name)) -> bool:
            try:
                both[index].disable(names[index], by="test")
            except LastLeadError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(disable, range(2))) == [False, True]
        both[0].enable("Ada", by="test")
        both[0].disable(name, by="test")

    def attempt(number: int) -> bool:
        try:
            both[number % 2].log_in("Ada", "wrong horse battery", address=f"198.51.100.{number}")
        except LoginRefusedError:
            return True
        except TooManyTriesError:
            return False
        raise AssertionError

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(40))) == 10
    for accounts in both:
        accounts.database.close()
