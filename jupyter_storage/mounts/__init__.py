"""Object storage as directories of this machine."""
