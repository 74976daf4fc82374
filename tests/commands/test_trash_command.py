from __future__ import annotations


def test_a_deletion_is_undone(call, directory):
    assert call("mkdir", "shared:d").status == 0
    (directory / "a.txt").write_text("content")
    assert call("cp", "a.txt", "shared:d/").status == 0
    assert call("rm", "-r", "--trash", "shared:d").status == 0
    assert call("ls", "shared:").out == ""
    (listed,) = call("trash", "list", "--json").json
    assert listed["paths"] == ["shared:d"]
    assert (listed["files"], listed["size"]) == (1, 7)
    assert call("trash", "restore", listed["id"]).status == 0
    assert call("cat", "shared:d/a.txt").out == "content"
    assert call("trash", "list", "--json").json == []
    assert call("trash", "restore", "latest").status == 1


def test_emptying_asks_or_needs_yes(call, directory):
    (directory / "a.txt").write_text("content")
    call("cp", "a.txt", "shared:a.txt")
    call("rm", "--trash", "shared:a.txt")
    refused = call("trash", "empty")
    assert refused.status == 2
    assert "1 file" in refused.err
    assert "--yes" in refused.err
    assert len(call("trash", "list", "--json").json) == 1
    assert call("trash", "empty", "-y").status == 0
    assert call("trash", "list", "--json").json == []


def test_a_plain_file_has_no_trash(call, directory):
    (directory / "a.txt").write_text("content")
    refused = call("rm", "--trash", "a.txt")
    assert refused.status == 1
    assert "lies on no tier" in refused.err
    assert (directory / "a.txt").exists()


def test_what_is_old_goes_for_good_when_something_comes(call, directory, isolated_environment):
    (directory / "a.txt").write_text("content")
    for name in ("a", "b"):
        call("cp", "a.txt", f"shared:{name}.txt")
    call("rm", "--trash", "shared:a.txt")
    (bundle,) = (isolated_environment / "tiers").glob("shared_storage/.~*/*")
    bundle.rename(bundle.with_name("20200101T000000Z-00000000"))
    assert call("trash", "list", "--json").json[0]["deleted"].startswith("2020-01-01")
    call("rm", "--trash", "shared:b.txt")
    (left,) = call("trash", "list", "--json").json
    assert left["paths"] == ["shared:b.txt"]
