"""Forward authentication: the original request, and the headers that a proxy passes on."""
