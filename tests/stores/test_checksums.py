"""Checksums from one end to the other: what is known, what is sent, what is compared."""

from __future__ import annotations

import base64
import hashlib
import random
import zlib

import pytest
from recorder import recorded

from jupyter_storage.errors import ChecksumMismatch
from jupyter_storage.stores.checksums import Checksum, combined
from jupyter_storage.stores.s3 import S3Store
from jupyter_storage.stores.s3_checksums import checksums_of

MEGABYTE = 2**20
LARGE = random.Random(5).randbytes(17 * MEGABYTE + 5)


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("crc32", zlib.crc32(b"123456789").to_bytes(4, "big")),
        # The check values of the catalogue of CRCs.
        ("crc32c", bytes.fromhex("e3069283")),
        ("crc64nvme", bytes.fromhex("ae8b14860a799888")),
        ("sha256", hashlib.sha256(b"123456789").digest()),
        ("md5", hashlib.md5(b"123456789").digest()),
    ],
)
def test_checksums_are_those_of_the_standards(algorithm, expected):
    assert Checksum.of(algorithm, b"123456789").value == expected
    assert Checksum(algorithm, expected).matches([b"123", b"", memoryview(b"456789")])
    assert not Checksum(algorithm, expected).matches([b"123456780"])


@pytest.mark.parametrize("algorithm", ["crc32", "crc32c", "crc64nvme"])
def test_those_of_ranges_give_that_of_the_whole(algorithm):
    data = LARGE[:1000]
    ranges = {}
    for start, end in ((700, 1000), (0, 1), (1, 700)):
        ranges[start] = (Checksum.of(algorithm, data[start:end]).value, end - start)
    assert combined(algorithm, ranges) == Checksum.of(algorithm, data).value


def test_what_cannot_be_a_checksum_is_none():
    assert Checksum.known("crc64nvme", b"1234") is None
    assert Checksum.known("unheard-of", b"1234") is None
    assert Checksum.parse("md5:xyz") is None
    assert Checksum.parse(None) is None


def answer(**fields):
    return {"ETag": f'"{"0" * 32}-3"', "ContentLength": 25, "Metadata": {}, **fields}


def test_a_checksum_of_the_whole_is_preferred_to_one_of_parts():
    crc = base64.b64encode(b"12345678").decode()
    known = checksums_of(answer(ChecksumCRC64NVME=crc, ChecksumType="FULL_OBJECT"), "bucket")
    assert [str(checksum) for checksum in known] == ["crc64nvme:" + b"12345678".hex()]


def test_one_of_parts_is_of_use_where_their_size_is_known():
    composite = base64.b64encode(bytes(32)).decode() + "-3"
    found = answer(ChecksumSHA256=composite, ChecksumType="COMPOSITE")
    assert checksums_of(found, "bucket") == []
    assert {it.algorithm for it in checksums_of(found, "bucket", lambda: 10)} == {"sha256", "md5"}
    assert checksums_of({**found, "Metadata": {"part-size": "10"}}, "bucket")[0].part == 10
    # Three parts of 5 are not 25 bytes: the object was put together in another way.
    assert checksums_of(found, "bucket", lambda: 5) == []
    assert checksums_of({**found, "ServerSideEncryption": "aws:kms"}, "bucket", lambda: 10)


def test_a_file_in_parts_has_a_checksum_where_the_service_keeps_none(s3_bucket):
    store = S3Store(s3_bucket)
    store.write("big", LARGE)
    known = store.checksums("big")
    assert known
    assert known[0].matches([LARGE])
    store.close()


def test_the_crc_of_the_whole_is_kept_where_the_service_can(moto_bucket, moto_endpoint):
    with recorded(moto_endpoint) as (endpoint, seen):
        store = S3Store(moto_bucket, "", {"endpoint_url": endpoint})
        store.write("big", LARGE)
        first = store.checksums("big")[0]
        assert (first.algorithm, first.part) == ("crc32c", None)
        assert first.matches([LARGE])
        parts = [request for request in seen if "partNumber" in request.query]
        for request in parts:
            crc = Checksum.of("crc32c", request.body).value
            assert base64.b64decode(request.headers["x-amz-checksum-crc32c"]) == crc
        assert len(parts) == 3
        completion = next(request for request in seen if request.body.startswith(b"<Complete"))
        assert base64.b64decode(completion.headers["x-amz-checksum-crc32c"]) == first.value
        store.close()


@pytest.mark.parametrize("status", ["400", "501"])
def test_a_service_that_refuses_checksums_gets_none(moto_bucket, moto_endpoint, status):
    def fault(request):
        return status if "x-amz-checksum-algorithm" in request.headers else None

    with recorded(moto_endpoint, fault=fault) as (endpoint, seen):
        store = S3Store(moto_bucket, "", {"endpoint_url": endpoint})
        refused = []
        for key in ("big", "bigger"):
            store.write(key, LARGE)
            asking = [each for each in seen if "x-amz-checksum-algorithm" in each.headers]
            refused.append(len(asking))
        assert store.read("bigger") == LARGE
        # What is refused, botocore asks once more; for the next file nobody does.
        assert refused == [2, 2]
        store.close()


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.read("big"),
        lambda store: store.fill("big", len(LARGE), lambda *_: None, progress=lambda _: None),
    ],
    ids=["in order", "in any order"],
)
def test_wrong_bytes_of_a_file_in_parts_are_noticed(moto_bucket, moto_endpoint, ask):
    def fault(request):
        return "wrong" if armed and request.method == "GET" and request.query == "" else None

    armed = False
    with recorded(moto_endpoint, fault=fault) as (endpoint, _):
        store = S3Store(moto_bucket, "", {"endpoint_url": endpoint})
        store.write("big", LARGE)
        assert store.read("big") == LARGE
        armed = True
        with pytest.raises(ChecksumMismatch) as caught:
            ask(store)
        assert caught.value.path == "big"
        store.close()


def test_an_upload_that_is_gone_on_with_keeps_its_checksum(moto_bucket):
    store = S3Store(moto_bucket)
    writer = store.create("big", size=len(LARGE))
    writer.write(LARGE[: 9 * MEGABYTE])
    writer.suspend()
    resumed = store.resume("big", writer.token, size=len(LARGE))
    assert resumed is not None
    with resumed:
        resumed.write(LARGE)
        resumed.commit()
    first = store.checksums("big")[0]
    assert (first.algorithm, first.part) == ("crc32c", None)
    assert first.matches([LARGE])
    store.close()
