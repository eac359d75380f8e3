"""The rules of key rotation, as pure functions of the keys and the time."""

from service.errors import Fault
from service.keys import file_entry
from service.keys.file_entry import PUBLISHED, RETIRED, SIGNING, VERIFYING, Entries, Entry
from service.keys.key_ring import MAX_AGE

NOTICE_SECONDS = 2
"""How long a server may sign with the old key before it notices the change (rounded up)."""


def generate(entries: Entries, algorithm: str, now: int) -> Entries:
    """Add a key. The first of its algorithm signs at once, since there is no key to replace."""
    first = all(entry.algorithm != algorithm or entry.state != SIGNING for entry in entries)
    return (*entries, file_entry.fresh(algorithm, SIGNING if first else PUBLISHED, now))


def rotate(entries: Entries, algorithm: str | None, *, now: int, force: bool) -> Entries:
    """Set the oldest published key to signing, and the signing key to verifying.

    With `algorithm` None, use the published keys of all algorithms. Raises Fault if there is none
    or, unless `force`, if it was published so recently that caches may not have it yet.
    """
    chosen = _oldest_published(entries, algorithm)
    published_at = chosen.since(PUBLISHED)
    age = None if published_at is None else now - published_at
    if not force and (age is None or age < MAX_AGE):
        known = "at an unknown time" if age is None else f"{max(age, 0)} s ago"
        raise Fault(
            f"The key {chosen.kid} was published {known}. Services that cache the public keys may"
            f" reject its tokens until {MAX_AGE} s have passed: wait, or use --force"
        )

    def moved(entry: Entry) -> Entry:
        if entry is chosen:
            return entry.moved(SIGNING, now)
        if entry.algorithm == chosen.algorithm and entry.state == SIGNING:
            return entry.moved(VERIFYING, now)
        return entry

    return tuple(moved(entry) for entry in entries)


def retire(
    entries: Entries, kid: str, *, algorithm: str, lifetime: int, now: int, force: bool
) -> Entries:
    """Retire a key permanently. `algorithm` and `lifetime` are from the settings.

    Raises Fault if the key signs or, unless `force`, while tokens of the key may be valid.
    """
    chosen = next((entry for entry in entries if entry.kid == kid), None)
    if chosen is None:
        raise Fault(f"The key {kid} does not exist. Run: python -m service key list")
    if chosen.state == RETIRED:
        raise Fault(f"The key {kid} is already retired.")
    if chosen.state == SIGNING and chosen.algorithm == algorithm:
        raise Fault(f"The key {kid} signs. First run: python -m service key rotate")
    if not force:
        _check_unused(chosen, lifetime, now)
    return tuple(entry.moved(RETIRED, now) if entry is chosen else entry for entry in entries)


def replace(entries: Entries, algorithm: str | None, *, now: int) -> Entries:
    """Retire all keys and add new signing keys, because the old ones may be known to others.

    Adds a key for each algorithm with a signing key, since servers may use different algorithms,
    and for `algorithm`, from the settings, if it is not None. Raises Fault if all are retired.
    """
    if all(entry.state == RETIRED for entry in entries):
        raise Fault("All keys are already retired. Run: python -m service key generate")
    signing = [entry.algorithm for entry in entries if entry.state == SIGNING]
    wanted = dict.fromkeys(signing if algorithm is None else [algorithm, *signing])
    made = [file_entry.fresh(each, SIGNING, now) for each in wanted]
    gone = [entry if entry.state == RETIRED else entry.moved(RETIRED, now) for entry in entries]
    return (*gone, *made)


def _oldest_published(entries: Entries, algorithm: str | None) -> Entry:
    candidates = [
        entry
        for entry in entries
        if entry.state == PUBLISHED and algorithm in {None, entry.algorithm}
    ]
    if not candidates:
        kind = "key" if algorithm is None else f"{algorithm} key"
        raise Fault(
            f"No {kind} is published. Generate one and wait {MAX_AGE} s. Run:"
            " python -m service key generate"
        )
    return min(candidates, key=lambda entry: entry.since(PUBLISHED) or 0)


def _check_unused(entry: Entry, lifetime: int, now: int) -> None:
    """Raise Fault if tokens of a key may still be valid."""
    if entry.state == SIGNING:
        raise Fault(
            f"The key {entry.kid} signs on servers with JWT_ALGORITHM={entry.algorithm}. If no"
            f" server has used it for {lifetime} s (JWT_EXPIRES_IN), use --force"
        )
    stopped = entry.since(VERIFYING)
    if entry.state != VERIFYING:
        return
    left = lifetime if stopped is None else stopped + lifetime + NOTICE_SECONDS - now
    if stopped is None or left > 0:
        raise Fault(
            f"Tokens of the key {entry.kid} may be valid for another {left} s. Retiring it now"
            " signs their users out: wait, or use --force"
        )
