"""Records on their way out: as JSON, with nothing secret in what they say about errors."""

from __future__ import annotations

import json
from typing import Any

from jupyter_storage.errors import StorageError
from jupyter_storage.records import to_wire
from jupyter_storage.redact import redact

__all__ = ["describe_error", "encode", "to_public"]

# Texts that may quote a library's words. Paths are not among them: a file may be called
# 'token=1.txt', and must keep its name.
_TEXTS = frozenset({"message", "hint", "reason", "error"})


def to_public(value: Any) -> Any:
    """Turn records into what ``json.dumps`` takes, texts about errors redacted."""
    return _scrub(to_wire(value))


def encode(value: Any) -> bytes:
    """Write records as JSON."""
    return json.dumps(to_public(value), separators=(",", ":")).encode()


def describe_error(error: StorageError) -> dict[str, str | None]:
    """Body of a response that carries an error."""
    return {
        "kind": error.kind,
        "message": redact(error.message),
        "hint": redact(error.hint),
        "path": redact(error.path) if error.path else None,
    }


def _scrub(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: redact(item) if name in _TEXTS and isinstance(item, str) else _scrub(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_scrub(item) for item in value]
    return value
