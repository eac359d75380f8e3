"""OpenID Connect without HTTP: strict parsing and validation of a provider's documents."""

from service.providers.openid.errors import (
    DocumentError,
    LoginRejected,
    ProviderError,
    Unsupported,
)

__all__ = ["DocumentError", "LoginRejected", "ProviderError", "Unsupported"]
