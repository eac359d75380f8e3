"""Cookies at `/auth/verify`: signing out, several hosts, links of other sites."""

from tests.support.client import ask, cookie, sign_in
from tests.support.forwarded import behind, verify
from tests.support.servers import Server, Start

__all__ = ["behind"]


def test_signing_out_counts_at_once(server: Server) -> None:
    token = sign_in(server.port, "user")
    assert verify(server, **cookie(token)).status == 200
    ask(server.port, "/auth/logout", "POST", headers=cookie(token))
    assert verify(server, **cookie(token)).status == 401


def test_several_hosts_share_one_cookie(behind: Server) -> None:
    headers = {"Host": "auth.example.org"}
    answer = ask(behind.port, "/auth/bypass?token=user", headers=headers)
    _, *attributes = answer["Set-Cookie"].split("; ")
    assert sorted(attributes) == [
        *("Domain=example.org", "HttpOnly", "Max-Age=21600", "Path=/", "SameSite=Strict"),
        "Secure",
    ]
    out = ask(behind.port, "/auth/logout", "POST", headers=cookie(answer.token))
    shared, own = (line.split("; ") for line in out.all("Set-Cookie"))
    assert shared[0] == own[0] == "jwt="
    assert {"Domain=example.org", "Max-Age=0", "Path=/"} <= set(shared)
    assert set(own) == set(shared) - {"Domain=example.org"}


def test_a_cookie_from_before_there_was_a_domain_does_not_keep_anybody_out(behind: Server) -> None:
    headers = {"Host": "auth.example.org", "Cookie": "jwt=old; jwt=older"}
    shared, own = ask(behind.port, "/auth/bypass?token=user", headers=headers).all("Set-Cookie")
    assert "; Domain=example.org; " in shared
    assert (own.startswith("jwt=; "), "Domain" in own, "Max-Age=0" in own) == (True, False, True)


def test_nor_does_one_that_a_browser_keeps_back(behind: Server) -> None:
    """Whoever comes from the page of a provider has the old cookie, and does not send it."""
    headers = {"Host": "auth.example.org", "Sec-Fetch-Site": "cross-site"}
    shared, own = ask(behind.port, "/auth/bypass?token=user", headers=headers).all("Set-Cookie")
    assert "; Domain=example.org; " in shared
    assert (own.startswith("jwt=; "), "Domain" in own, "Max-Age=0" in own) == (True, False, True)


# --- The sign-in page for those whose browser keeps the cookie back -------------------------------

LOGIN = "/auth/login?next=/auth/me"
CROSS = {"Sec-Fetch-Site": "cross-site"}


def test_a_link_of_another_site_asks_again_with_the_cookie(server: Server) -> None:
    page = ask(server.port, LOGIN, headers=CROSS)
    again = "/auth/login?next=%2Fauth%2Fme&amp;landed=1"
    assert page.status == 200
    assert f'content="0; url={again}"' in page.text
    again = again.replace("&amp;", "&")
    jar = cookie(sign_in(server.port, "user"))
    same = {"Sec-Fetch-Site": "same-origin"}
    led_on = ask(server.port, again, headers={**jar, **same})
    assert (led_on.status, led_on["Location"]) == (302, "/auth/me")
    signed_out = ask(server.port, again, headers=same)
    assert (signed_out.status, "token=user&amp;next=%2Fauth%2Fme" in signed_out.text) == (200, True)


def test_nobody_is_led_on_without_that_page(server: Server) -> None:
    jar = cookie(sign_in(server.port, "user"))
    for query in ("?next=/auth/me", "?next=/auth/me&landed=0", "?landed=1", "?next=//e&landed=1"):
        assert ask(server.port, f"/auth/login{query}", headers=jar).status == 200


def test_under_lax_the_cookie_comes_along_and_nothing_is_asked_again(start: Start) -> None:
    page = ask(start(COOKIE_SAMESITE="Lax").port, LOGIN, headers=CROSS)
    assert "refresh" not in page.text
