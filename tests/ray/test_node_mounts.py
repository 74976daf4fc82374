"""Mounts on every node: what is refused before any node is asked; see ``test_distributed.py``."""

from __future__ import annotations

import pytest

from jupyter_storage.cli import main

pytest.importorskip("ray")
pytestmark = pytest.mark.usefixtures("unchanged_process")


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["mount", "--nodes", "--copy", "--every", "5", "s3://b/d", "d"], 2, "Leave out --mounter"),
        (["mount", "--nodes", "--mounter", "rclone", "s3://b/d", "d"], 2, "Leave out --mounter"),
        (["mount", "--nodes", "--copy", "--cached", "s3://b/d", "d"], 2, "Leave out --cached"),
        (["mount", "--nodes", "shared:data", "local:data"], 2, "other nodes have none of it"),
        (["unmount", "--nodes", "--force", "d"], 2, "Add --yes"),
        (["unmount", "--nodes", "s3://bucket/data"], 2, "Nothing can be mounted in object storage"),
        (["mounts", "--nodes"], 1, "ray start --head"),
        (["unmount", "--nodes", "local:data"], 1, "ray start --head"),
    ],
)
def test_what_cannot_be_is_refused_with_a_way_out(
    words: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == status
    printed = capsys.readouterr().err
    assert said in printed
    assert "Traceback" not in printed
