"""OpenID Connect without HTTP: strict parsing and validation of a provider's documents."""

from service.providers.openid.errors import LoginRejected, ProviderError

__all__ = ["LoginRejected", "ProviderError"]
