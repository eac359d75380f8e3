"""The table of settings: name, parser, default and meaning."""

from collections.abc import Mapping

from service.config import database_url, openid, parse
from service.config.setting import Setting

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "ENVIRONMENT",
        parse.choice("development", "test", "production"),
        "production",
        "development, test or production; unset means production",
    ),
    Setting(
        "PUBLIC_URL",
        parse.origin,
        None,
        "the URL that browsers use, also `iss`; http://localhost:PORT outside production",
    ),
    Setting("HOST", parse.host, "127.0.0.1", "the address to listen on"),
    Setting("PORT", parse.port, "8080", "the port to listen on"),
    Setting("WORKERS", parse.workers, "1", "the number of processes that share the port"),
    Setting(
        "DATABASE_URL",
        database_url.database,
        "sqlite:///data/latchkey.db",
        "the user database: sqlite:///path, or postgresql://user:password@host:5432/name",
        secret=True,
    ),
    Setting(
        "JWT_SECRET_KEY",
        str,
        None,
        "the HMAC key that signs tokens (HS256), at least 32 bytes",
        secret=True,
    ),
    Setting(
        "JWT_SECRET_KEY_PREVIOUS",
        str,
        None,
        "the previous key: it verifies tokens and never signs",
        secret=True,
    ),
    Setting(
        "JWT_ALGORITHM",
        parse.choice("HS256", "EdDSA", "ES256", "RS256"),
        "HS256",
        "the signature algorithm: HS256 with the secret; EdDSA, ES256, RS256 with JWT_KEYS_FILE",
    ),
    Setting(
        "JWT_KEYS_FILE",
        parse.path,
        None,
        "the path of a private JWK Set; `key generate` creates it",
    ),
    Setting("JWT_EXPIRES_IN", parse.duration, "6h", "the lifetime of sessions and tokens"),
    Setting("JWT_AUDIENCE", parse.audience, None, "`aud` to set and to require"),
    Setting(
        "REVOCATION_MAX_STALENESS",
        parse.duration,
        "60s",
        "how long tokens are accepted while the database is unavailable",
    ),
    Setting(
        "ALLOWED_REDIRECTS",
        parse.origins,
        "",
        "other origins that `next` may redirect to, separated by commas",
    ),
    Setting(
        "CORS_ORIGINS",
        parse.origins,
        "",
        "other origins whose scripts may use the API, separated by commas",
    ),
    Setting("COOKIE_NAME", parse.cookie_name, "jwt", "the name of the session cookie"),
    Setting(
        "COOKIE_DOMAIN",
        parse.domain,
        None,
        "the domain whose hosts share the cookie; unset: only the host of PUBLIC_URL",
    ),
    Setting("COOKIE_SAMESITE", parse.samesite, "Strict", "Strict or Lax"),
    Setting("COOKIE_SECURE", parse.boolean, "true", "false is refused in production"),
    Setting("BYPASS_AUTH", parse.boolean, "false", "the development sign-in; never in production"),
    Setting(
        "BYPASS_NETWORKS",
        parse.networks,
        "127.0.0.0/8,::1/128",
        "the networks that may use the development sign-in",
    ),
    Setting(
        "TRUSTED_PROXIES",
        parse.networks,
        "",
        "the proxies whose X-Forwarded-* and X-Original-* headers are trusted",
    ),
    Setting(
        "PROVISION_USERS",
        parse.boolean,
        "false",
        "create unknown users at their first sign-in through a provider",
    ),
    Setting(
        "PROVISION_USERNAMES",
        parse.choice("exact", "adapt"),
        "exact",
        "exact: the provider's name must be a valid user name; adapt: it becomes one by a rule",
    ),
    Setting(
        "PROVISION_UPDATES",
        parse.boolean,
        "true",
        "whether the name and the e-mail address of a user that a provider created follow it",
    ),
    Setting(
        "SIGN_IN_REDIRECT",
        parse.boolean,
        "false",
        "whether the sign-in page redirects to the provider if that is the only way to sign in",
    ),
    Setting(
        "OUTGOING_PROXY",
        parse.proxy,
        None,
        "the HTTP proxy for requests to providers: http://proxy.example.org:3128",
        secret=True,
    ),
    Setting("CAS_URL", parse.address, None, "the URL of the CAS server; enables CAS sign-in"),
    Setting(
        "CAS_SERVICE_URL",
        parse.origin,
        None,
        "the URL of this service as the CAS server knows it; default: PUBLIC_URL",
    ),
    Setting("CAS_VERSION", parse.choice("3.0", "2.0"), "3.0", "the version of the CAS protocol"),
    Setting(
        "CAS_RENEW", parse.boolean, "false", "whether CAS asks for the password at every sign-in"
    ),
    Setting(
        "CAS_TRUST_USERNAMES",
        parse.boolean,
        "false",
        "whether the CAS name is the user name",
    ),
    Setting(
        "CAS_USERNAME_ATTRIBUTE",
        parse.audience,
        None,
        "the attribute with the user name, in place of the CAS name",
    ),
    Setting(
        "CAS_NAME_ATTRIBUTE",
        parse.audience,
        None,
        "the attribute with the display name of a new user",
    ),
    Setting(
        "CAS_EMAIL_ATTRIBUTE",
        parse.audience,
        None,
        "the attribute with the e-mail address of a new user",
    ),
    Setting(
        "CAS_ROLES_ATTRIBUTE",
        parse.audience,
        None,
        "the attribute with the roles; unset: CAS sets no roles",
    ),
    Setting(
        "CAS_ROLES",
        parse.role_rules,
        "",
        "the role for each value of CAS_ROLES_ATTRIBUTE: role=value; role=value",
    ),
    *openid.SETTINGS,
    Setting("PASSWORD_AUTH", parse.boolean, "false", "the sign-in by password"),
    Setting("PASSKEY_AUTH", parse.boolean, "false", "the sign-in by passkey"),
    Setting(
        "SECOND_FACTOR",
        parse.choice("off", "optional", "required"),
        "optional",
        "one-time codes after a password: off, optional or required",
    ),
    Setting(
        "PASSWORD_MIN_LENGTH",
        parse.password_length,
        "15",
        "the minimum length of new passwords in characters, 8 to 64",
    ),
    Setting(
        "LOG_LEVEL",
        parse.choice("debug", "info", "warning", "error"),
        "info",
        "debug, info, warning or error",
    ),
    Setting(
        "LOG_FORMAT",
        parse.choice("text", "json"),
        None,
        "text or json; default: json in production, else text",
    ),
)

NAMES = tuple(setting.name for setting in SETTINGS)
SECRETS = frozenset(setting.name for setting in SETTINGS if setting.secret)


def known(source: Mapping[str, str]) -> tuple[Setting, ...]:
    """Return all settings, including those of the providers that `source` names."""
    return (*SETTINGS, *openid.of_named(source.get(openid.PROVIDERS, "")))


NOT_YET: dict[str, str | None] = {
    "BYPASS_KIT": "false",
    "SESSION_MAX": None,
    "SESSION_REMEMBER": None,
}
"""Settings of later versions, each with the value that is the same as unset."""

PREFIXES = ("JWT_", "BYPASS_", "COOKIE_", "CORS_", "TRUSTED_", "ALLOWED_", "REVOCATION_",
            "PROVISION_", "CAS_", "OIDC_", "PASSWORD_", "PASSKEY_", "SECOND_", "SIGN_IN_",
            "OUTGOING_")  # fmt: skip
"""An unknown name with one of these prefixes is reported as misspelt."""
