"""OpenID Connect without HTTP: what a provider says, read strictly and checked."""

from service.providers.openid.errors import Rejected, Unusable

__all__ = ["Rejected", "Unusable"]
