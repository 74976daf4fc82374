from __future__ import annotations

import os
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_storage.errors import InvalidPath
from jupyter_storage.paths import (
    TEMPORARY_PREFIX,
    clean_key,
    contained,
    is_below,
    join,
    parse,
    split_uri,
)

TIERS = frozenset({"shared", "artifacts", "my-data"})


@pytest.mark.parametrize(
    "key",
    [
        "..",
        "../a",
        "a/../b",
        "a/..",
        ".",
        "a/./b",
        "a//b",
        "a\0b",
        f"a/{TEMPORARY_PREFIX}1",
        "x" * 5000,
    ],
)
def test_a_key_that_could_leave_its_tier_is_refused(key):
    with pytest.raises(InvalidPath) as caught:
        clean_key(key)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("key", "clean"),
    [
        ("", ""),
        ("/", ""),
        ("/a/b/", "a/b"),
        ("..a", "..a"),
        ("a..b/...", "a..b/..."),
        ("%2e%2e/%2F", "%2e%2e/%2F"),
        ("a\\..\\b", "a\\..\\b"),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("日本語/ü b", "日本語/ü b"),
    ],
)
def test_an_odd_key_stays_as_it_is(key, clean):
    assert clean_key(key) == clean


@given(st.text(alphabet=string.printable + "äß\0/..", max_size=40))
def test_a_clean_key_stays_below_any_root(key):
    try:
        clean = clean_key(key)
    except InvalidPath:
        return
    assert clean_key(clean) == clean
    placed = os.path.normpath(f"/root/tier/{clean}")
    assert placed == "/root/tier" or placed.startswith("/root/tier/")


def test_a_directory_holds_whole_parts_only():
    assert is_below("a/b", "a")
    assert is_below("a", "a")
    assert is_below("anything", "")
    assert not is_below("a.bak", "a")
    assert not is_below("ab/c", "a")


def test_joining_leaves_no_trace_of_roots():
    assert join("", "a", "", "b") == "a/b"
    assert join("", "") == ""


def test_a_link_on_the_way_may_not_lead_out(tmp_path):
    root = (tmp_path / "tier").resolve()
    (root / "inner").mkdir(parents=True)
    outside = tmp_path / "tier-secret"
    outside.mkdir()
    (root / "out").symlink_to(outside)
    (root / "in").symlink_to(root / "inner")
    assert contained(root, "in/file") == root / "inner" / "file"
    assert contained(root, "out") == root / "out"  # the link itself may be handled
    with pytest.raises(InvalidPath, match="leads out"):
        contained(root, "out/file")


@pytest.mark.parametrize(
    ("text", "root", "tier", "key"),
    [
        ("shared:a/b", "shared:", "shared", "a/b"),
        ("shared:", "shared:", "shared", ""),
        ("shared:/a/", "shared:", "shared", "a"),
        ("my-data:x", "my-data:", "my-data", "x"),
        ("s3://bucket/a b", "s3://bucket", None, "a b"),
        ("gcs://bucket/k", "gs://bucket", None, "k"),
        ("file:///tmp/x%20y", "file://", None, "tmp/x y"),
        ("/tmp/a", "file://", None, "tmp/a"),
        ("./shared:a", "file://", None, "work/shared:a"),
        ("../x", "file://", None, "x"),
    ],
)
def test_paths_are_read_as_people_write_them(text, root, tier, key):
    address = parse(text, tiers=TIERS, cwd=Path("/work"))
    assert (address.root, address.tier, address.key) == (root, tier, key)


def test_home_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    assert str(parse("~/x", tiers=TIERS)) == "/home/ada/x"


def test_an_unknown_tier_names_the_ones_that_exist(tmp_path):
    with pytest.raises(InvalidPath) as caught:
        parse("sharde:x", tiers=TIERS, cwd=tmp_path)
    assert "sharde" in str(caught.value)
    assert "artifacts, my-data, shared" in caught.value.hint


def test_a_local_file_with_a_colon_is_found_where_no_tier_has_the_name(tmp_path):
    (tmp_path / "run:1").write_text("")
    assert parse("run:1", tiers=TIERS, cwd=tmp_path).tier is None


@pytest.mark.parametrize("text", ["", "s3://", "s3:///key", "file://relative", "shared:../../etc"])
def test_what_cannot_be_understood_is_refused(text):
    with pytest.raises(InvalidPath):
        parse(text, tiers=TIERS)


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("s3://b/a/", ("s3", "b", "a")),
        ("S3A://b", ("s3", "b", "")),
        ("gcs://b/x", ("gs", "b", "x")),
        ("file:///a/b", ("file", "", "a/b")),
        ("memory://b/x y", ("memory", "b", "x y")),
    ],
)
def test_uris_split_into_scheme_bucket_and_key(uri, parts):
    assert split_uri(uri) == parts
