"""Many users at once through a real nginx: no answer ever carries another user's name.

LATCHKEY_LOAD_SECONDS says for how long, 5 by default.
"""

import asyncio
import contextlib
import json
import os
import random
import time
from collections import Counter
from pathlib import Path

from tests.support.proxies import deployed
from tests.support.proxy_site import APP, TRUSTING, Deployment
from tests.support.servers import Start

STORES = ("sqlite",)  # no store has a part in this

USERS, CONNECTIONS = 200, 50
SECONDS = float(os.environ.get("LATCHKEY_LOAD_SECONDS", "5"))


def sign_everybody_in(site: Deployment) -> dict[str, str]:
    """Create the users and return their tokens."""
    names = [f"user-{number:03}" for number in range(USERS)]
    seeds = site.folder / "users.json"
    seeds.write_text(json.dumps({"users": [{"username": n, "roles": [f"of-{n}"]} for n in names]}))
    made = site.server.cli("seed", str(seeds))
    assert made.returncode == 0, made.stderr
    return {name: site.sign_in(name) for name in names}


async def ask_on_and_on(
    site: Deployment, tokens: dict[str, str], until: float, seen: Counter[str]
) -> None:
    """Ask on a connection until the time is over; open another when nginx closes it."""
    while time.monotonic() < until:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", site.port, ssl=TRUSTING, server_hostname=APP
        )
        try:
            while time.monotonic() < until and await ask_once(site, tokens, reader, writer, seen):
                pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def ask_once(
    site: Deployment,
    tokens: dict[str, str],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    seen: Counter[str],
) -> bool:
    """Ask as any user by cookie or bearer token, or as nobody; tell whether one can ask again."""
    name = random.choice(list(tokens))  # noqa: S311  # a choice of users, not a secret
    way = random.choice(("cookie", "cookie", "bearer", "nobody"))  # noqa: S311  # the same
    credential = {
        "cookie": f"Cookie: jwt={tokens[name]}\r\n",
        "bearer": f"Authorization: Bearer {tokens[name]}\r\n",
        "nobody": "",
    }[way]
    request = f"GET /{name} HTTP/1.1\r\nHost: {APP}:{site.port}\r\n{credential}\r\n"
    writer.write(request.encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length:")[2].split("\r\n")[0])
    body = (await reader.readexactly(length)).decode()
    status = head.split(" ", 2)[1]
    answered = (status, body if status == "200" else None)
    expected = ("401", None) if way == "nobody" else ("200", name)
    seen["right" if answered == expected else f"wrong: {answered} for {expected}"] += 1
    seen[way] += 1
    return "\r\nconnection: close" not in head


def test_no_answer_carries_the_name_of_another(tmp_path: Path, start: Start) -> None:
    with deployed("nginx", tmp_path, start, LOG_LEVEL="warning") as site:
        tokens = sign_everybody_in(site)
        seen: Counter[str] = Counter()
        told: set[tuple[str, str, str]] = set()
        site.application.keep = lambda received: told.add(
            (received.target[1:], received["Remote-User"], received["Remote-Groups"])
        )

        async def load() -> None:
            until = time.monotonic() + SECONDS
            asking = (ask_on_and_on(site, tokens, until, seen) for _ in range(CONNECTIONS))
            await asyncio.wait_for(asyncio.gather(*asking), SECONDS + 60)

        asyncio.run(load())
        rate = seen["right"] / SECONDS
        print(f"\n{SECONDS:g} s, {dict(seen)}, {rate:,.0f}/s")  # noqa: T201  # the figures are wanted
        assert seen["right"] == seen["cookie"] + seen["bearer"] + seen["nobody"]
        assert seen["right"] > CONNECTIONS
        assert told <= {(name, name, f"of-{name}") for name in tokens}
