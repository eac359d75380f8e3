"""`key generate|rotate|list|retire`."""

import time
from typing import Any

import click

from service import config
from service.cli import output
from service.config import KeySettings, permissions
from service.keys import ALGORITHMS, MAX_AGE, file, rotation
from service.keys.file_entry import RETIRED, SIGNING, STATES, VERIFYING, Entries, Entry
from service.parsing.dates import rfc3339

_force = click.option("--force", is_flag=True, help="Do not wait. Some users may be signed out.")

_CHECK_SERVERS = (
    'Check that /readyz of each server reports "ok": a server that cannot read the new file'
    " continues with the previous keys."
)


@click.group()
def key() -> None:
    """Generate, rotate, list and retire the keys in JWT_KEYS_FILE. Servers may run."""


@key.command()
@click.option("--algorithm", type=click.Choice(ALGORITHMS, case_sensitive=False),
              help="Default: JWT_ALGORITHM, or EdDSA if that is HS256.")  # fmt: skip
@output.as_json
def generate(algorithm: str | None, json_form: bool) -> None:
    """Generate a key. Create the file if it does not exist.

    The first key of an algorithm signs at once. A later key is published and signs after
    `key rotate`.
    """
    settings = config.load_keys()
    wanted = algorithm or _signs_here(settings) or "EdDSA"
    now = int(time.time())
    entries = file.change(
        settings.path,
        lambda before: rotation.generate(before, wanted, now),
        create=True,
        ours_alone=settings.production,
    )
    made = entries[-1]
    if made.state != SIGNING:
        then = f"published. Wait {MAX_AGE} s for caches of the public keys, then run: key rotate"
    elif wanted == settings.algorithm:
        then = "signing"
    else:
        then = f"signing on servers with JWT_ALGORITHM={wanted}"
    sentence = f"Generated the {wanted} key {made.kid}: {then}."
    output.done(sentence, **_did("key_generate"), **_facts(made), json_form=json_form)


@key.command()
@_force
@click.option("--leaked", is_flag=True, help="The file leaked: retire all keys at once and generate"
              " new ones. All users must sign in again.")  # fmt: skip
@output.yes
@output.as_json
def rotate(force: bool, leaked: bool, yes: bool, json_form: bool) -> None:
    """Sign with the oldest published key. The previous key still verifies its tokens."""
    settings = config.load_keys()
    algorithm, now = _signs_here(settings), int(time.time())
    if leaked:
        _replace_all(settings, yes=yes, json_form=json_form)
        return
    changed: list[Entry] = []

    def turn(before: Entries) -> Entries:
        after = rotation.rotate(before, algorithm, now=now, force=force)
        changed[:] = [new for new, old in zip(after, before, strict=True) if new is not old]
        return after

    file.change(settings.path, turn, ours_alone=settings.production)
    signing = next(entry for entry in changed if entry.state == SIGNING)
    verifying = [f" The key {each.kid} now only verifies." for each in changed
                 if each.state == VERIFYING]  # fmt: skip
    sentence = f"The key {signing.kid} now signs.{''.join(verifying)}"
    output.done(sentence, **_did("key_rotate"), **_facts(signing), json_form=json_form)


@key.command("list")
@output.as_json
def list_keys(json_form: bool) -> None:
    """List all keys, with the dates of their states."""
    settings = config.load_keys()
    rows = [_facts(entry) for entry in file.read(settings.path)]
    output.show(rows, json_form=json_form, empty="There are no keys. Run: key generate")
    if settings.production and (found := file.exposure(settings.path)) is not None:
        cure = permissions.keys_cure(found)
        click.echo(f"Warning: JWT_KEYS_FILE names a file {found.what}. Run: {cure}.", err=True)


@key.command()
@click.argument("kid")
@_force
@output.yes
@output.as_json
def retire(kid: str, force: bool, yes: bool, json_form: bool) -> None:
    """Retire the key KID permanently and delete its private part."""
    settings = config.load_keys()

    def take(before: Entries) -> Entries:
        return rotation.retire(
            before,
            kid,
            algorithm=settings.algorithm,
            lifetime=settings.expires_in,
            now=int(time.time()),
            force=force,
        )

    if not yes:
        if settings.production:
            file.require_ours_alone(settings.path)
        take(file.read(settings.path))
        question = f"Retire the key {kid} and delete its private part?"
        click.confirm(question, abort=True, err=json_form)
    after = file.change(settings.path, take, ours_alone=settings.production)
    retired = next(each for each in after if each.kid == kid)
    sentence = f"Retired the key {kid}."
    output.done(sentence, **_did("key_retire"), **_facts(retired), json_form=json_form)


def _replace_all(settings: KeySettings, *, yes: bool, json_form: bool) -> None:
    """Retire all keys and generate new ones, in one change of the file."""
    algorithm, retired = _signs_here(settings), list[str]()

    def turn(before: Entries) -> Entries:
        retired[:] = [entry.kid for entry in before if entry.state != RETIRED]
        return rotation.replace(before, algorithm, now=int(time.time()))

    if not yes:
        turn(file.read(settings.path))
        question = f"Retire all keys ({len(retired)}) and sign all users out?"
        click.confirm(question, abort=True, err=json_form)
    after = file.change(settings.path, turn, takes_over=True)
    made = [entry for entry in after if entry.state == SIGNING]
    signs = "".join(f" The {each.algorithm} key {each.kid} now signs." for each in made)
    sentence = f"Retired {', '.join(retired)}.{signs} Next: python -m service user sign-out --all"
    sentence += f"\n{_CHECK_SERVERS}"
    facts = {**_facts(made[0]), "retired": retired}
    output.done(sentence, **_did("key_rotate"), **facts, json_form=json_form)


def _signs_here(settings: KeySettings) -> str | None:
    """Return JWT_ALGORITHM if it needs a key file, else None."""
    return settings.algorithm if settings.algorithm in ALGORITHMS else None


def _did(action: str) -> dict[str, Any]:
    return {"action": action, "changed": True}


def _facts(entry: Entry) -> dict[str, str | None]:
    dates = {state: entry.since(state) for state in STATES}
    return {
        "kid": entry.kid,
        "algorithm": entry.algorithm,
        "state": entry.state,
        **{f"{state}_at": None if at is None else rfc3339(at) for state, at in dates.items()},
    }
