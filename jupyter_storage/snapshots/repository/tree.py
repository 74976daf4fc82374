"""Trees: what a directory holds, as JSON that restic reads.

A node is the JSON object itself, a dictionary with the fields of restic's ``Node`` in its order:
nodes that did not change go from one tree into the next untouched, and trees are equal where
their nodes are. Source: restic's ``internal/restic/node.go`` and ``tree.go``.
"""

from __future__ import annotations

import base64
import json
import re
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypedDict

from jupyter_storage.errors import ChecksumMismatch
from jupyter_storage.snapshots.repository.names import raw, unquote

__all__ = [
    "Attribute",
    "Line",
    "Node",
    "decode_node",
    "decode_tree",
    "encode_tree",
    "find",
    "from_go_mode",
    "link_target",
    "node_name",
    "spelled_nodes",
    "to_go_json",
    "to_go_mode",
]


class Attribute(TypedDict):
    """An extended attribute; its value in base64."""

    name: str
    value: str


class Node(TypedDict, total=False):
    """One entry of a tree; see the module for where the fields come from.

    ``name`` is quoted. ``mode`` is Go's. Times are RFC 3339. ``content`` lists the IDs of a
    file's blobs, and is null for anything that is no file.
    """

    name: str
    type: str
    mode: int
    mtime: str
    atime: str
    ctime: str
    uid: int
    gid: int
    user: str
    group: str
    inode: int
    device_id: int
    size: int
    links: int
    linktarget: str
    linktarget_raw: str
    extended_attributes: list[Attribute]
    device: int
    content: list[str] | None
    subtree: str


Line = tuple[str, str]
"""A node that is spelled out: its name as the file system has it, and its JSON."""

# Go's os.FileMode, https://pkg.go.dev/io/fs#FileMode
_TYPES = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
    stat.S_IFREG: 0,
}
_BITS = ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20))

_STRING = json.JSONDecoder().raw_decode
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_NOT_UTF8 = re.compile("[\ud800-\udfff]")

_BEGIN, _BETWEEN, _END = '{"nodes":[{"name":', '},{"name":', "}]}\n"
_ATTRIBUTES = '"extended_attributes":'

_HTML = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


@lru_cache(1024)
def to_go_mode(mode: int) -> int:
    """Turn ``st_mode`` into Go's FileMode."""
    bits = sum(go for unix, go in _BITS if mode & unix)
    return mode & 0o777 | _TYPES.get(stat.S_IFMT(mode), 0) | bits


@lru_cache(1024)
def from_go_mode(mode: int) -> int:
    """Permission bits of Go's FileMode, with setuid, setgid and sticky."""
    return mode & 0o777 | sum(unix for unix, go in _BITS if mode & go)


def to_go_json(value: Any) -> str:
    """Encode as Go's ``json.Marshal`` does, which escapes what HTML would understand."""
    text = _ENCODER.encode(value).translate(_HTML)
    # Bytes that are not UTF-8 come as lone surrogates, one for each.
    return text if text.isascii() else _NOT_UTF8.sub(r"\\ufffd", text)


def encode_tree(nodes: Iterable[Node], lines: Iterable[Line] = ()) -> bytes:
    """Encode a directory's nodes.

    Parameters
    ----------
    nodes : iterable of Node
        In any order, with unique names.
    lines : iterable of Line
        More of them, spelled out already.
    """
    spelled = [(raw(node_name(node)), to_go_json(_whole(node))) for node in nodes]
    spelled += [(raw(name), text) for name, text in lines]
    spelled.sort()
    return f'{{"nodes":[{",".join([text for _, text in spelled])}]}}\n'.encode()


def _whole(node: Node) -> Node:
    """A link's target, where it was read from JSON, with the bytes that JSON cannot hold."""
    if "linktarget_raw" in node:
        return {**node, "linktarget": link_target(node)}
    return node


def decode_tree(data: bytes) -> list[Node]:
    """Decode a tree.

    Raises
    ------
    ChecksumMismatch
        If it is none.
    """
    try:
        nodes: list[Node] = json.loads(data)["nodes"] or []
        if all(isinstance(node["name"], str) and isinstance(node["type"], str) for node in nodes):
            return nodes
    except (ValueError, KeyError, TypeError):
        # What follows says it for all ways in which this may be no tree.
        nodes = []
    raise ChecksumMismatch(
        "A directory in the repository cannot be read",
        hint="Check the repository with 'restic check --read-data'.",
    )


def spelled_nodes(data: bytes) -> dict[str, str]:
    """Take a tree apart without decoding it.

    Most nodes of a directory go into its next tree as they are: then it need not be known what is
    in them.

    Returns
    -------
    dict
        The JSON of each node, by its name as the file system has it.

    Raises
    ------
    ChecksumMismatch
        If it is no tree.
    """
    with suppress(ValueError):
        text = data.decode()
        # No text in JSON holds a bare quotation mark; but extended attributes have names as well.
        if text.startswith(_BEGIN) and text.endswith(_END) and _ATTRIBUTES not in text:
            pieces = text[len(_BEGIN) : -len(_END)].split(_BETWEEN)
            return {unquote(_STRING(piece)[0]): f'{{"name":{piece}}}' for piece in pieces}
    return {node_name(node): to_go_json(_whole(node)) for node in decode_tree(data)}


def decode_node(text: str) -> Node:
    """Decode what :func:`spelled_nodes` gives."""
    node: Node = json.loads(text)
    return node


def node_name(node: Node) -> str:
    """Name of a node as the file system has it."""
    return unquote(node["name"])


def link_target(node: Node) -> str:
    """Target of a symbolic link as the file system has it."""
    if packed := node.get("linktarget_raw"):
        return base64.b64decode(packed).decode("utf-8", "surrogateescape")
    return node.get("linktarget", "")


def find(nodes: Sequence[Node], name: str) -> Node | None:
    """Find a node by its name as the file system has it."""
    return next((node for node in nodes if node_name(node) == name), None)
