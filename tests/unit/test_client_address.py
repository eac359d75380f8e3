"""Peers: who calls is read from the connection, and from headers only as far as we trust them."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.parsing import client_address

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
PROXY = IPv4Address("10.0.0.1")
STRANGER = IPv4Address("203.0.113.9")

ADDRESSES: dict[str, client_address.Address] = {
    "127.0.0.1": IPv4Address("127.0.0.1"),
    "::1": IPv6Address("::1"),
    "2001:DB8:0::0001": IPv6Address("2001:db8::1"),
    "fe80::1%eth0": IPv6Address("fe80::1%eth0"),
    "::ffff:127.0.0.1": IPv4Address("127.0.0.1"),
    "::FFFF:7f00:1": IPv4Address("127.0.0.1"),
    "::127.0.0.1": IPv6Address("::127.0.0.1"),
}

NO_ADDRESSES = [
    *(None, "", " ", "unknown", "_hidden", "localhost", "127.0.0.1 ", " 127.0.0.1", "127.0.0.1\n"),
    *("127.0.0.1:80", "[::1]", "[::1]:80", "127.1", "2130706433", "0x7f.0.0.1", "127.0.0.01"),
    *("256.0.0.1", "1.2.3.4.5", "127.0.0.0/8", "::1/128", ":::", "1::2::3", "::ffff:127.0.0.1.1"),
    *("\u0661\u0662\u0667.0.0.1", "\uff11\uff12\uff17.0.0.1", "127\u3002 0.0.1", "127.0.0.1\0"),
]

MARKS = [
    *("Forwarded", "X-Real-IP", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
    *("X-Forwarded-Port", "X-Forwarded-Whatever-Comes", "forwarded", "VIA", "x-REAL-ip"),
]

NO_MARKS = ["Host", "X-Forwarded", "Not-Forwarded", "X-Via", "Viaduct", "X-Real-IPs", ""]

CLIENTS: dict[str, tuple[str, list[str], str | None]] = {
    "nobody in between": ("203.0.113.9", [], "203.0.113.9"),
    "a proxy that says nothing": ("10.0.0.1", [], "10.0.0.1"),
    "a stranger's own story": ("203.0.113.9", ["127.0.0.1"], "203.0.113.9"),
    "one proxy": ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
    "a story before the proxy's word": ("10.0.0.1", ["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
    "a story on a line of its own": ("10.0.0.1", ["127.0.0.1", "203.0.113.9"], "203.0.113.9"),
    "two proxies": ("10.0.0.1", ["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
    "a story before two proxies": ("10.0.0.1", ["::1,203.0.113.9,10.0.0.2"], "203.0.113.9"),
    "only proxies": ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    "a trusted name behind a stranger": ("10.0.0.1", ["10.0.0.2, 203.0.113.9"], "203.0.113.9"),
    "blanks around": ("10.0.0.1", [" \t203.0.113.9\t "], "203.0.113.9"),
    "IPv6": ("fd00::1", ["2001:db8::9, fd00::2"], "2001:db8::9"),
    "IPv4 inside IPv6": ("::ffff:10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
    "a proxy that does not know": ("10.0.0.1", ["unknown"], None),
    "a story before what is unknown": ("10.0.0.1", ["127.0.0.1, unknown"], None),
    "an empty header": ("10.0.0.1", [""], None),
    "a comma at the end": ("10.0.0.1", ["127.0.0.1,"], None),
    "an empty second line": ("10.0.0.1", ["127.0.0.1", ""], None),
    "a port": ("10.0.0.1", ["203.0.113.9:4711"], None),
    "brackets": ("10.0.0.1", ["[2001:db8::9]"], None),
    "a zone": ("10.0.0.1", ["fe80::1%eth0"], None),
    "a zone that is a story": ("10.0.0.1", ['fe80::1%x level=error "'], None),
    "no address at all": ("", ["127.0.0.1"], None),
}

REBINDABLE = [
    *("evil.example.org", "EVIL.ORG", "evil.org.", "evil.org..", "evil.org:8080", "evil.org.:8080"),
    *("evil.org:", "127.0.0.1.nip.io", "127.0.0.1.evil.org:80", "localhost.evil.org", "a.b.c.d.e"),
    *("localhost.org", "xlocalhost.x", "notinternal.notlocal", "1.2.3.4.5", "127.1", "0x7f.0.0.1"),
    *("evil.org:x.localhost", "evil.org:80:localhost", "xn--bcher-kva.example.com", ".org"),
]

NOT_REBINDABLE = [
    *("localhost", "LOCALHOST:8080", "localhost.", "localhost.:80", "app.localhost", "a.b.test:80"),
    *(
        "auth.example",
        "no.invalid",
        "nas.local",
        "host.docker.internal:8080",
        "latchkey",
        "auth:80",
    ),
    *("127.0.0.1", "127.0.0.1:8080", "192.168.1.5", "203.0.113.9:80", "[::1]", "[::1]:8080"),
    *("[2001:db8::1]:443", "[::ffff:127.0.0.1]:80", ""),
]


@pytest.mark.parametrize(("text", "parsed"), ADDRESSES.items(), ids=ADDRESSES)
def test_an_address_is_parsed_and_ipv4_inside_ipv6_is_ipv4(
    text: str, parsed: client_address.Address
) -> None:
    assert client_address.address(text) == parsed


@pytest.mark.parametrize("text", NO_ADDRESSES, ids=repr)
def test_what_is_not_exactly_an_address_is_none(text: str | None) -> None:
    assert client_address.address(text) is None


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        *(("10.0.0.0", True), ("10.255.255.255", True), ("9.255.255.255", False)),
        *(("11.0.0.0", False), ("::ffff:10.1.2.3", True), ("::10.1.2.3", False)),
        *(("fd00::1", True), ("fd12::%eth0", True), ("fe00::1", False), ("unknown", False)),
    ],
)
def test_only_a_known_address_is_within_networks(text: str, *, inside: bool) -> None:
    caller = client_address.address(text)
    assert client_address.is_within(caller, TRUSTED) is inside
    assert not client_address.is_within(caller, ())


@pytest.mark.parametrize("name", MARKS)
def test_a_proxy_leaves_its_mark(name: str) -> None:
    assert client_address.is_forwarded(["Host", name, "Accept"])


def test_without_a_proxy_there_is_no_mark() -> None:
    assert not client_address.is_forwarded(NO_MARKS)
    assert not client_address.is_forwarded([])


@pytest.mark.parametrize(("peer", "forwarded_for", "client"), CLIENTS.values(), ids=CLIENTS)
def test_the_client_is_the_first_stranger_from_the_right(
    peer: str, forwarded_for: list[str], client: str | None
) -> None:
    found = client_address.client(client_address.address(peer), forwarded_for, TRUSTED)
    assert found == client_address.address(client)


def test_without_trusted_proxies_headers_say_nothing() -> None:
    assert client_address.client(PROXY, ["127.0.0.1"], ()) == PROXY


@given(st.lists(st.text() | st.ip_addresses().map(str)))
def test_no_story_of_a_stranger_changes_who_called(story: list[str]) -> None:
    assert client_address.client(STRANGER, story, TRUSTED) == STRANGER
    assert client_address.client(PROXY, [*story, str(STRANGER)], TRUSTED) == STRANGER


@pytest.mark.parametrize("host", REBINDABLE)
def test_a_name_that_a_stranger_could_register_is_rebindable(host: str) -> None:
    assert client_address.is_rebindable(host)


@pytest.mark.parametrize("host", NOT_REBINDABLE)
def test_an_address_or_a_name_that_nobody_can_register_is_not(host: str) -> None:
    assert not client_address.is_rebindable(host)


@given(st.text(alphabet="aZ09.-_"), st.sampled_from(["org", "com", "EVIL.net."]))
def test_nothing_before_a_public_name_hides_it(before: str, name: str) -> None:
    assert client_address.is_rebindable(f"{before}.{name}")
    assert client_address.is_rebindable(f"{before}.{name}:8080")


def test_a_bounded_number_of_hops_is_read() -> None:
    trusted = (ip_network("127.0.0.0/8"),)
    proxy = client_address.address("127.0.0.1")
    hops = ["127.0.0.1"] * client_address.MOST_HOPS
    assert client_address.client(proxy, ["1.2.3.4", *hops[1:]], trusted) == client_address.address(
        "1.2.3.4"
    )
    for count in (1, 2, 6000):
        assert client_address.client(proxy, ["1.2.3.4"] * count + hops, trusted) in {
            None,
            client_address.address("1.2.3.4"),
        }
    assert client_address.client(proxy, ["127.0.0.9"] * 6000, trusted) is None
    assert client_address.client(proxy, ["1" * 60_000], trusted) is None
