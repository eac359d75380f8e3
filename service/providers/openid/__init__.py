"""OpenID Connect without HTTP: what a provider says, read strictly and checked."""

from service.providers.openid.errors import LoginRejected, ProviderError

__all__ = ["LoginRejected", "ProviderError"]
