"""JSON Web Tokens: issue, verify, lifetimes; and encrypted values for browsers."""
