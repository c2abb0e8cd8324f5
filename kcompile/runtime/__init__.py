"""Object cache, loader, and the thread team that runs command lists."""
