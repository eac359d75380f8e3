"""The REST API, as a manager uses it."""

import json
from typing import Any

from tests.support.client import Answer, ask, bearer, sign_in
from tests.support.servers import Server

USERS = "/api/v1/users"
ROLES = "/api/v1/roles"


class Api:
    """A server, and a manager's token."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.token = sign_in(server.port)

    def __call__(
        self,
        path: str,
        method: str = "GET",
        body: object = None,
        *,
        token: str | None = None,
        **headers: str,
    ) -> Answer:
        """Send a request with a bearer token; headers' names have `_` for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        credential = bearer(token or self.token)
        return ask(self.server.port, path, method, headers={**credential, **sent}, body=data)

    def create(self, username: str, **facts: object) -> dict[str, Any]:
        """Create a user, and return it."""
        answer = self(USERS, "POST", {"username": username, **facts})
        assert answer.status == 201, answer.text
        return dict(answer.json)

    def everything(self) -> list[object]:
        """Return all that can be changed."""
        return [self(path).json for path in (f"{USERS}?limit=200", ROLES)]
