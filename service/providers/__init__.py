"""Identity providers: CAS and OpenID Connect, linked accounts, and provider sessions."""
