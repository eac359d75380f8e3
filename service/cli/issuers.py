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
    """Accept that PROVIDER has another OIDC_ISSUER or CAS_URL than when accounts were linked.

    Do so only if the accounts there are the same: each linked subject must be the same person.
    """
    settings = config.load()
    issuer = issuers.of(settings).get(provider)
    if issuer is None:
        raise Fault(f"No provider {provider} is switched on in the settings.")
    (found,) = _changes({provider: issuer}) or (None,)
    if found is not None and not yes:
        question = (
            f"Is every account of {provider} at {found.before} the same person's at {issuer}?"
        )
        click.confirm(question, abort=True, err=json_form)

    async def action(tx: Transaction) -> None:
        await issuers.accept(tx, provider, issuer)

    if found is not None:
        database_session.in_transaction(action)
    sentence = f"Accounts of {provider} are those at {issuer}."
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
