"""`tunewright review serve`: the review app with everything that can be set about how people reach it.

tunewright review serve                                                      on this machine, with login
tunewright review serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem
TUNEWRIGHT_OIDC_SECRET=... tunewright review serve --oidc-issuer https://login.example.org --oidc-client tunewright
"""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from curation.garbage import collector_paused
from curation.home import Home

OIDC_SECRET = "TUNEWRIGHT_OIDC_SECRET"  # noqa: S105 (the name of a variable)
NO_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"
"""Keeps Pydantic from looking for plugins in all that is installed; the app needs none, and is back sooner after a crash."""
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]


def serve_command(
    port: Port = 3001,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than loopback need TLS or --allow-remote.")
    ] = "127.0.0.1",
    recipe: Annotated[list[str], typer.Option(help="Only the queue of this name. May be repeated.")] = [],  # noqa: B006
    login: Annotated[bool, typer.Option("--login/--no-login", help="Ask who people are; without, on loopback only.")] = True,
    allow_remote: Annotated[bool, typer.Option(help="Listen on a network without TLS: something in front speaks it.")] = False,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key (PEM).")] = None,
    proxy: Annotated[list[str], typer.Option(help="Address or network of a proxy to believe. May be repeated.")] = [],  # noqa: B006
    user_header: Annotated[str, typer.Option(help="Header in which that proxy says who people are.")] = "",
    new_people: Annotated[
        str, typer.Option(help="Role of people that the proxy or provider vouches for; empty: invited only.")
    ] = "",
    oidc_issuer: Annotated[
        str, typer.Option(help=f"Address of the provider of single sign-on; its secret is in {OIDC_SECRET}.")
    ] = "",
    oidc_client: Annotated[str, typer.Option(help="Id of this app at that provider.")] = "",
) -> None:
    """Start the review app; Ctrl-C stops it. What was acknowledged is on disk. The first lead joins by the link it prints."""
    given: dict[str, Any] = {"host": host, "recipes": recipe or None, "login": login, "allow_remote": allow_remote}
    given |= _who(proxy, user_header, new_people, oidc_issuer, oidc_client)
    start(port, tls_files=(tls_cert, tls_key), **given)


def start(port: int, *, tls_files: tuple[Path | None, Path | None] = (None, None), **given: Any) -> None:
    """Serve the app with these settings."""
    os.environ.setdefault(NO_PLUGINS, "__all__")
    with collector_paused():
        from curation.review.web.serve import serve
        from curation.review.web.serving import read_tls

    dagster_url = os.environ.get("TUNEWRIGHT_DAGSTER_URL", "http://127.0.0.1:3000")
    if tls := read_tls(*tls_files):
        given["tls"] = tls
    serve(Home.from_environment(), port=port, dagster_url=dagster_url, **given)


def _who(proxy: list[str], user_header: str, new_people: str, issuer: str, client: str) -> dict[str, Any]:
    """Return the settings that say how people are known; those that were not given are left out."""
    from curation.review.accounts.oidc import ProviderConfig
    from curation.review.accounts.person import ROLES
    from curation.review.accounts.proxies import TrustedProxies

    if new_people and new_people not in ROLES:
        raise typer.BadParameter(f"'{new_people}' is none of: {', '.join(ROLES)}", param_hint="--new-people")
    role: Any = new_people or None
    given: dict[str, Any] = {"new_people": role} if role else {}
    try:
        if proxy or user_header:
            given["proxies"] = TrustedProxies.read(proxy, user_header)
        if issuer or client:
            secret = os.environ.get(OIDC_SECRET, "")
            given["oidc"] = ProviderConfig(issuer=issuer, client_id=client, client_secret=secret, new_people=role)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--proxy or --oidc-issuer") from error
    return given
