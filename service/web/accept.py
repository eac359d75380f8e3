"""Content negotiation: whether a client prefers HTML (RFC 9110 section 12.5.1)."""

from functools import lru_cache

from multidict import CIMultiDictProxy

LOOKED_AT = 1000
"""The number of characters of `Accept` that are parsed. Browsers send about 150."""


def prefers_html(headers: CIMultiDictProxy[str]) -> bool:
    """Return whether `Accept` prefers text/html to JSON. False if it is missing or `*/*`.

    Only ranges that end within the first 1,000 characters count.
    """
    accept = ", ".join(headers.getall("Accept", ()))
    if len(accept) > LOOKED_AT:
        accept = accept[:LOOKED_AT].rpartition(",")[0]
    return _prefers_html(accept.lower())


@lru_cache(maxsize=512)
def _prefers_html(accept: str) -> bool:
    if "text/html" not in accept:
        return False
    ranges = [_range(part) for part in accept.split(",") if "/" in part]
    problem = max(
        (weight for media, weight in ranges if media == "application/problem+json"), default=0.0
    )
    json = max(_quality(ranges, "application", "json"), problem)
    return _quality(ranges, "text", "html") > json


def _quality(ranges: list[tuple[str, float]], kind: str, subtype: str) -> float:
    """Return the weight of the most specific matching range, 0 if none matches."""
    specificity = {f"{kind}/{subtype}": 2, f"{kind}/*": 1, "*/*": 0}
    matching = ((specificity[media], weight) for media, weight in ranges if media in specificity)
    return max(matching, default=(0, 0.0))[1]


def _range(part: str) -> tuple[str, float]:
    """Return the media range and the weight of an element."""
    media, *parameters = part.split(";")
    return media.strip(), _weight(parameters)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(0.0, float(value)), 1.0)
            except ValueError:
                return 0.0
    return 1.0
