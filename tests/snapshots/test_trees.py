"""Names, times, modes and trees, as restic spells them."""

import json
import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_storage.errors import ChecksumMismatch
from jupyter_storage.snapshots.capture import capture
from jupyter_storage.snapshots.nodes import describe
from jupyter_storage.snapshots.repository.names import quote, unquote
from jupyter_storage.snapshots.repository.polynomial import is_irreducible, random_polynomial
from jupyter_storage.snapshots.repository.times import from_text, to_text
from jupyter_storage.snapshots.repository.tree import (
    decode_node,
    decode_tree,
    encode_tree,
    from_go_mode,
    link_target,
    node_name,
    spelled_nodes,
    to_go_mode,
)

NAMES = st.binary(min_size=1, max_size=40).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in {b".", b".."}
)


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        (b"plain.txt", "plain.txt"),
        (b'a"b\\c', r"a\"b\\c"),
        (b"new\nline\ttab", r"new\nline\ttab"),
        (b"\x01\x7f", r"\x01\x7f"),
        (b"bad\xff\xc3", r"bad\xff\xc3"),
        ("ü😀".encode(), "ü😀"),
        ("\u200b\u2028\u00a0".encode(), r"\u200b\u2028\u00a0"),
        ("\U000e0001".encode(), r"\U000e0001"),
        (b"it's <img>", "it's <img>"),
    ],
)
def test_names_are_quoted_as_go_does(name, quoted):
    assert quote(os.fsdecode(name)) == quoted
    assert unquote(quoted) == os.fsdecode(name)


@given(NAMES)
def test_any_name_survives_quoting(name):
    text = quote(os.fsdecode(name))
    assert text.isprintable()
    assert os.fsencode(unquote(text)) == name


def test_escapes_that_only_others_write_are_read():
    assert unquote(r"\a\b\f\v\'\101\u00e4") == "\a\b\f\v'Aä"
    with pytest.raises(ValueError, match="no quoted name"):
        unquote("bad\\")


@given(st.integers(-62135596800 * 10**9, 253402300799 * 10**9))
def test_times_survive(nanoseconds):
    assert from_text(to_text(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00.5+01:00", 500_000_000),
        ("1969-12-31T18:30:00.000000001-05:30", 1),
        ("2026-11-21T02:47:51.950185358Z", 1795229271950185358),
    ],
)
def test_times_with_offsets_are_read(text, nanoseconds):
    assert from_text(text) == nanoseconds


@pytest.mark.parametrize(
    ("mode", "go"),
    [
        (stat.S_IFREG | 0o644, 0o644),
        (stat.S_IFDIR | 0o755, 0x800001ED),
        (stat.S_IFLNK | 0o777, 0x80001FF),
        (stat.S_IFIFO | 0o600, 0x2000180),
        (stat.S_IFREG | stat.S_ISUID | 0o755, 0x8001ED),
        (stat.S_IFDIR | stat.S_ISVTX | 0o777, 0x801001FF),
    ],
)
def test_modes_are_those_of_go(mode, go):
    assert to_go_mode(mode) == go


@given(st.integers(0, 0o7777))
def test_permissions_survive(permissions):
    assert from_go_mode(to_go_mode(stat.S_IFREG | permissions)) == permissions


@given(st.sets(NAMES, max_size=20))
def test_trees_survive_and_are_sorted_by_bytes(names):
    nodes = [{"name": quote(os.fsdecode(n)), "type": "file", "content": []} for n in names]
    back = decode_tree(encode_tree(nodes))
    assert [os.fsencode(node_name(node)) for node in back] == sorted(names)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"nodes":[{}]}', b'{"nodes":[1]}'])
def test_what_is_no_tree_is_refused(text):
    with pytest.raises(ChecksumMismatch):
        decode_tree(text)


def test_targets_that_are_not_utf8_survive(tmp_path):
    """restic notes them since 0.16, beside a text in which each bad byte is replaced."""
    target = os.fsdecode(b"to\xff\xfe<")
    (tmp_path / "link").symlink_to(target)
    node = describe(str(tmp_path / "link"), "link", (tmp_path / "link").lstat())
    text = encode_tree([node])
    assert rb'"linktarget":"to\ufffd\ufffd\u003c","linktarget_raw":"dG///jw="' in text
    (back,) = decode_tree(text)
    assert link_target(back) == target
    assert encode_tree([back]) == text


def test_polynomials_are_irreducible():
    assert is_irreducible(0x3DA3358B4DC173)  # the one in restic's own tests
    assert not is_irreducible(0x3DA3358B4DC171)
    assert not is_irreducible(1 << 53)
    assert is_irreducible(random_polynomial())


def test_trees_of_restic_are_written_byte_for_byte(project, open_repository, restic):
    hostile = [b"plain", b"<img src=x onerror=alert(1)>&", b'q"\\', b"bad\xff\xfe", b"nl\n"]
    hostile += ["ü😀\u202e\u200b\u2028".encode(), b"\x01\x7f'"]
    for name in hostile:
        (project / os.fsdecode(name)).write_bytes(name)
    (project / "link").symlink_to("to<&>\n\u2028")
    (project / "directory").mkdir()
    (project / "empty").touch()
    os.link(project / "plain", project / "hard")
    open_repository()
    restic("backup", project)
    repository = open_repository()
    repository.refresh()
    (snapshot,) = repository.snapshots()
    identifier, seen = snapshot.tree, 0
    while identifier:
        plain = repository.load_blob("tree", identifier)
        nodes = decode_tree(plain)
        assert encode_tree(nodes) == plain
        seen += len(nodes)
        below = [node["subtree"] for node in nodes if node["type"] == "dir"]
        identifier = below[0] if below else None
    assert seen > 10


def test_fields_come_in_the_order_of_restic(project, open_repository, restic):
    (project / "file").write_bytes(b"x")
    os.link(project / "file", project / "hard")
    open_repository()
    restic("backup", project)
    repository = open_repository()
    repository.refresh()
    theirs = restic("cat", "snapshot", repository.snapshots()[0].id)
    identifier = json.loads(theirs)["tree"]
    while True:
        nodes = decode_tree(repository.load_blob("tree", identifier))
        if nodes[0]["type"] != "dir":
            break
        identifier = nodes[0]["subtree"]
    status = (project / "file").lstat()
    ours = describe(str(project / "file"), "file", status)
    ours["content"] = nodes[0]["content"]
    assert json.dumps(ours | {"atime": ""}) == json.dumps(
        {
            **nodes[0],
            "mtime": to_text(from_text(nodes[0]["mtime"])),
            "ctime": to_text(from_text(nodes[0]["ctime"])),
            "atime": "",
        }
    )


@pytest.mark.slow
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sets(NAMES, min_size=1, max_size=30))
def test_restic_restores_any_name(tmp_path_factory, make_restic, names):
    from oracle import tree_of

    from jupyter_storage.snapshots.repository import Repository
    from jupyter_storage.stores.local import LocalStore

    base = tmp_path_factory.mktemp("names")
    (base / "project").mkdir()
    for name in names:
        (base / "project" / os.fsdecode(name)).write_bytes(name)
    repository = Repository.create(LocalStore(base / "repository"), "correct horse")
    capture(repository, base / "project")
    repository.close()
    restic = make_restic(base / "repository")
    restic("restore", "latest", "--target", base / "out")
    out = base / "out" / (base / "project").relative_to("/")
    assert tree_of(out) == tree_of(base / "project")
    restic.check()


@given(st.lists(NAMES, max_size=8, unique=True), st.booleans())
def test_a_tree_that_is_taken_apart_and_put_together_is_the_same(names, attributes):
    nodes = [
        {"name": quote(os.fsdecode(name)), "type": "file", "inode": 7, "content": ["ab"]}
        for name in names
    ]
    if attributes and nodes:
        found = [{"name": "user.a", "value": "eA=="}, {"name": "user.b", "value": "eQ=="}]
        nodes[0]["extended_attributes"] = found
    content = encode_tree(nodes)
    apart = spelled_nodes(content)
    assert [decode_node(text) for text in apart.values()] == decode_tree(content)
    assert set(apart) == {os.fsdecode(name) for name in names}
    assert encode_tree([], apart.items()) == content


def test_a_broken_tree_cannot_be_taken_apart():
    for content in (b"", b'{"nodes":[{"name":"a', b'{"nodes":[{"name":x}]}\n', b"\xff"):
        with pytest.raises(ChecksumMismatch):
            spelled_nodes(content)
