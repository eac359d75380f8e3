"""The operating system: clocks, files and their owners, file descriptors."""
