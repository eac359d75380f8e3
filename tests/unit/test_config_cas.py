"""The settings of the CAS provider."""

from tests.support.config import PRODUCTION, Read, faults, read
from tests.support.environment import STRONG

__all__ = ["read"]


def test_the_settings_of_cas_as_they_are_read(read: Read) -> None:
    plain = read(PRODUCTION)
    assert (plain.cas_url, plain.cas_service_url) == (None, plain.public_url)
    found = read(
        {
            **PRODUCTION,
            "CAS_URL": "https://CAS.example.org:443/cas/",
            "CAS_SERVICE_URL": "https://login.example.org/",
            "CAS_ROLES_ATTRIBUTE": "memberOf",
            "CAS_ROLES": " manage_users = cn=it,dc=example ;manage_documents=staff;",
        }
    )
    assert found.cas_url == "https://cas.example.org/cas"
    assert found.cas_service_url == "https://login.example.org"
    assert list(map(str, found.cas_roles)) == [
        "manage_users=cn=it,dc=example",
        "manage_documents=staff",
    ]
    assert found.form_origins == {"https://cas.example.org"}


def test_settings_of_cas_that_do_not_fit_together(read: Read) -> None:
    rules = {"CAS_ROLES": "manage_users=staff"}
    (fault,) = faults(read, {**PRODUCTION, **rules})
    assert fault.startswith("CAS_ROLES_ATTRIBUTE is missing")
    (fault,) = faults(read, {**PRODUCTION, "CAS_ROLES_ATTRIBUTE": "memberOf"})
    assert fault.startswith("CAS_ROLES is missing")
    url = {"CAS_URL": "https://cas.example.org", "CAS_SERVICE_URL": "http://auth.example.org"}
    assert faults(read, {**PRODUCTION, **url}) == [
        "CAS_SERVICE_URL must begin with https:// in production"
    ]
    found = read({"ENVIRONMENT": "test", "JWT_SECRET_KEY": STRONG, "CAS_URL": "http://localhost:1"})
    assert found.cas_url == "http://localhost:1"
