"""The in-memory revocation state: ended sessions and changed users."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from service import errors
from service.db import Row
from service.tokens.claims import Claims, Role
from service.tokens.lifetimes import State


class CurrentUser(TypedDict):
    """What a token needs of a user who has changed."""

    username: str
    roles: list[Role]
    version: int
    disabled: bool


@dataclass(slots=True)
class RevokedUser:
    """The revocation state of a user's tokens, by `ver`. `until` is from the feed."""

    revoked_below: int = 0
    changed_below: int = 0
    until: int = 0
    fresh: asyncio.Future[CurrentUser | None] | None = field(default=None, repr=False)


class Revoked:
    """The rows of the feed, by session and by user."""

    def __init__(self) -> None:
        self.sessions: dict[str, int] = {}
        self.users: dict[int, RevokedUser] = {}

    def __len__(self) -> int:
        """Return the number of sessions and users."""
        return len(self.sessions) + len(self.users)

    def apply(self, row: Row) -> None:
        """Apply a row of the feed. Applying it again changes nothing."""
        if row["kind"] == "session":
            self.sessions[row["sid"]] = max(row["until"], self.sessions.get(row["sid"], 0))
            return
        user = self.users.setdefault(row["user_id"], RevokedUser())
        user.until = max(user.until, row["until"])
        if row["kind"] == "revoked":
            user.revoked_below = max(user.revoked_below, row["version"])
        elif row["version"] > user.changed_below:
            user.changed_below = row["version"]
            user.fresh = None

    def apply_own(self, row: Row) -> None:
        """Remember a row that this process has written, though earlier ones may not be read yet.

        New tokens get the user's new version, so revocations below it are recorded as well: a
        token with that version would survive them.
        """
        self.apply(row)
        if row["revoked_below"] is not None:
            self.apply({**row, "kind": "revoked", "version": row["revoked_below"]})

    def require_good(self, claims: Claims, state: State) -> RevokedUser | None:
        """Check that a token is not revoked. Return its user if the name or roles are outdated.

        Raises TokenRevoked, TokenExpired.
        """
        if claims["exp"] <= state.pruned_until:
            raise errors.TokenExpired  # regardless of our clock: its revocation may be pruned
        if claims["sid"] in self.sessions:
            raise errors.TokenRevoked
        began = claims["auth_time"] if "auth_time" in claims else claims["iat"]
        if began < state.not_before:
            raise errors.TokenRevoked
        user = self.users.get(claims["id"])
        if user is None:
            return None
        if claims["ver"] < user.revoked_below:
            raise errors.TokenRevoked
        return user if claims["ver"] < user.changed_below else None

    def versions(self) -> dict[int, int]:
        """Return the version below which the tokens of each user are revoked."""
        return {key: user.revoked_below for key, user in self.users.items()}

    def learn_again(self, before: Mapping[int, int], current: "Revoked") -> None:
        """Replace the users by `current`, but keep what this process has revoked since `before`.

        `current` has all users: a restored database reuses the numbers of lost rows, so rows in
        memory may be wrong. Tokens of other users are refused, since all sessions have ended.
        Sessions are added while the rows are read.
        """
        for key, revoked_below in before.items():
            user = self.users.get(key)
            if user is not None and user.revoked_below == revoked_below:
                del self.users[key]
        for key, user in current.users.items():
            mine = self.users.setdefault(key, user)
            mine.revoked_below = max(mine.revoked_below, user.revoked_below)
            mine.changed_below = max(mine.changed_below, user.changed_below)
            mine.until = max(mine.until, user.until)

    def forget(self, state: State) -> None:
        """Remove what the database has pruned."""
        is_dead = state.is_dead
        self.sessions = {sid: until for sid, until in self.sessions.items() if not is_dead(until)}
        self.users = {key: user for key, user in self.users.items() if not is_dead(user.until)}
