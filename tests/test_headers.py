"""Headers that make no sense: each is refused or ignored, and never a fault of ours."""

import pytest

from service.context import MOST_TAGS_LENGTH
from tests.client import ask, rested
from tests.conftest import Server

STORES = ("sqlite",)  # no store has a part in this

TAGGED = ("/openapi.json", "/docs/swagger-ui.css", "/.well-known/jwks.json", "/auth/revocations")


@pytest.mark.parametrize("path", TAGGED)
def test_a_long_list_of_entity_tags_is_not_read(server: Server, path: str) -> None:
    if path == "/auth/revocations":
        rested(3)
        place = ask(server.port, path)["ETag"].strip('"').partition(".")[0]
        path = f"{path}?since={place}"
    etag = ask(server.port, path)["ETag"]
    room = MOST_TAGS_LENGTH - len(etag) - len('"",')
    for length, status in ((room, 304), (room + 1, 200)):
        known = {"If-None-Match": f'"{"x" * length}",{etag}'}
        assert ask(server.port, path, headers=known).status == status
