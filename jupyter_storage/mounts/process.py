"""The process that serves one mount: ``python -m jupyter_storage.mounts.process DIRECTORY``."""

from __future__ import annotations

import json
import logging
import os
import sys
from ctypes.util import find_library
from pathlib import Path

from jupyter_storage.errors import StorageError
from jupyter_storage.mounts.cache import cache_directory
from jupyter_storage.mounts.programs import PROGRAMS
from jupyter_storage.mounts.requests import FAILED, Request
from jupyter_storage.mounts.table import detach, is_mounted
from jupyter_storage.redact import RedactingFilter, redact
from jupyter_storage.stores.opening import open_store
from jupyter_storage.stores.retrying import RetryingStore
from jupyter_storage.stores.store import Store

__all__ = ["main"]

_FUSE3 = "fuse3"


def main(directory: Path) -> int:
    """Mount what the request in a directory says, and serve it until it is unmounted."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(RedactingFilter())
    request = Request.read(directory)
    try:
        store = RetryingStore(open_store(request.uri, request.options))
        store.check()
    except StorageError as error:
        fields = {"kind": error.kind, "message": redact(error.message), "hint": redact(error.hint)}
        (directory / FAILED).write_text(json.dumps(fields), "utf-8")
        return 1
    if is_mounted(request.target):
        # What is left of the one before. It stays until now, because what is written while nothing
        # is mounted would land in the directory below, and be hidden.
        detach(request.target, lazily=True)
    if request.mounter in PROGRAMS:
        store.close()
        start = PROGRAMS[request.mounter].start(request, directory)
        # It takes the place of this process: whoever looks after it sees no difference.
        os.execvpe(start.arguments[0], start.arguments, dict(start.environment))  # noqa: S606
    return _serve(request, store, directory)


def _serve(request: Request, store: Store, directory: Path) -> int:
    if find_library(_FUSE3):
        os.environ.setdefault("FUSE_LIBRARY_NAME", _FUSE3)
    # The library is loaded with the module, and is not there on every machine.
    from jupyter_storage.mounts.cached import CachedOperations
    from jupyter_storage.mounts.kernel import Kernel
    from jupyter_storage.mounts.operations import StoreOperations

    if request.cached and not request.read_only:
        place = cache_directory(directory, request.uri)
        operations: StoreOperations = CachedOperations(store, place)
    else:
        operations = StoreOperations(store, read_only=request.read_only)
    options: dict[str, object] = {
        "foreground": True,
        "fsname": request.uri.replace(",", "_"),
        "subtype": "jupyter_storage",
        "ro": request.read_only,
        # Each opening is to see what is there now.
        "attr_timeout": 0,
        "entry_timeout": 0,
        "negative_timeout": 0,
    }
    if os.getuid() == 0:
        options["allow_other"] = True
    # Who answers the kernel is not to wait for who fetches what comes next.
    sys.setswitchinterval(0.0005)
    Kernel(operations, request.target, **options)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
