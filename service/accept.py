"""Content negotiation, as far as needed: whether a client prefers a page (RFC 9110 12.5.1)."""

from multidict import CIMultiDictProxy


def prefers_html(headers: CIMultiDictProxy[str]) -> bool:
    """Tell whether `Accept` names text/html and ranks it above JSON. Absent or `*/*` does not."""
    accept = ", ".join(headers.getall("Accept", ()))
    if "text/html" not in accept.lower():
        return False
    json = max(_quality(accept, "application", "json"), _named(accept, "application/problem+json"))
    return _quality(accept, "text", "html") > json


def _quality(accept: str, kind: str, subtype: str) -> float:
    """Return the weight of the most specific range that matches, 0 when none does."""
    best = (-1, 0.0)
    for part in accept.lower().split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        specificity = {f"{kind}/{subtype}": 2, f"{kind}/*": 1, "*/*": 0}.get(media)
        if specificity is not None:
            best = max(best, (specificity, _weight(parameters)))
    return best[1]


def _named(accept: str, media: str) -> float:
    """Return the weight of a media type where it is named itself, else 0."""
    parts = ([piece.strip() for piece in part.split(";")] for part in accept.lower().split(","))
    return max((_weight(parameters) for named, *parameters in parts if named == media), default=0.0)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(0.0, float(value)), 1.0)
            except ValueError:
                return 0.0
    return 1.0
