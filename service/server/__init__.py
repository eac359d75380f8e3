"""The running server: processes, sockets, connections, and where a request ends on one."""
