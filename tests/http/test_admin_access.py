"""The admin pages over HTTP: whom they refuse."""

from urllib.parse import urlencode

from tests.support.admin import FORM, ROLES, Admin, ada, admin, admin_operations
from tests.support.client import BROWSER, ask, cookie, sign_in

__all__ = ["ada", "admin"]


def test_only_who_manages_users_gets_in(admin: Admin, ada: int) -> None:
    before = admin.everything()
    found = admin_operations(admin)
    assert len(found) == 16
    for method, path in found:
        where = path.replace("{id}", str(ada))
        fields = {"version": "1", "username": "mallory", "role": "mallory"}
        body = urlencode(fields).encode() if method == "POST" else None
        headers = {**BROWSER, "Content-Type": FORM}
        nobody = ask(admin.server.port, where, method, headers=headers, body=body)
        assert nobody.status == 401
        assert f"/auth/login?next={where.replace('/', '%2F')}" in nobody.text
        for name in ("user", "manager", "ada"):
            jar = cookie(sign_in(admin.server.port, name))
            refused = ask(admin.server.port, where, method, headers={**headers, **jar}, body=body)
            assert refused.status == 403
            assert "Missing role" in refused.text
    assert admin.everything() == before


def test_a_page_of_another_site_changes_nothing(admin: Admin, ada: int) -> None:
    before = admin.everything()
    fields = {"version": "1", "username": "mallory", "role": "mallory"}
    for method, path in admin_operations(admin):
        if method == "POST":
            where = path.replace("{id}", str(ada))
            for site in ("cross-site", "same-site", "nonsense"):
                refused = admin(where, fields, Sec_Fetch_Site=site)
                assert refused.status == 403
                assert "Cross-site request" in refused.text
    old = {**BROWSER, **admin.jar, "Content-Type": FORM, "Origin": "https://evil.example"}
    refused = ask(
        admin.server.port, ROLES, "POST", headers=old, body=urlencode({"role": "x"}).encode()
    )
    assert refused.status == 403
    assert admin.everything() == before


def test_the_last_manager_stays(admin: Admin) -> None:
    before = admin.everything()
    version = admin.page("/admin/users/1").value("version")
    (role,) = (
        row["id"] for row in admin.api("/api/v1/roles").json if row["role"] == "manage_users"
    )
    demoted = {"version": version, "username": "admin", "name": "Kept", "roles": "add_documents"}
    shown = [
        admin.again("/admin/users/1", demoted, 409),
        admin.again("/admin/users/1", {**demoted, "disabled": "true"}, 409),
        admin.again("/admin/users/1/delete", {"version": version}, 409),
    ]
    for page in shown:
        assert page.alerts == [
            "This is the last active user with manage_users. Grant that role to another user first."
        ]
    (alert,) = admin.again(f"{ROLES}/{role}/delete", {}, 409).alerts
    assert alert.startswith("You cannot delete the role manage_users while an active user has it: ")
    assert shown[0].value("name") == "Kept"
    assert shown[0].checked("roles") == ["add_documents"]
    assert admin.everything() == before
