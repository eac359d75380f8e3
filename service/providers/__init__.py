"""Identity providers: CAS and OpenID Connect, the accounts there, and the sessions they began."""
