"""Uploads and transfers that are cut off: by the connection, a reload, a pause, a crash."""

from __future__ import annotations

import random
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from jupyter_storage.transfers.journal import Journals

from .panel import Panel
from .proxy import cutting_proxy
from .server import Lab

MEGABYTE = 1 << 20


def _file(path: Path, megabytes: int, seed: int) -> bytes:
    content = random.Random(seed).randbytes(megabytes * MEGABYTE)
    path.write_bytes(content)
    return content


def _choose(panel: Panel, button: Locator, path: Path) -> None:
    with panel.page.expect_file_chooser() as chooser:
        button.click()
    chooser.value.set_files(path)


def _upload(panel: Panel, path: Path) -> Locator:
    _choose(panel, panel.tool("Upload files into this folder"), path)
    return panel.transfer(f"Upload {path.name}")


def _begun(upload: Locator) -> None:
    # Pieces become smaller, with pauses between, until one passes between two cuts.
    bar = upload.get_by_role("progressbar")
    expect(bar).not_to_have_attribute("aria-valuenow", "0", timeout=30_000)


def test_twenty_cuts_and_a_reload_leave_the_same_bytes(
    own_page: Page, lab: Lab, shared: Path, tmp_path: Path, complaints: list[str]
):
    big = tmp_path / "big.bin"
    content = _file(big, 60, 2)
    own_page.on("dialog", lambda dialog: dialog.accept())
    with cutting_proxy(lab.port) as proxy:
        panel = Panel.open(own_page, proxy.url)
        panel.open_directory(f"shared:{shared.name}")
        chance = random.Random(3)
        proxy.cuts = [chance.randrange(1, 3 * MEGABYTE) for _ in range(20)]
        upload = _upload(panel, big)
        _begun(upload)
        own_page.reload()
        unfinished = panel.transfer("Upload big.bin")
        expect(unfinished).to_contain_text("have arrived", timeout=30_000)
        _choose(panel, unfinished.get_by_role("button", name="Go On…"), big)
        expect(panel.transfer("big.bin")).to_contain_text("Done", timeout=180_000)
        assert proxy.cut_count == 20
        own_page.close()  # before the proxy, which the page would go on asking
    assert (shared / "big.bin").read_bytes() == content
    assert [path.name for path in shared.iterdir()] == ["big.bin"]
    complaints.clear()


def test_paused_upload_is_seen_in_another_window_and_goes_on_in_its_own(
    panel: Panel, own_page: Page, lab: Lab, shared: Path, tmp_path: Path, complaints: list[str]
):
    big = tmp_path / "paused.bin"
    content = _file(big, 200, 4)
    panel.open_directory(f"shared:{shared.name}")
    upload = _upload(panel, big)
    _begun(upload)
    upload.get_by_role("button", name="Pause:").click()
    expect(upload).to_contain_text("Paused")
    other = Panel.open(own_page, lab.url)
    expect(other.transfer("paused.bin")).to_contain_text("have arrived", timeout=30_000)
    upload.get_by_role("button", name="Resume:").click()
    expect(upload).to_contain_text("Done", timeout=30_000)
    assert (shared / "paused.bin").read_bytes() == content
    complaints.clear()


def test_another_file_is_not_taken_for_the_rest_and_what_arrived_can_be_discarded(
    panel: Panel, own_page: Page, lab: Lab, shared: Path, tmp_path: Path, complaints: list[str]
):
    big, other = tmp_path / "left.bin", tmp_path / "other.bin"
    _file(big, 200, 5)
    _file(other, 1, 6)
    mine = Panel.open(own_page, lab.url)
    mine.open_directory(f"shared:{shared.name}")
    upload = _upload(mine, big)
    _begun(upload)
    upload.get_by_role("button", name="Pause:").click()
    expect(upload).to_contain_text("Paused")
    own_page.on("dialog", lambda dialog: dialog.accept())
    own_page.reload()
    unfinished = mine.transfer("left.bin")
    _choose(mine, unfinished.get_by_role("button", name="Go On…"), other)
    expect(own_page.locator(".jp-Dialog")).to_contain_text("is not the file of which a part")
    mine.dialog_button("Cancel").click()
    assert [path.name[:2] for path in shared.iterdir()] == [".~"]
    unfinished.get_by_role("button", name="Discard…").click()
    expect(own_page.locator(".jp-Dialog")).to_contain_text("Your own file stays as it is")
    mine.dialog_button("Discard").click()
    expect(unfinished).to_have_count(0)
    assert list(shared.iterdir()) == []
    complaints.clear()


def test_copy_that_a_crash_cut_off_goes_on_or_is_forgotten(
    own_page: Page, lab: Lab, shared: Path, user: Path
):
    journals = Journals(lab.directory / "data" / "storage" / "transfers")
    for name in ("one", "two"):
        (shared / name).mkdir()
        (shared / name / "a.txt").write_text(name)
        places = [lab.tier("shared") / shared.name / name, lab.tier("user") / user.name]
        journal = journals.open(
            {
                "operation": "copy",
                "sources": [f"shared:{shared.name}/{name}"],
                "destination": f"user:{user.name}",
                "options": {
                    "recursive": True,
                    "conflict": "fail",
                    "into": True,
                    "force": False,
                    "verify": False,
                },
                "places": [place.as_uri() for place in places],
            }
        )
        assert journal is not None
        journal.close(keep=True)
    panel = Panel.open(own_page, lab.url)
    for name, button in (("one", "Go On:"), ("two", "Discard:")):
        left = panel.transfer(f"Copy {name}")
        expect(left).to_contain_text("Interrupted")
        left.get_by_role("button", name=button).click()
    expect(panel.transfer("Copy one")).to_contain_text("Done")
    expect(panel.transfer("Copy two")).to_have_count(0)
    assert (user / "one" / "a.txt").read_text() == "one"
    assert not (user / "two").exists()
    # What is left over here would be listed in the windows of all later tests.
    left_over = journals.left()
    for each in left_over:
        journals.forget(each.id)
    assert left_over == []
