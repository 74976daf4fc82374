"""The OpenAPI document: what the API is, and what request bodies are checked against."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import fastjsonschema
import yaml
from jsonschema import Draft202012Validator

__all__ = ["document", "is_clearly_valid", "request_validator"]

# In C where PyYAML was built with it: the other one needs half a second.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def document() -> dict[str, Any]:
    """Load the OpenAPI document."""
    text = (Path(__file__).parent / "openapi.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.load(text, _Loader)  # noqa: S506  both are safe ones
    return loaded


@cache
def request_validator(schema: str) -> Draft202012Validator:
    """Make a validator for one of the document's schemas.

    Parameters
    ----------
    schema : str
        Its name under ``components/schemas``.
    """
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{schema}", "components": document()["components"]}
    )


def is_clearly_valid(value: object, schema: str) -> bool:
    """Whether a request's body fits one of the document's schemas, found out quickly.

    Lists of thousands of files cost :func:`request_validator` ten times as much, all of it with
    the interpreter's lock. What is refused here may still be valid, and a refusal says less.

    Parameters
    ----------
    value : object
        The body, decoded.
    schema : str
        Its name under ``components/schemas``.
    """
    try:
        _compiled(schema)(value)
    except fastjsonschema.JsonSchemaValueException:
        return False
    return True


@cache
def _compiled(schema: str) -> Callable[[object], object]:
    compiled: Callable[[object], object] = fastjsonschema.compile(
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "$ref": f"#/components/schemas/{schema}",
            "components": _as_draft_7(document()["components"]),
        },
        use_default=False,
    )
    return compiled


def _as_draft_7(part: Any) -> Any:
    """Write a part of the document in the words of the last draft that the compiler knows."""
    if isinstance(part, dict):
        return {
            "dependencies" if word == "dependentRequired" else word: _as_draft_7(each)
            for word, each in part.items()
        }
    return [_as_draft_7(each) for each in part] if isinstance(part, list) else part
