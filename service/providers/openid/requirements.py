"""Check whether an account meets OIDC_REQUIRE."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from service.config import Requirement
from service.config.model import EMAIL_DOMAIN
from service.parsing import urls
from service.providers import claim_values
from service.providers.claim_values import Missing, Unreadable

Documents = Collection[Mapping[str, Any]]
"""The documents about an account, the most trusted one first."""

NOT_VERIFIED = "not_verified"
_ABSENT = "absent"
_OTHER = "other_value"
_SEVERAL = frozenset({"groups", "roles"})


class Unmet(NamedTuple):
    """A requirement that an account does not meet. `reason` is a constant word for the log."""

    claim: str
    reason: str


def first_unmet(
    requirements: Collection[Requirement], documents: Documents, *, roles_claim: str | None
) -> Unmet | None:
    """Return the first requirement that is not met, None if all are met.

    Of several for one claim, one must be met. A missing or unreadable claim meets none.
    """
    wanted: dict[str, set[str]] = defaultdict(set)
    for claim, value in requirements:
        wanted[claim].add(value)
    for claim, values in wanted.items():
        if claim == EMAIL_DOMAIN:
            reason = _why_not_domain(documents, values)
        else:
            has_several = claim == roles_claim or re.split(r"[./:]", claim)[-1] in _SEVERAL
            reason = _why_not(documents, claim, values, has_several=has_several)
        if reason is not None:
            return Unmet(claim, reason)
    return None


def is_told(requirement: Requirement, document: Mapping[str, Any]) -> bool:
    """Return whether a document has a readable claim, so that no other document is needed."""
    claim = requirement.claim
    if claim == EMAIL_DOMAIN:
        return isinstance(document.get("email"), str) and bool(_about_email([document]))
    try:
        value = claim_values.find(document, claim)
    except Missing:
        return False
    is_scalar = isinstance(value, bool | int | str)
    return is_scalar or not isinstance(claim_values.read(document, claim), Unreadable)


def checked_email(documents: Documents) -> str | None:
    """Return the e-mail address, if the same document says that it is verified.

    An unverified address may belong to another person.
    """
    document = _about_email(documents)
    return document["email"] if document and _why_unchecked(document) is None else None


def why_email_ignored(documents: Documents) -> str | None:
    """Return why the e-mail address must not be used: a constant word. None if it is absent."""
    document = _about_email(documents)
    return _why_unchecked(document) if document else None


def _about_email(documents: Documents) -> Mapping[str, Any]:
    """Return the first document with an e-mail address, and an empty one if there is none."""
    found = (each for each in documents if not claim_values.is_absent(each.get("email")))
    return next(found, {})


def _why_unchecked(document: Mapping[str, Any]) -> str | None:
    """Return why the address of a document is not verified, None if it is.

    Apple and Amazon Cognito send `email_verified` as a text.
    """
    if (reason := claim_values.why_not_text(document["email"])) is not None:
        return reason
    verified = document.get("email_verified")
    if verified is True or verified == "true":
        return None
    is_unverified = verified is False or verified == "false" or claim_values.is_absent(verified)
    return NOT_VERIFIED if is_unverified else "verified_not_boolean"


def _why_not_domain(documents: Documents, domains: Collection[str]) -> str | None:
    email = checked_email(documents)
    if email is None:
        return why_email_ignored(documents) or _ABSENT
    local, _, host = email.rpartition("@")
    is_address = local and "@" not in local
    return None if is_address and urls.domain_name(host) in domains else _OTHER


def _why_not(
    documents: Documents, claim: str, values: Collection[str], *, has_several: bool
) -> str | None:
    """Return why a claim has none of the values, from the first readable document."""
    reason = _ABSENT
    for document in documents:
        try:
            value = claim_values.find(document, claim)
        except Missing as missing:
            reason = str(missing) if reason == _ABSENT else reason
            continue
        claimed = _claimed(document, claim, value, values, has_several=has_several)
        if not claim_values.partial_of(claimed).isdisjoint(values):
            return None
        if not isinstance(claimed, Unreadable):
            return _OTHER
        reason = claimed.reason
    return reason


def _claimed(
    document: Mapping[str, Any],
    claim: str,
    value: Any,
    values: Collection[str],
    *,
    has_several: bool,
) -> claim_values.Claimed:
    """Return the values of a claim. A single value is compared as a whole, in its JSON form.

    Only claims that contain several values are separated, and only at commas, because names, titles
    and group names may contain spaces.
    """
    if isinstance(value, bool):
        return frozenset(("true" if value else "false",))
    if isinstance(value, int):
        return frozenset((str(value),))
    if isinstance(value, str) and not has_several:
        return frozenset((value,))
    claimed = claim_values.read(document, claim, values)
    if isinstance(value, str) and "," not in value and not isinstance(claimed, Unreadable):
        return frozenset((value.strip(),))
    return claimed
