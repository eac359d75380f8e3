"""JSON Web Tokens: issued, verified, encrypted for a browser, and how long they live."""
