"""Between the file system and the nodes of trees: what is noted of a file, and put back."""

from __future__ import annotations

import base64
import grp
import os
import pwd
import re
import stat
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, cast

from jupyter_storage.snapshots.repository.names import quote
from jupyter_storage.snapshots.repository.times import from_text, to_text
from jupyter_storage.snapshots.repository.tree import (
    Attribute,
    Node,
    from_go_mode,
    to_go_json,
    to_go_mode,
)

__all__ = [
    "attributes_of",
    "describe",
    "describe_again",
    "file_text",
    "printable",
    "put_back",
    "same_but_read",
    "same_file",
]

# Names that nobody needs to quote.
_PLAIN = re.compile(r"[A-Za-z0-9 _.,:;=+@%^~#(){}\[\]!$'*?|/-]+").fullmatch

_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "chardev",
    stat.S_IFBLK: "dev",
}


def describe(path: str, name: str, status: os.stat_result) -> Node:
    """Describe a file without what is in it.

    Parameters
    ----------
    path : str
        Where it is, for its extended attributes and the target of a link.
    name : str
        As the file system has it.
    status : os.stat_result
        Of the file itself, links not followed.

    Returns
    -------
    Node
        Its fields in restic's order; ``content`` is null, ``subtree`` is missing.
    """
    kind = _TYPES[stat.S_IFMT(status.st_mode)]
    node: dict[str, object] = {"name": quote(name), "type": kind}
    if mode := to_go_mode(status.st_mode):
        node["mode"] = mode
    node["mtime"] = to_text(status.st_mtime_ns)
    node["atime"] = to_text(status.st_atime_ns)
    node["ctime"] = to_text(status.st_ctime_ns)
    node["uid"], node["gid"] = status.st_uid, status.st_gid
    if user := _user(status.st_uid):
        node["user"] = user
    if group := _group(status.st_gid):
        node["group"] = group
    node["inode"] = status.st_ino
    if kind != "dir" and status.st_nlink > 1:
        # A device's number changes with a reboot: noted only where it tells hard links apart.
        node["device_id"] = status.st_dev
    if kind == "file" and status.st_size:
        node["size"] = status.st_size
    if kind in {"file", "symlink", "dev", "chardev"}:
        node["links"] = status.st_nlink
    if kind == "symlink":
        target = os.fsencode(os.readlink(path))
        node["linktarget"] = text = target.decode("utf-8", "surrogateescape")
        if text != printable(text):
            node["linktarget_raw"] = base64.b64encode(target).decode()
    if attributes := attributes_of(path):
        node["extended_attributes"] = attributes
    if kind in {"dev", "chardev"}:
        node["device"] = status.st_rdev
    node["content"] = None
    return cast(Node, node)


def attributes_of(file: str | int) -> list[Attribute]:
    """Extended attributes of a file, or of an open one; of a link its own."""
    here: dict[str, Any] = {"follow_symlinks": False} if isinstance(file, str) else {}
    found: list[Attribute] = []
    with suppress(OSError):
        for name in sorted(os.listxattr(file, **here)):
            # Others (of security modules, say) belong to this machine and not to the file.
            if name.startswith("user."):
                value = os.getxattr(file, name, **here)
                found.append({"name": name, "value": base64.b64encode(value).decode()})
    return found


def file_text(
    name: str, status: os.stat_result, attributes: Sequence[Attribute], content: Sequence[str]
) -> str:
    """Describe a regular file as :func:`describe` does, at once as the text that a tree holds.

    Parameters
    ----------
    name : str
        As the file system has it.
    status : os.stat_result
    attributes : sequence of Attribute
    content : sequence of str
        The ID of its one blob, if it has any.
    """
    links, times = status.st_nlink, (status.st_mtime_ns, status.st_atime_ns, status.st_ctime_ns)
    # Most files have one time: each spelling costs as much as all the rest of this.
    modified = to_text(times[0])
    read = modified if times[1] == times[0] else to_text(times[1])
    changed = modified if times[2] == times[0] else to_text(times[2])
    device = f'"device_id":{status.st_dev},' if links > 1 else ""
    size = f'"size":{status.st_size},' if status.st_size else ""
    more = f'"extended_attributes":{to_go_json(attributes)},' if attributes else ""
    blobs = f'"{content[0]}"' if content else ""
    return (
        f'{{"name":{_spelled(name)},"type":"file",{_mode(status.st_mode)}'
        f'"mtime":"{modified}","atime":"{read}","ctime":"{changed}",'
        f'{_owner(status.st_uid, status.st_gid)}"inode":{status.st_ino},'
        f'{device}{size}"links":{links},{more}"content":[{blobs}]}}'
    )


@lru_cache(1024)
def _mode(mode: int) -> str:
    return f'"mode":{go},' if (go := to_go_mode(mode)) else ""


def _spelled(name: str) -> str:
    """A name as the text of a tree has it."""
    return f'"{name}"' if _PLAIN(name) else to_go_json(quote(name))


@lru_cache(1024)
def _owner(uid: int, gid: int) -> str:
    user, group = _user(uid), _group(gid)
    return "".join(
        (
            f'"uid":{uid},"gid":{gid},',
            f'"user":{to_go_json(user)},' if user else "",
            f'"group":{to_go_json(group)},' if group else "",
        )
    )


def same_file(node: Node, status: os.stat_result) -> bool:
    """Whether nothing about a file changed since it was described; reading it does not count.

    The change time covers permissions, owner, extended attributes and renaming; a program cannot
    set it back.
    """
    return (
        node.get("inode") == status.st_ino
        and node.get("size", 0) == (status.st_size if stat.S_ISREG(status.st_mode) else 0)
        and node.get("mode", 0) == to_go_mode(status.st_mode)
        and node.get("uid") == status.st_uid
        and node.get("gid") == status.st_gid
        and _same_time(node.get("mtime", ""), status.st_mtime_ns)
        and _same_time(node.get("ctime", ""), status.st_ctime_ns)
    )


def describe_again(path: str, name: str, status: os.stat_result, before: Node | None) -> Node:
    """Describe a directory; that it was read is no change."""
    node = describe(path, name, status)
    if before is not None and same_file(before, status):
        node["atime"] = before["atime"]
    return node


def same_but_read(before: Node, node: Node) -> bool:
    """Whether nothing but reading happened to a file."""
    return all(before.get(key) == node.get(key) for key in ("mtime", "ctime", "inode", "mode"))


def put_back(path: str | int, node: Node, *, link: bool = False) -> None:
    """Give a file the permissions, owner, extended attributes and times of a node.

    Parameters
    ----------
    path : str or int
        The file or its descriptor.
    node : Node
    link : bool
        Whether it is a symbolic link, which is not followed.

    Raises
    ------
    OSError
        If permissions or times cannot be set. An owner, or an attribute that this file system or
        user may not set, is passed over, as ``cp -a`` does.
    """
    here: dict[str, Any] = {"follow_symlinks": False} if link else {}
    status = os.stat(path, **here)  # noqa: PTH116
    owner = (node.get("uid", 0), node.get("gid", 0))
    # What is right already is left alone: each step is one for the file system's journal.
    right = (status.st_uid, status.st_gid) == owner or os.geteuid() != 0
    if not right:
        with suppress(OSError):
            os.chown(path, *owner, **here)
    for attribute in node.get("extended_attributes") or ():
        with suppress(OSError, ValueError):
            value = base64.b64decode(attribute["value"] or "")
            os.setxattr(path, attribute["name"], value, **here)
    mode = from_go_mode(node.get("mode", 0))
    # A new owner takes away the bits that stand for the old one.
    if not link and not (right and stat.S_IMODE(status.st_mode) == mode):
        os.chmod(path, mode)  # noqa: PTH101
    times = (from_text(node["atime"]), from_text(node["mtime"]))
    os.utime(path, ns=times, **here)


def printable(path: str) -> str:
    """A path that JSON and people can take: bytes that are not UTF-8 are replaced."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _same_time(text: str, nanoseconds: int) -> bool:
    if text.endswith("Z"):
        return text == to_text(nanoseconds)
    with suppress(ValueError):
        return from_text(text) == nanoseconds
    return False


@lru_cache(1024)
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


@lru_cache(1024)
def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""
