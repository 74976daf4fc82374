"""The OpenAPI document is held against the routes, the records and the answers."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import datetime, timezone

import jsonschema
import pytest
from openapi_spec_validator import validate

from jupyter_storage import records
from jupyter_storage.server.app import BASE, ROUTES
from jupyter_storage.server.document import document, request_validator
from jupyter_storage.server.emitter import SCHEMAS, _data

VERBS = {"get", "head", "post", "put", "patch", "delete"}
RECORDS = {
    "Tier": records.TierRecord,
    "Entry": records.Entry,
    "Preview": records.Preview,
    "Column": records.Column,
    "PreviewCell": records.PreviewCell,
    "Finding": records.Finding,
    "Failure": records.Failure,
    "Plan": records.Plan,
    "Transfer": records.TransferRecord,
    "Advice": records.Advice,
    "Usage": records.UsageReport,
    "RemovalPlan": records.RemovalPlan,
    "TrashItem": records.TrashRecord,
    "Storage": records.StorageRecord,
    "ApplyStep": records.ApplyStep,
    "ApplyPlan": records.ApplyPlan,
    "Mount": records.MountRecord,
    "Upload": records.UploadRecord,
    "InTheWay": records.InTheWay,
    "Snapshot": records.SnapshotRecord,
    "SnapshotStatus": records.SnapshotStatus,
    "FileVersion": records.FileVersion,
    "RestorePlan": records.RestorePlan,
    "Difference": records.Difference,
    "Comparison": records.Comparison,
    "CellDifference": records.CellDifference,
    "CellRestored": records.CellRestored,
    "FileComparison": records.FileComparison,
    "Experiment": records.ExperimentRecord,
    "Experiments": records.ExperimentPage,
    "Trial": records.TrialRecord,
    "Trials": records.TrialPage,
    "TrialDetails": records.TrialDetails,
    "Checkpoint": records.CheckpointRecord,
    "Curve": records.Curve,
}


def fields(record):
    return {field.name for field in dataclasses.fields(record)}


def test_the_document_is_valid_openapi():
    validate(document())


def test_every_route_and_verb_is_in_the_document_and_no_other():
    def shape(path):
        return re.sub(r"\([^/]*\)|\{[^}]*\}", "*", path)

    told = {
        (shape(path.lstrip("/")), verb)
        for path, item in document()["paths"].items()
        for verb in VERBS & set(item)
    }
    routes = {
        (shape(pattern.removeprefix(BASE).replace("(?:/(.*))?", "/*").replace("\\", "")), verb)
        for pattern, handler in ROUTES
        for verb in VERBS & set(vars(handler))
    }
    routes = {(shape(path.replace("([^/]+)", "*")), verb) for path, verb in routes}
    assert told == routes


@pytest.mark.parametrize("name", RECORDS)
def test_a_schema_has_the_members_of_its_record(name):
    assert set(document()["components"]["schemas"][name]["properties"]) == fields(RECORDS[name])


def test_a_request_is_checked_against_its_schema():
    transfers = request_validator("TransferRequest")
    copy = {"operation": "copy", "sources": ["shared:a"], "destination": "local:"}
    assert transfers.is_valid(copy)
    assert transfers.is_valid({"operation": "delete", "sources": ["shared:a"]})
    for change in (
        {"operation": "explode"},
        {"operation": "delete"},
        {"sources": []},
        {"sources": "shared:a"},
        {"sources": ["s3://bucket/a"], "destination": "/etc"},
        {"destination": None},
        {"conflict": "ask"},
        {"dry_run": "yes"},
        {"endpoint_url": "http://169.254.169.254"},
    ):
        assert not transfers.is_valid({**copy, **change}), change


async def test_the_document_is_served_with_the_base_url(api, jp_base_url):
    served = json.loads((await api("GET", "openapi.json")).body)
    assert served["servers"] == [{"url": f"{jp_base_url}jupyter-storage/api/v1"}]
    assert served["paths"] == document()["paths"]


async def test_answers_are_as_the_document_says(api, tier):
    (tier / "d").mkdir()
    (tier / "a.txt").write_text("a")
    for path, schema in {
        "tiers": "Tiers",
        "tiers/shared": "Tier",
        "files/shared": "Listing",
        "files/shared/a.txt?as=entry": "Entry",
        "previews/shared/a.txt": "Preview",
        "uploads": "Uploads",
        "transfers": "Transfers",
        "trash": "Trash",
        "usage/shared": "Usage",
        "storages": "Storages",
        "mounts": "Mounts",
        "tiers/none": "Error",
    }.items():
        body = json.loads((await api("GET", path)).body)
        request_validator(schema).validate(body)
        assert set(body) == set(document()["components"]["schemas"][schema]["properties"])


def test_event_schemas_take_their_records(extension, jp_serverapp):
    moment = datetime(2026, 1, 2, tzinfo=timezone.utc)
    failure = records.Failure("shared:a", "NotFound", "gone")
    snapshot = records.SnapshotRecord("ab", "a", moment, "host", "me", ("/p",))
    for kind, record in {
        "transfer": records.TransferRecord(
            "1", "copy", ("shared:a",), "local:", "partial", failures=(failure,) * 1000
        ),
        "change": records.Change("shared", "a/b"),
        "snapshot": records.SnapshotStatus("ok", "w", "/p", "s3://b", snapshot),
    }.items():
        schema = jp_serverapp.event_logger.schemas.get(SCHEMAS[kind])
        data = _data(record)
        jsonschema.validate(data, schema._schema)
        assert set(schema.properties) == fields(type(record))
        assert len(data.get("failures", ())) <= 20


def test_no_description_is_cut_at_a_comma():
    """In YAML's short form, what follows a comma is another word, with nothing in it."""

    def empty(part, path):
        if isinstance(part, dict):
            for word, each in part.items():
                if each is None:
                    yield f"{path}/{word}"
                yield from empty(each, f"{path}/{word}")
        elif isinstance(part, list):
            for number, each in enumerate(part):
                yield from empty(each, f"{path}/{number}")

    assert list(empty(document(), "")) == []
