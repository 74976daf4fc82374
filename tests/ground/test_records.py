from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import jupyter_storage.records
from jupyter_storage.records import ConflictPolicy, Entry, Page, to_wire


def test_every_record_is_found_where_it_is_said_to_be():
    for name in jupyter_storage.records.__all__:
        assert (
            getattr(jupyter_storage.records, name).__module__.startswith("jupyter_storage.records.")
            or name == "TransferState"
        )


def test_records_become_json_with_times_in_utc():
    time = datetime(2026, 11, 21, 3, 0, tzinfo=timezone(timedelta(hours=2)))
    page = Page((Entry("a/b", "b", "file", 3, time, "md5:00"),), "next")
    assert json.loads(json.dumps(to_wire(page))) == {
        "entries": [
            {
                "path": "a/b",
                "name": "b",
                "type": "file",
                "size": 3,
                "modified": "2026-11-21T01:00:00Z",
                "checksum": "md5:00",
                "link": None,
            }
        ],
        "cursor": "next",
    }


def test_enumerations_become_their_values():
    assert to_wire({"conflict": ConflictPolicy.SKIP, "list": [(1, None)]}) == {
        "conflict": "skip",
        "list": [[1, None]],
    }
