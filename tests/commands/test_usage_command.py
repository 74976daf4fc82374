from __future__ import annotations


def test_a_tier_is_counted(call, directory):
    (directory / "a").write_text("12345")
    (directory / "b").write_text("1")
    call("cp", "a", "b", "shared:")
    (row,) = call("usage", "shared", "--json").json
    assert (row["files"], row["bytes"], row["own_bytes"], row["trash_bytes"]) == (2, 6, 6, 0)
    assert call("usage", "shared:", "--largest").out.splitlines() == ["shared:a", "shared:b"]
    assert call("usage", "nothing").status == 1


def test_advice_comes_before_the_step(call, directory):
    (directory / "id_rsa").write_text("x")
    out = call("advise", "id_rsa", "shared:").out
    assert "looks like a secret" in out
    assert "Nothing speaks against it." in call("advise", "id_rsa", "local:").out
