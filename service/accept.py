"""Content negotiation, as far as needed: whether a client prefers a page (RFC 9110 12.5.1)."""


def prefers_html(accept: str) -> bool:
    """Tell whether `Accept` ranks text/html above application/json. Absent or `*/*` does not."""
    return "text/html" in accept.lower() and _quality(accept, "text", "html") > _quality(
        accept, "application", "json"
    )


def _quality(accept: str, kind: str, subtype: str) -> float:
    """Return the weight of the most specific range that matches, 0 when none does."""
    best = (-1, 0.0)
    for part in accept.lower().split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        specificity = {f"{kind}/{subtype}": 2, f"{kind}/*": 1, "*/*": 0}.get(media)
        if specificity is not None:
            best = max(best, (specificity, _weight(parameters)))
    return best[1]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
