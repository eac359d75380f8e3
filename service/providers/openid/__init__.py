"""OpenID Connect without HTTP: strict parsing and validation of a provider's documents."""

from service.providers.openid.errors import (
    DocumentError,
    LoginRejected,
    ProviderError,
    TokenRefused,
    Unsupported,
)

__all__ = ["DocumentError", "LoginRejected", "ProviderError", "TokenRefused", "Unsupported"]
