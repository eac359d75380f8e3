-- Links to set a password or passkey without a sign-in: claim, invite, reset, and open invitations.
-- `hash` is the SHA-256 of the secret in the link. `user_id` is the user of an invite or a reset, NULL
-- for links that create a user; `created_by` is the manager who made the link, NULL for commands.
-- A link is valid before `expires_at`, in seconds since 1970 by the database's clock, while `used` is
-- less than `uses`.

CREATE TABLE links (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash TEXT NOT NULL UNIQUE,
    purpose TEXT NOT NULL CHECK (purpose IN ('claim', 'invite', 'reset', 'open')),
    user_id INTEGER REFERENCES users (id) ON DELETE CASCADE,
    created_by INTEGER REFERENCES users (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    uses INTEGER NOT NULL,
    used INTEGER NOT NULL
);

CREATE INDEX links_by_user ON links (user_id);

CREATE INDEX links_by_created_by ON links (created_by);

CREATE INDEX links_by_expires_at ON links (expires_at);

-- The roles that an open invitation grants.

CREATE TABLE link_roles (
    link_id INTEGER NOT NULL REFERENCES links (id) ON DELETE CASCADE,
    role_id INTEGER NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    PRIMARY KEY (link_id, role_id)
);

CREATE INDEX link_roles_by_role ON link_roles (role_id);
