"""For schemathesis, where a request ends its session: each request with a session of its own."""

import os
from typing import Any
from urllib.parse import urlsplit

import schemathesis

from tests.support.client import sign_in

USERNAME = "fuzzer"


@schemathesis.auth(refresh_interval=None)
class FreshSession:
    """Signs in anew for each request."""

    def get(self, case: schemathesis.Case[Any], context: schemathesis.AuthContext) -> str:  # noqa: ARG002
        """Return a token."""
        return sign_in(int(urlsplit(case.operation.base_url or "").port or 0), USERNAME)

    def set(
        self,
        case: schemathesis.Case[Any],
        data: str,
        context: schemathesis.AuthContext,  # noqa: ARG002
    ) -> None:
        """Give the token to a request, carried as LATCHKEY_CARRIER says."""
        if os.environ["LATCHKEY_CARRIER"] == "cookie":
            case.headers["Cookie"] = f"jwt={data}"
        else:
            case.headers["Authorization"] = f"Bearer {data}"
