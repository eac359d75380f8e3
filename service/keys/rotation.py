"""The rules of rotation, over the keys of a file and with the time given: no clock, no I/O."""

from service.errors import Fault
from service.keys import file_entry
from service.keys.file_entry import PUBLISHED, RETIRED, SIGNING, VERIFYING, Entries, Entry
from service.keys.key_ring import MAX_AGE

NOTICE_SECONDS = 2
"""A server that has not looked yet may sign with the old key for so long (dates are rounded)."""


def generate(entries: Entries, algorithm: str, now: int) -> Entries:
    """Add a key. The first of its algorithm signs at once: nobody can know another one."""
    first = all(entry.algorithm != algorithm or entry.state != SIGNING for entry in entries)
    return (*entries, file_entry.fresh(algorithm, SIGNING if first else PUBLISHED, now))


def rotate(entries: Entries, algorithm: str | None, *, now: int, force: bool) -> Entries:
    """Let the oldest published key sign, and the one that signed only verify.

    `algorithm` None takes the published key of any algorithm. Raises Fault when there is none, or
    when it was published so recently that others may not know it yet, unless by `force`.
    """
    chosen = _oldest_published(entries, algorithm)
    published_at = chosen.since(PUBLISHED)
    age = None if published_at is None else now - published_at
    if not force and (age is None or age < MAX_AGE):
        known = "at an unknown time" if age is None else f"{max(age, 0)} s ago"
        raise Fault(
            f"The key {chosen.kid} was published {known}. Who keeps the public keys may not know it"
            f" before {MAX_AGE} s have passed, and would refuse its tokens: wait, or use --force"
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
    """Take a key out of use for good. `algorithm` and `lifetime` are those of the settings.

    Raises Fault for the key that signs; and unless by `force`, as long as tokens of it may be left.
    """
    chosen = next((entry for entry in entries if entry.kid == kid), None)
    if chosen is None:
        raise Fault(f"There is no key {kid}: python -m service key list")
    if chosen.state == RETIRED:
        raise Fault(f"The key {kid} is retired already.")
    if chosen.state == SIGNING and chosen.algorithm == algorithm:
        raise Fault(f"The key {kid} signs: first let another one, by key rotate")
    if not force:
        _check_unused(chosen, lifetime, now)
    return tuple(entry.moved(RETIRED, now) if entry is chosen else entry for entry in entries)


def replace(entries: Entries, algorithm: str | None, *, now: int) -> Entries:
    """Retire all keys, and let new ones sign: all that others may have seen is worth nothing.

    There is a new key for each algorithm of which one signs, since servers may differ in theirs,
    and for `algorithm`, that of the settings, if it is not None. Raises Fault if no key is left.
    """
    if all(entry.state == RETIRED for entry in entries):
        raise Fault("There is no key that could have leaked: python -m service key generate")
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
            f"No {kind} is published that could sign next. Make one, and wait {MAX_AGE} s:"
            " python -m service key generate"
        )
    return min(candidates, key=lambda entry: entry.since(PUBLISHED) or 0)


def _check_unused(entry: Entry, lifetime: int, now: int) -> None:
    """Refuse to retire a key of which tokens may be left."""
    if entry.state == SIGNING:
        raise Fault(
            f"The key {entry.kid} signs where JWT_ALGORITHM is {entry.algorithm}. If that was"
            f" {lifetime} s ago everywhere (JWT_EXPIRES_IN), use --force"
        )
    stopped = entry.since(VERIFYING)
    if entry.state != VERIFYING:
        return
    left = lifetime if stopped is None else stopped + lifetime + NOTICE_SECONDS - now
    if stopped is None or left > 0:
        raise Fault(
            f"Tokens of the key {entry.kid} may be left for another {left} s; retired now, it"
            " signs out whoever has one: wait, or use --force"
        )
