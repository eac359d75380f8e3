"""URLs: a sign-in leads to this site or to an allowed one, whatever it is told."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.parsing import urls
from tests.support.thoroughness import some

OWN = "https://auth.example.org"
APP = "https://app.example.org"
PORT = "http://intranet:8080"
IPV6 = "https://[2001:db8::1]"
ALLOWED = frozenset({OWN, APP, PORT, IPV6})

GOOD: dict[str, str] = {
    "/": "/",
    "/path": "/path",
    "/path/?a=1&b=2#end": "/path/?a=1&b=2#end",
    "/?": "/?",
    "/#": "/#",
    "/?next=//evil.com": "/?next=//evil.com",
    "/?to=https://evil.com/": "/?to=https://evil.com/",
    "/a//b": "/a//b",
    "/.": "/.",
    "/..//evil.com": "/..//evil.com",
    "/@evil.com": "/@evil.com",
    "/:80": "/:80",
    "/javascript:alert(1)": "/javascript:alert(1)",
    "/%2f%2Fevil.com": "/%2f%2Fevil.com",
    "/%5Cevil.com": "/%5Cevil.com",
    "/%0d%0aSet-Cookie:x=y": "/%0d%0aSet-Cookie:x=y",
    "/100%": "/100%",
    "/%zz": "/%zz",
    "/a+b;c,d=e!*'()~$&": "/a+b;c,d=e!*'()~$&",
    '/[x]{y}|^`"<>': '/[x]{y}|^`"<>',
    "/caf\u00e9": "/caf%C3%A9",
    "/?q=\u540d\U0001f600": "/?q=%E5%90%8D%F0%9F%98%80",
    "/\u3002evil.com": "/%E3%80%82evil.com",
    "/\uff0fevil.com": "/%EF%BC%8Fevil.com",
    "/\u2215evil.com": "/%E2%88%95evil.com",
    "/a\u00a0b\u200bc\ufeff": "/a%C2%A0b%E2%80%8Bc%EF%BB%BF",
    "/\u202emoc.live": "/%E2%80%AEmoc.live",
    "/" + "a" * 7999: "/" + "a" * 7999,
    f"{APP}/" + "a" * 7999: f"{APP}/" + "a" * 7999,
    OWN: f"{OWN}/",
    f"{OWN}/path": f"{OWN}/path",
    APP: f"{APP}/",
    f"{APP}/": f"{APP}/",
    f"{APP}/a/../b?c=d#e": f"{APP}/a/../b?c=d#e",
    f"{APP}?a=b": f"{APP}/?a=b",
    f"{APP}#a": f"{APP}/#a",
    f"{APP}?@evil.com/": f"{APP}/?@evil.com/",
    f"{APP}#@evil.com/": f"{APP}/#@evil.com/",
    f"{APP}/@evil.com": f"{APP}/@evil.com",
    f"{APP}//evil.com": f"{APP}//evil.com",
    f"{APP}/?next=https://evil.com": f"{APP}/?next=https://evil.com",
    f"{APP}/\u00fc?\u00fc#\u00fc": f"{APP}/%C3%BC?%C3%BC#%C3%BC",
    f"{APP}:443/a": f"{APP}/a",
    f"{APP}:00443/a": f"{APP}/a",
    "HTTPS://App.Example.ORG/A": f"{APP}/A",
    f"{PORT}/a": f"{PORT}/a",
    "http://INTRANET:08080": f"{PORT}/",
    f"{IPV6}/a": f"{IPV6}/a",
    "https://[2001:DB8::1]:443/a": f"{IPV6}/a",
}

HOSTILE: list[str] = [
    # nothing, and what is no absolute path
    *("", " ", "path", "path/to", "./", "..", "../up", "?a=b", "#a", ":", "@", "*", "null"),
    *("evil.com", "evil.com/path", "www.evil.com", "auth.example.org", "app.example.org/"),
    # the host in the path
    *("//", "//evil.com", "///evil.com", "////evil.com", "//evil.com/..", "//@evil.com", "//:80"),
    *("//auth.example.org", "//app.example.org/", "//evil.com@auth.example.org", "//%2fevil.com"),
    *("//evil%E3%80%82com", "//evil\u3002com", "//[::1]", "//localhost", "//0x7f.1"),
    # backslashes, which browsers read as slashes
    *("\\", "\\\\evil.com", "/\\evil.com", "\\/evil.com", "/\\/evil.com", "/a\\..\\\\evil.com"),
    *("\\evil.com", "https:\\\\evil.com", "https:/\\evil.com", f"{APP}\\@evil.com"),
    *(f"{APP}\\.evil.com", "/path\\"),
    # tabs and line ends, which browsers leave out; other controls and blanks
    *("/\t/evil.com", "/\n/evil.com", "/\r/evil.com", "\t//evil.com", "/\r\n/evil.com", "/\t"),
    *("/path\nSet-Cookie: jwt=x", "/path\r\nLocation: //evil.com", "java\nscript:alert(1)"),
    *(" //evil.com", " /path", "/path ", "/a b", "/\0", "/\0/evil.com", "/\x1f", "/\x0b/evil.com"),
    *("/\x7f", "/\x80", "/\x85/evil.com", "/\x9f", "/\u2028/evil.com", "/\u2029", "\u00a0/path"),
    *("\u3000//evil.com", "\ufeff//evil.com", "\x01javascript:alert(1)", f"\t{APP}", f"{APP}\n"),
    *("ht\ntps://evil.com", "https://app.exam\tple.org", f"{APP}/a b"),
    # slashes that are none
    *("%2f%2fevil.com", "%2Fpath", "%5c%5cevil.com", "https:%2f%2fevil.com", "\uff0fevil.com"),
    *("\u2215\u2215evil.com", "\uff0f\uff0fevil.com", "https:\uff0f\uff0fapp.example.org"),
    # other schemes
    *("javascript:alert(1)", "JavaScript:alert(1)", "javascript://app.example.org/%0aalert(1)"),
    *("javascript:/path", "data:text/html,<script>alert(1)</script>", "data://app.example.org/"),
    *("vbscript:x", "file:///etc/passwd", "ftp://app.example.org/", "ws://app.example.org/"),
    *("blob:https://app.example.org/x", "about:blank", "view-source:https://app.example.org"),
    *("mailto:a@app.example.org", "tel:1", "intent://app.example.org/", "http://app.example.org/"),
    *("HTTP://APP.EXAMPLE.ORG", "https://intranet:8080", "httpss://app.example.org"),
    *("\uff48ttps://app.example.org", "http\u017f://app.example.org", "://app.example.org"),
    # not quite a scheme and a host
    *("https:", "https:/", "https://", "https:///", "https:app.example.org", "https://?"),
    *("https:/app.example.org", "https:///app.example.org", "https:evil.com", "https:///evil.com"),
    *("https//app.example.org", "https://.", "https://#app.example.org", "https://:443", "http:/x"),
    # other hosts, and look-alikes
    *("https://evil.com", "HTTPS://EVIL.COM", "https://evil.com/auth.example.org"),
    *("http://evil.com", f"{APP}.evil.com", f"{APP}.", f"{APP}..", f"{APP}-evil.com"),
    *(f"{APP}evil.com", f"{APP[:-1]}", "https://evilapp.example.org"),
    *("https://evil.app.example.org", "https://example.org", "https://app.example.org%2eevil.com"),
    *("https://app.example.org%00.evil.com", f"{APP},evil.com", f"{APP};evil.com"),
    *(f"{APP}&evil.com", f"{APP}%2f@evil.com", f"{APP}%23@evil.com", f"{APP}*"),
    *("https://app\u3002example\u3002org", "https://app\uff0eexample\uff0eorg", f"{APP}\u3002"),
    *("https://\u0430pp.example.org", "https://\uff41pp.example.org"),
    *("https://app.example.or\u0261", "https://app.\u00adexample.org"),
    *("https://app.ex\u200bample.org", "https://a%70p.example.org", f"{APP}\u2044.evil.com"),
    *(f"{APP}\u2100.evil.com", "https://*.example.org", "https://app_example.org"),
    # user names
    *(f"{APP}@evil.com", f"{APP}:443@evil.com", f"{APP}:x@evil.com/"),
    *("https://evil.com@app.example.org", "https://@app.example.org", "https://:@app.example.org"),
    *("https://user:pw@app.example.org/", "https://evil.com#@app.example.org"),
    *("https://evil.com?@app.example.org", "https://x@y@evil.com"),
    # ports
    *(f"{APP}:8443", f"{APP}:80", f"{APP}:", f"{APP}:/", f"{APP}:0", f"{APP}:000000443"),
    *(f"{APP}:-1", f"{APP}:65979", f"{APP}:443:443", f"{APP}:443.evil.com", f"{APP}:44\u0663"),
    *(f"{APP}:+443", f"{APP}:443x", f"{OWN}:8080/", "http://intranet", "http://intranet:80"),
    *(f"{PORT}0", f"{PORT}80"),
    # addresses
    *("https://[::1]", "https://[2001:db8::2]/", "https://2001:db8::1/", f"{IPV6[:-1]}"),
    *(f"{IPV6}:1", "https://[2001:db8::1].evil.com", "https://[2001:db8::1]evil.com"),
    *("https://[2001:db8::1%25a]", "https://[app.example.org]", "https://[", "https://]"),
    *("https://[]", "http://127.0.0.1", "http://2130706433/", "http://0x7f000001/"),
    "http://[::ffff:127.0.0.1]/",
    # lone surrogates
    *("/\ud800", "/\udc80path", f"{APP}/\udfff", "/\udcff/evil.com", "\ud800"),
    # too long
    "/" + "a" * 8000,
    "/" + "é" * 1334,
    f"{APP}/" + "a" * 8000,
    f"{APP}?" + "a" * 8000,
    "https://" + "a" * 9000,
]

ORIGINS: dict[str, str] = {
    "https://auth.example.org": "https://auth.example.org",
    "HTTPS://Auth.Example.ORG": "https://auth.example.org",
    "https://auth.example.org:443": "https://auth.example.org",
    "https://auth.example.org:80": "https://auth.example.org:80",
    "http://auth.example.org:80": "http://auth.example.org",
    "http://auth.example.org:443": "http://auth.example.org:443",
    "http://localhost:08080": "http://localhost:8080",
    "http://a": "http://a",
    "http://a_b-c.d:65535": "http://a_b-c.d:65535",
    "http://127.0.0.1:1": "http://127.0.0.1:1",
    "http://[::1]:8080": "http://[::1]:8080",
    "http://[2001:DB8::1]:80": "http://[2001:db8::1]",
    "http://[2001:db8:0:0::0001]": "http://[2001:db8::1]",
    "http://[0:0:0:0:0:0:0:1]:8080": "http://[::1]:8080",
}

NO_ORIGINS: list[str] = [
    *("", "https", "https:", "https://", "auth.example.org", "//auth.example.org", "null", "*"),
    *("ftp://a", "ws://a", "file://a", "javascript://a", "https:/a", "https:a", "https:///a"),
    *("https://a/", "https://a/b", "https://a?", "https://a#", "https://a\\", "https://u@a"),
    *("https://a:", "https://a:0", "https://a:65536", "https://a:123456", "https://a:-1"),
    *("https://a:8o", "https://a:\u0661", "https://a:1:2", " https://a", "https://a "),
    *("https://a\n", "https://-a", "https://a-", "https://.a", "https://a.", "https://_a"),
    *("https://a%2e", "https://\u00e4", "https://\uff41", "http\u017f://a", "https://\u212aelvin"),
    *("https://a,b", "https://::1", "https://[::1", "https://::1]", "https://[]"),
    *("https://[::1%25lo]", "https://[a.b]", "https://[.]", "https://[:::]", "https://[1:2:3]"),
    *("https://[127.0.0.1]", "https://[::1]a"),
]

PATHS: dict[str, str] = {
    "/": "/",
    "/a/b?c/../d#e/../f": "/a/b",
    f"{OWN}/auth/logout?a=b": "/auth/logout",
    OWN + "/": "/",
    "/auth/%6cogout": "/auth/logout",
    "/%61uth/logout#a": "/auth/logout",
    "/a/../auth/logout": "/auth/logout",
    "/../../auth/logout": "/auth/logout",
    "/./auth/./logout": "/auth/logout",
    "/a/%2e%2E/auth/%2e/logout": "/auth/logout",
    "/a/.%2e/auth/logout": "/auth/logout",
    "/auth//../logout": "/auth/logout",
    "/auth/a%2Fb/../logout": "/auth/logout",
    "/a%2Fb/../auth/logout": "/auth/logout",
    "/auth/logout/.": "/auth/logout/",
    "/auth/logout/a/..": "/auth/logout/",
    "/auth/%256cogout": "/auth/%6cogout",
    "/auth%2Flogout": "/auth/logout",
    "/a?/../auth/logout": "/a",
}

HOSTS: dict[str, str] = {
    "https://auth.example.org": "auth.example.org",
    "http://localhost:8080": "localhost",
    "http://127.0.0.1:8080": "127.0.0.1",
    "http://[::1]": "::1",
    "http://[2001:db8::1]:8080": "2001:db8::1",
    "": "",
}


def label(value: str) -> str:
    """Name an address in the list of tests."""
    return repr(value)[:50]


@pytest.mark.parametrize(("value", "result"), GOOD.items(), ids=label)
def test_a_path_of_ours_and_an_address_that_is_allowed_are_followed(
    value: str, result: str
) -> None:
    assert urls.safe_next([value], ALLOWED) == result


@pytest.mark.parametrize("value", HOSTILE, ids=label)
def test_everything_else_leads_home(value: str) -> None:
    assert urls.safe_next([value], ALLOWED) == "/"


@pytest.mark.parametrize(
    "values", [[], ["/a", "/b"], ["/a", "/a"], ["/a", ""], ["//evil.com", "/a"], ["/"] * 3], ids=str
)
def test_none_and_more_than_one_lead_home(values: list[str]) -> None:
    assert urls.safe_next(values, ALLOWED) == "/"


@pytest.mark.parametrize("value", [OWN, f"{OWN}/path", APP, "https://", "http://[::1]"])
def test_where_no_origin_is_allowed_no_address_is_followed(value: str) -> None:
    assert urls.safe_next([value], ()) == "/"


PIECES = st.sampled_from(
    [
        *("/", "//", "\\", ":", "@", "?", "#", ".", "..", ";", "%", "[", "]", "%2f", "%5c", "%00"),
        *("\t", "\n", "\r", "\0", " ", "\u3002", "\uff0f", "\u2028", "\ud800", "\u00e9", "\u2100"),
        *(
            "http:",
            "https:",
            "https://",
            "HTTPS://",
            "javascript:",
            "data:",
            ":443",
            ":80",
            ":8080",
        ),
        *("evil.com", ".evil.com", "@evil.com", "app.example.org", OWN, APP, PORT, IPV6),
    ]
)


@settings(max_examples=some(1000))
@given(st.text() | st.lists(PIECES | st.characters()).map("".join))
def test_whatever_comes_in_a_header_goes_out_that_leads_nowhere_else(value: str) -> None:
    result = urls.safe_next([value], ALLOWED)
    assert result.isascii()
    assert result.isprintable()
    assert " " not in result
    assert "\\" not in result
    target = urlsplit(urljoin(f"{OWN}/auth/login", result))
    assert f"{target.scheme}://{target.netloc}" in ALLOWED
    assert urls.safe_next([result], ALLOWED) == result


@pytest.mark.parametrize(("address", "path"), PATHS.items())
def test_a_path_is_read_as_browser_and_server_read_it(address: str, path: str) -> None:
    assert urls.safe_next([address], ALLOWED) == address
    assert urls.path_of(address) == path


@pytest.mark.parametrize(("text", "canonical"), ORIGINS.items())
def test_an_origin_has_one_form_however_it_is_spelt(text: str, canonical: str) -> None:
    assert urls.origin(text) == canonical
    assert urls.origin(canonical) == canonical


@pytest.mark.parametrize("text", NO_ORIGINS, ids=label)
def test_what_is_not_exactly_an_origin_is_none(text: str) -> None:
    assert urls.origin(text) is None


@pytest.mark.parametrize(("origin", "host"), HOSTS.items())
def test_a_host_comes_without_brackets_and_port(origin: str, host: str) -> None:
    assert urls.host_of(origin) == host
