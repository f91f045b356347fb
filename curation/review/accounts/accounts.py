"""The people of an installation: invited by links, never signed up by themselves.

    accounts = Accounts(home.database("accounts", MIGRATIONS))
    token = accounts.first_link()                               # only while there are no people
    accounts.accept(token, "Ada", "correct horse battery")      # Account(id=1, name="Ada", role="lead", disabled_at=None)
    secret = accounts.log_in("ada", "correct horse battery", address="127.0.0.1")
    accounts.sessions.find(secret)                              # Session(name="Ada", role="lead", ...)

Every change is one transaction and leaves a row in `account_events`.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import argon2
import sqlalchemy as sa

from curation.database import Database
from curation.review.accounts.attempts import Attempts, address_subject
from curation.review.accounts.credentials import NO_PASSWORD, Passwords, check_password, digest, new_secret
from curation.review.accounts.names import name_key, read_person_name
from curation.review.accounts.person import ROLES, Role
from curation.review.accounts.sessions import Sessions, end_all
from curation.review.accounts.tables import events, invitations, people
from curation.review.accounts.tokens import Tokens, revoke_all
from curation.review.errors import InvitationInvalidError, LastLeadError, LoginRefusedError, NameTakenError, UnknownPersonError

INVITATION_SECONDS = 7 * 86_400.0
CONSOLE = "the console"
"""Who invites the first lead."""


class Account(NamedTuple):
    """One person, as leads see it."""

    id: int
    name: str
    role: Role
    created_at: float
    disabled_at: float | None


class Invitation(NamedTuple):
    """An open link: to join with a role, or for somebody who is here (`name`) to choose a new password."""

    role: Role
    name: str
    """Empty: to join."""
    invited_by: str
    expires_at: float


class _Link(NamedTuple):
    token_hash: str
    purpose: str
    role: Role
    person_id: int | None
    invited_by: str
    expires_at: float


class Event(NamedTuple):
    """Something that happened to an account."""

    at: float
    actor: str
    action: str
    subject: str
    detail: str


class Accounts:
    """People, invitations, passwords; `sessions` and `tokens` hold how they get in. Thread-safe."""

    def __init__(
        self, database: Database, *, now: Callable[[], float] = time.time, hasher: argon2.PasswordHasher | None = None
    ) -> None:
        self.database = database
        self.now = now
        self.passwords = Passwords(hasher)
        self.sessions = Sessions(database, now)
        self.tokens = Tokens(database, now)
        self.attempts = Attempts(database, now)

    # -- who there is ----------------------------------------------------------------------------------------------

    def people(self) -> list[Account]:
        """Return everybody by name, those who are disabled last."""
        with self.database.read() as connection:
            found = [Account(*row) for row in connection.execute(_ACCOUNT)]
        return sorted(found, key=lambda each: (each.disabled_at is not None, each.name.casefold()))

    def get(self, name: str) -> Account:
        """Return the person of a name. Raises UnknownPersonError."""
        with self.database.read() as connection:
            return _get(connection, name)

    def events(self, limit: int = 50) -> list[Event]:
        """Return what happened last, newest first."""
        query = sa.select(events.c.at, events.c.actor, events.c.action, events.c.subject, events.c.detail)
        with self.database.read() as connection:
            return [Event(*row) for row in connection.execute(query.order_by(events.c.id.desc()).limit(limit))]

    # -- links -----------------------------------------------------------------------------------------------------

    def first_link(self) -> str | None:
        """Return a new one-time token for the first lead, in place of the one before; None if there are people already."""
        token = new_secret()

        def work(connection: sa.Connection) -> bool:
            if _count_people(connection):
                return False
            connection.execute(sa.delete(invitations).where(invitations.c.purpose == "first"))
            self._invite(connection, token, purpose="first", role="lead", by=CONSOLE)
            return True

        return token if self.database.write(work) else None

    def invite(self, role: Role, *, by: str) -> str:
        """Return a one-time token with which somebody may join in a role."""
        if role not in ROLES:
            raise ValueError(f"unknown role {role!r}")
        token = new_secret()
        self.database.write(lambda connection: self._invite(connection, token, purpose="join", role=role, by=by))
        return token

    def reset(self, name: str, *, by: str) -> str:
        """Return a one-time token with which a person may choose a new password. Raises UnknownPersonError."""
        token = new_secret()

        def work(connection: sa.Connection) -> None:
            account = _get(connection, name)
            connection.execute(sa.delete(invitations).where(invitations.c.person_id == account.id))
            self._invite(connection, token, purpose="reset", role=account.role, by=by, person=account)

        self.database.write(work)
        return token

    def invitation(self, token: str) -> Invitation:
        """Return what a link is for, without using it. Raises InvitationInvalidError."""
        with self.database.read() as connection:
            row = self._find_invitation(connection, token)
            name = connection.execute(sa.select(people.c.name).where(people.c.id == row.person_id)).scalar() or ""
        return Invitation(row.role, name, row.invited_by, row.expires_at)

    def accept(self, token: str, name: str, password: str) -> Account:
        """Use a link: join under a name, or set the password of the person that the link is for.

        Raises:
            InvitationInvalidError, PersonNameError, NameTakenError, PasswordRefusedError: the link stays usable then.
        """
        invitation = self.invitation(token)
        name = invitation.name or read_person_name(name)
        check_password(password, name)
        stored = self.passwords.hash(password)
        return self._use(token, name, lambda connection, row: self._settle(connection, row, name, stored))

    def accept_without_password(self, token: str, name: str) -> Account:
        """Use a link for a person who logs in elsewhere. Raises as `accept`."""
        name = self.invitation(token).name or read_person_name(name)
        return self._use(token, name, lambda connection, row: self._settle(connection, row, name, NO_PASSWORD))

    def admit(self, name: str, role: Role, *, by: str) -> Account:
        """Add a person whom a trusted login vouches for. Raises PersonNameError, NameTakenError."""
        name = read_person_name(name)
        return self._unique(name, lambda connection: self._add(connection, name, role, NO_PASSWORD, by=by))

    # -- getting in ------------------------------------------------------------------------------------------------

    def log_in(self, name: str, password: str, *, address: str, agent: str = "") -> str:
        """Check a password and return the id of a new session.

        The answer and the time it takes are the same for a wrong password, a wrong name and somebody disabled.

        Raises:
            TooManyTriesError: after 10 tries within a minute for this name or from this address.
            LoginRefusedError: if name or password is wrong.
        """
        key = name_key(name[:1000])
        self.attempts.take(f"name:{key}", address_subject(address))
        with self.database.read() as connection:
            query = sa.select(people.c.id, people.c.name, people.c.password_hash, people.c.disabled_at)
            row = connection.execute(query.where(people.c.name_key == key)).first()
        matches = self.passwords.matches(row.password_hash if row else None, password)
        if row is None or not matches or row.disabled_at is not None:
            raise LoginRefusedError
        if self.passwords.is_outdated(row.password_hash):
            renewed = self.passwords.hash(password)
            same = sa.and_(people.c.id == row.id, people.c.password_hash == row.password_hash)
            self.database.write(lambda c: c.execute(sa.update(people).where(same).values(password_hash=renewed)))
        return self.sessions.open(row.id, agent=agent, address=address)

    def change_password(self, name: str, old: str, new: str, *, address: str) -> None:
        """Set a new password for somebody who knows the old one, and end all sessions.

        Raises:
            TooManyTriesError, LoginRefusedError, PasswordRefusedError: nothing was changed then.
        """
        account = self.get(name)
        self.attempts.take(f"name:{name_key(name)}", address_subject(address))
        with self.database.read() as connection:
            stored = connection.execute(sa.select(people.c.password_hash).where(people.c.id == account.id)).scalar_one()
        if not self.passwords.matches(stored, old):
            raise LoginRefusedError
        check_password(new, account.name)
        replacement = self.passwords.hash(new)

        def work(connection: sa.Connection) -> None:
            same = sa.and_(people.c.id == account.id, people.c.password_hash == stored)
            if connection.execute(sa.update(people).where(same).values(password_hash=replacement)).rowcount != 1:
                raise LoginRefusedError  # somebody changed it a moment ago
            end_all(connection, account.id)
            self._note(connection, account.name, "changed the password of", account.name)

        self.database.write(work)

    # -- what leads do ---------------------------------------------------------------------------------------------

    def set_role(self, name: str, role: Role, *, by: str) -> None:
        """Give a person another role; their sessions end. Raises UnknownPersonError, LastLeadError."""
        if role not in ROLES:
            raise ValueError(f"unknown role {role!r}")

        def work(connection: sa.Connection) -> None:
            account = _get(connection, name)
            if account.role == role:
                return
            if role != "lead":
                _keep_a_lead(connection, account)
            connection.execute(sa.update(people).where(people.c.id == account.id).values(role=role))
            self._shut_out(connection, account)
            self._note(connection, by, "changed the role of", account.name, f"{account.role} to {role}")

        self.database.write(work)

    def disable(self, name: str, *, by: str) -> None:
        """Shut a person out: sessions, tokens and open links end at once. Raises UnknownPersonError, LastLeadError."""

        def work(connection: sa.Connection) -> None:
            account = _get(connection, name)
            if account.disabled_at is not None:
                return
            _keep_a_lead(connection, account)
            connection.execute(sa.update(people).where(people.c.id == account.id).values(disabled_at=self.now()))
            self._shut_out(connection, account)
            revoke_all(connection, account.id, self.now())
            self._note(connection, by, "disabled", account.name)

        self.database.write(work)

    def enable(self, name: str, *, by: str) -> None:
        """Let a disabled person in again; tokens and links stay revoked. Raises UnknownPersonError."""

        def work(connection: sa.Connection) -> None:
            account = _get(connection, name)
            connection.execute(sa.update(people).where(people.c.id == account.id).values(disabled_at=None))
            self._note(connection, by, "enabled", account.name)

        self.database.write(work)

    # -- inside a transaction --------------------------------------------------------------------------------------

    def _invite(
        self, connection: sa.Connection, token: str, *, purpose: str, role: Role, by: str, person: Account | None = None
    ) -> None:
        row = {"token_hash": digest(token), "purpose": purpose, "role": role, "person_id": person and person.id}
        times = {"created_at": self.now(), "expires_at": self.now() + INVITATION_SECONDS}
        connection.execute(sa.insert(invitations).values(**row, **times, invited_by=by))
        action = "made a password link for" if person else "invited"
        self._note(connection, by, action, person.name if person else "", role)

    def _find_invitation(self, connection: sa.Connection, token: str) -> _Link:
        table = invitations.c
        query = sa.select(table.token_hash, table.purpose, table.role, table.person_id, table.invited_by, table.expires_at)
        live = (table.token_hash == digest(token), table.used_at.is_(None), table.expires_at > self.now())
        row = connection.execute(query.where(*live)).first()
        if row is None or (row.purpose == "first" and _count_people(connection)):
            raise InvitationInvalidError
        return _Link._make(row)

    def _use(self, token: str, name: str, settle: Callable[[sa.Connection, _Link], Account]) -> Account:
        def work(connection: sa.Connection) -> Account:
            row = self._find_invitation(connection, token)
            unused = sa.and_(invitations.c.token_hash == row.token_hash, invitations.c.used_at.is_(None))
            if connection.execute(sa.update(invitations).where(unused).values(used_at=self.now())).rowcount != 1:
                raise InvitationInvalidError
            return settle(connection, row)

        return self._unique(name, work)

    def _settle(self, connection: sa.Connection, row: _Link, name: str, stored: str) -> Account:
        if row.person_id is None:
            return self._add(connection, name, row.role, stored, by=row.invited_by)
        if stored != NO_PASSWORD:
            connection.execute(sa.update(people).where(people.c.id == row.person_id).values(password_hash=stored))
        end_all(connection, row.person_id)
        revoke_all(connection, row.person_id, self.now())
        self._note(connection, name, "used a password link of", name)
        return _get(connection, name)

    def _add(self, connection: sa.Connection, name: str, role: Role, stored: str, *, by: str) -> Account:
        values = {"name": name, "name_key": name_key(name), "role": role, "password_hash": stored, "created_at": self.now()}
        connection.execute(sa.insert(people).values(**values))
        self._note(connection, name, "joined", name, f"{role}, invited by {by}")
        return _get(connection, name)

    def _unique(self, name: str, work: Callable[[sa.Connection], Account]) -> Account:
        try:
            return self.database.write(work)
        except sa.exc.IntegrityError as error:
            raise NameTakenError(name=name) from error

    def _shut_out(self, connection: sa.Connection, account: Account) -> None:
        end_all(connection, account.id)
        open_links = sa.and_(invitations.c.invited_by == account.name, invitations.c.used_at.is_(None))
        connection.execute(sa.delete(invitations).where(sa.or_(open_links, invitations.c.person_id == account.id)))

    def _note(self, connection: sa.Connection, actor: str, action: str, subject: str, detail: str = "") -> None:
        row = {"at": self.now(), "actor": actor, "action": action, "subject": subject, "detail": detail}
        connection.execute(sa.insert(events).values(**row))


_ACCOUNT = sa.select(people.c.id, people.c.name, people.c.role, people.c.created_at, people.c.disabled_at)


def _get(connection: sa.Connection, name: str) -> Account:
    row = connection.execute(_ACCOUNT.where(people.c.name_key == name_key(name))).first()
    if row is None:
        raise UnknownPersonError(name=name[:80])
    return Account(*row)


def _count_people(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(people)).scalar_one()


def _keep_a_lead(connection: sa.Connection, account: Account) -> None:
    """Refuse to take away the last lead; locks the leads, so that two at once cannot take away each other."""
    query = sa.select(people.c.id).where(people.c.role == "lead", people.c.disabled_at.is_(None)).order_by(people.c.id)
    leads = connection.execute(query.with_for_update()).scalars().all()
    if list(leads) == [account.id]:
        raise LastLeadError(name=account.name)
