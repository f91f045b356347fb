"""What the server refuses before it listens."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from curation.database import Database
from curation.errors import RemoteBindError
from curation.home import Home
from curation.review.accounts.accounts import Accounts
from curation.review.accounts.tables import MIGRATIONS
from curation.review.errors import ServedTwiceError, TlsFileError
from curation.review.web.serving import Tls, check_bind, first_link, hold_database, public_url, read_tls
from tests.curation.review.accounts.conftest import FAST, PASSWORD

pytestmark = pytest.mark.slow

TLS = Tls(Path("cert.pem"), Path("key.pem"))


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate of localhost and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_certificate(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "review.example.org", "", "127.0.0.1.evil.example"])
def test_a_network_needs_tls_or_a_flag(host: str) -> None:
    with pytest.raises(RemoteBindError, match="--tls-cert"):
        check_bind(host, tls=None, allow_remote=False)
    check_bind(host, tls=TLS, allow_remote=False)
    check_bind(host, tls=None, allow_remote=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_loopback_needs_neither(host: str) -> None:
    check_bind(host, tls=None, allow_remote=False)


def test_tls_files_are_looked_at_first(tls_files: tuple[Path, Path], tmp_path: Path) -> None:
    certificate, key = tls_files
    assert read_tls(None, None) is None
    assert read_tls(certificate, key) == Tls(certificate, key)
    (tmp_path / "empty.pem").touch()
    for files in (
        (certificate, None),
        (None, key),
        (key, certificate),
        (tmp_path / "none", key),
        (tmp_path / "empty.pem", key),
    ):
        with pytest.raises(TlsFileError):
            read_tls(*files)


def test_a_second_server_is_refused_by_the_pid_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "review.db"
    code = (
        "import sys; from pathlib import Path; from curation.database import Database;"
        "from curation.review.accounts.tables import MIGRATIONS; from curation.review.web.serving import hold_database;"
        "held = hold_database(Database.open(Path(sys.argv[1]), concern='accounts', migrations=MIGRATIONS));"
        "held.__enter__(); print('held', flush=True); sys.stdin.read()"
    )
    database = Database.open(path, concern="accounts", migrations=MIGRATIONS)
    first = subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert first.stdout
        assert first.stdout.readline() == b"held\n"
        for _ in range(2):
            with pytest.raises(ServedTwiceError, match=f"process {first.pid}"), hold_database(database):
                pass
    finally:
        first.kill()  # a crash leaves nothing that keeps others out
        first.communicate()
    with hold_database(database):
        assert (tmp_path / "review.db.serving.pid").read_text() == str(os.getpid())
    assert not (tmp_path / "review.db.serving.pid").exists()
    database.close()


@pytest.mark.parametrize(
    ("set_to", "host", "tls", "found"),
    [
        ("http://127.0.0.1:3001", "127.0.0.1", None, "http://127.0.0.1:4000"),
        ("http://127.0.0.1:3001", "::1", TLS, "https://[::1]:4000"),
        ("https://review.example.org/", "127.0.0.1", None, "https://review.example.org"),
    ],
)
def test_links_lead_to_where_people_reach_the_app(tmp_path: Path, set_to: str, host: str, tls: Tls | None, found: str) -> None:
    home = Home(path=tmp_path, store_url="", database_url="", review_url=set_to)
    assert public_url(home, host, 4000, tls=tls) == found


def test_the_first_link_is_there_until_somebody_joined(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "accounts.db", concern="accounts", migrations=MIGRATIONS)
    accounts = Accounts(database, hasher=FAST)
    link = first_link(accounts, "http://127.0.0.1:3001")
    assert link.startswith("http://127.0.0.1:3001/welcome/")
    accounts.accept(link.rpartition("/")[2], "Ada", PASSWORD)
    assert first_link(accounts, "http://127.0.0.1:3001") == ""
    database.close()
