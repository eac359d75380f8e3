"""`config accept-issuer`, and the warnings of `config check` about issuers that have changed."""

import click

from service import config
from service.cli import database_session, output
from service.config import Config
from service.db import Transaction
from service.errors import Fault, Problem
from service.providers import issuers
from service.providers.issuers import IssuerChange


@click.command("accept-issuer")
@click.argument("provider")
@output.yes
@output.as_json
def accept_issuer(provider: str, yes: bool, json_form: bool) -> None:
    """Accept a changed OIDC_ISSUER or CAS_URL of PROVIDER.

    Until then, no account of the provider can sign in. Accept the change only if each account still
    belongs to the same person.
    """
    settings = config.load()
    given = issuers.of(settings)
    issuer = given.get(provider)
    if issuer is None:
        enabled = ", ".join(given) or "none"
        raise Fault(f"The provider {provider} is not enabled. Enabled: {enabled}.")
    (found,) = _changes({provider: issuer}) or (None,)
    if found is not None and not yes:
        question = (
            f"Does each account of {provider} at {found.before} belong to the same person at"
            f" {issuer}?"
        )
        click.confirm(question, abort=True, err=json_form)

    async def action(tx: Transaction) -> None:
        await issuers.accept(tx, provider, issuer)

    if found is not None:
        database_session.in_transaction(action)
    sentence = f"Accepted {issuer} for {provider}." if found else "The address has not changed."
    facts = {"provider": provider, "issuer": issuer, "changed": found is not None}
    output.done(sentence, action="issuer_accept", **facts, json_form=json_form)


def warnings(settings: Config) -> list[str]:
    """Return what `config check` says of issuers; nothing without a database that is ready."""
    given = issuers.of(settings)
    try:
        return [f"{each.provider} {each.warning}." for each in _changes(given)] if given else []
    except (Fault, Problem):
        return []


def _changes(given: dict[str, str]) -> list[IssuerChange]:
    return database_session.with_database(lambda database: issuers.changes(database, given))
