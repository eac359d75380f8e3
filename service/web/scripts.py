"""The security policy of pages with a script."""

from service.config import Config


def policy(config: Config) -> dict[str, str]:
    """Return the header of a page whose scripts come from this site and ask only this site."""
    forms = " ".join(("'self'", *sorted(config.form_origins)))
    return {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self';"
            f" img-src 'self'; form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
        )
    }
