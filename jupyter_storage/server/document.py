"""The OpenAPI document: what the API is, and what request bodies are checked against."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

__all__ = ["document", "request_validator"]


@cache
def document() -> dict[str, Any]:
    """Load the OpenAPI document."""
    text = (Path(__file__).parent / "openapi.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
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
