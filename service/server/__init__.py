"""The running server: processes, sockets, connections and request framing."""
