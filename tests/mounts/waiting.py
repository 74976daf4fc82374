from __future__ import annotations

import time


def eventually(check, seconds=10.0):
    """Wait until something holds; used where a process of its own has to act."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := check():
                return found
        except OSError:
            pass
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)
