"""Moving bytes through the panel: uploads, drops, downloads, copy and paste."""

from __future__ import annotations

import random
import subprocess
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from .panel import Panel
from .server import Lab


def _drop(page: Page, paths: list[Path], x: float, y: float) -> None:
    """Drop files of this machine as the desktop would."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})
    session.detach()


def _centre(locator: Locator) -> tuple[float, float]:
    # Where sections are low, a part of their rows is out of sight.
    locator.scroll_into_view_if_needed()
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def _tree(directory: Path) -> Path:
    """A folder with everything that goes wrong: depth, many, empty, odd names."""
    (directory / "deep" / "er").mkdir(parents=True)
    (directory / "empty").mkdir()
    (directory / "deep" / "er" / "ü ñ %20 #?.txt").write_text("odd", "utf-8")
    (directory / "zero").touch()
    (directory / "many").mkdir()
    for i in range(230):
        (directory / "many" / f"{i:03}.txt").write_text(str(i))
    (directory / "bytes.bin").write_bytes(random.Random(1).randbytes(300_000))
    return directory


def _same(one: Path, other: Path) -> None:
    result = subprocess.run(
        ["diff", "-r", str(one), str(other)], capture_output=True, text=True, check=False
    )
    assert result.stdout == ""
    assert result.returncode == 0


def test_dropped_folder_arrives_whole(panel: Panel, shared: Path, tmp_path: Path, page: Page):
    tree = _tree(tmp_path / "tree")
    panel.open_directory(f"shared:{shared.name}")
    _drop(page, [tree], *_centre(panel.grid))
    upload = panel.transfer("Upload")
    expect(upload).to_contain_text("Done", timeout=60_000)
    expect(panel.row("tree")).to_be_visible()
    _same(tree, shared / "tree")


def test_drop_onto_a_folder_and_onto_a_tier(
    panel: Panel, shared: Path, lab: Lab, tmp_path: Path, page: Page
):
    (shared / "into").mkdir()
    first, second = tmp_path / f"{shared.name}-1.txt", tmp_path / f"{shared.name}-2.txt"
    first.write_text("1")
    second.write_text("2")
    panel.open_directory(f"shared:{shared.name}")
    _drop(page, [first], *_centre(panel.row("into")))
    expect(panel.transfer(first.name)).to_contain_text("Done")
    assert (shared / "into" / first.name).read_text() == "1"
    _drop(page, [second], *_centre(panel.tier("local")))
    expect(panel.transfer(second.name)).to_contain_text("Done")
    assert (lab.tier("local") / second.name).read_text() == "2"


def test_existing_files_are_asked_about_once(
    panel: Panel, shared: Path, tmp_path: Path, page: Page
):
    paths = []
    for name in ("a.txt", "b.txt", "c.txt"):
        (shared / name).write_text("old")
        paths.append(tmp_path / name)
        paths[-1].write_text("newer")
    panel.open_directory(f"shared:{shared.name}")
    _drop(page, paths, *_centre(panel.grid))
    dialog = page.locator(".jp-Dialog")
    dialog.get_by_text("Do the same for all 2 others that exist").click()
    panel.dialog_button("Replace").click()
    expect(panel.transfer("3 files")).to_contain_text("Done")
    assert [(shared / path.name).read_text() for path in paths] == ["newer"] * 3


def test_cancelled_upload_leaves_nothing(
    page: Page, panel: Panel, shared: Path, tmp_path: Path, complaints: list[str]
):
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(2 << 30)
    panel.open_directory(f"shared:{shared.name}")
    with page.expect_file_chooser() as chooser:
        panel.tool("Upload files into this folder").click()
    chooser.value.set_files(big)
    upload = panel.transfer("big.bin")
    expect(upload.get_by_role("progressbar")).to_be_visible()
    upload.get_by_role("button", name="Cancel:").click()
    expect(upload).to_contain_text("Cancelled")
    page.wait_for_timeout(300)
    assert list(shared.iterdir()) == []
    complaints.clear()


def test_folder_is_downloaded_as_zip(panel: Panel, shared: Path, tmp_path: Path, page: Page):
    tree = _tree(shared / "tree")
    panel.open_directory(f"shared:{shared.name}")
    panel.row("tree").click()
    with page.expect_download() as download:
        panel.tool("Download a file, or folders and selections as zip").click()
    target = tmp_path / "saved.zip"
    download.value.save_as(target)
    assert download.value.suggested_filename == "tree.zip"
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "unpacked")
    _same(tree, tmp_path / "unpacked" / "tree")


def test_file_is_downloaded_as_it_is(panel: Panel, shared: Path, tmp_path: Path, page: Page):
    content = random.Random(3).randbytes(100_000)
    (shared / "data.bin").write_bytes(content)
    panel.open_directory(f"shared:{shared.name}")
    with page.expect_download() as download:
        panel.menu(panel.row("data.bin"), "Download")
    assert download.value.suggested_filename == "data.bin"
    assert Path(download.value.path()).read_bytes() == content


def test_copy_and_paste_to_another_tier(panel: Panel, shared: Path, user: Path, page: Page):
    _tree(shared / "tree")
    panel.open_directory(f"shared:{shared.name}")
    panel.row("tree").click()
    page.keyboard.press("ControlOrMeta+c")
    panel.open_directory(f"user:{user.name}")
    panel.focus_rows()
    page.keyboard.press("ControlOrMeta+v")
    expect(panel.transfer("Copy tree")).to_contain_text("Done", timeout=30_000)
    expect(panel.row("tree")).to_be_visible()
    _same(shared / "tree", user / "tree")


@pytest.mark.parametrize(
    ("answer", "result"), [("Replace", "source"), ("Skip", "target"), ("Cancel", "target")]
)
def test_paste_onto_what_exists_asks(
    panel: Panel, shared: Path, user: Path, page: Page, answer: str, result: str
):
    (shared / "same.txt").write_text("source")
    (user / "same.txt").write_text("target")
    panel.open_directory(f"shared:{shared.name}")
    panel.menu(panel.row("same.txt"), "Copy")
    panel.open_directory(f"user:{user.name}")
    panel.menu(panel.row("same.txt"), "Paste")
    expect(page.locator(".jp-Dialog")).to_contain_text("1 file exists in the target: “same.txt”")
    panel.dialog_button(answer).click()
    if answer == "Cancel":
        expect(page.locator(".jp-Dialog")).to_have_count(0)
        expect(panel.transfer("Copy same.txt")).to_have_count(0)
    else:
        expect(panel.transfer("Copy same.txt")).to_contain_text("Done")
    assert (user / "same.txt").read_text() == result


def test_who_does_not_see_the_panel_is_told_once_that_a_copy_ended(
    panel: Panel, shared: Path, user: Path, page: Page
):
    (shared / "told.txt").write_text("x")
    panel.open_directory(f"shared:{shared.name}")
    panel.menu(panel.row("told.txt"), "Copy")
    panel.open_directory(f"user:{user.name}")
    page.evaluate("window.jupyterapp.commands.execute('filebrowser:activate')")
    expect(panel.node).to_be_hidden()
    page.evaluate("window.jupyterapp.commands.execute('storage:paste')")
    told = page.locator(".Toastify__toast").filter(has_text="told.txt")
    expect(told).to_contain_text(f"Done: Copy told.txt to user:{user.name}")
    expect(told).to_have_count(1)
    told.get_by_role("button", name="Show Storage").click()
    expect(panel.node).to_be_visible()
    expect(panel.transfer("Copy told.txt")).to_contain_text("Done")


def test_cut_and_paste_moves(panel: Panel, shared: Path, user: Path, page: Page):
    (shared / "moved.txt").write_text("x")
    panel.open_directory(f"shared:{shared.name}")
    panel.row("moved.txt").click()
    page.keyboard.press("ControlOrMeta+x")
    panel.open_directory(f"user:{user.name}")
    panel.focus_rows()
    page.keyboard.press("ControlOrMeta+v")
    expect(panel.row("moved.txt")).to_be_visible()
    assert (user / "moved.txt").read_text() == "x"
    assert not (shared / "moved.txt").exists()


def test_folder_cannot_be_pasted_into_itself(panel: Panel, shared: Path, page: Page):
    (shared / "data").mkdir()
    panel.open_directory(f"shared:{shared.name}")
    panel.menu(panel.row("data"), "Cut")
    panel.row("data").dblclick()
    expect(panel.grid).to_have_attribute("aria-label", f"Files in shared:{shared.name}/data")
    panel.focus_rows()
    page.keyboard.press("ControlOrMeta+v")
    expect(page.locator(".jp-Dialog")).to_contain_text("cannot be put into itself")
    page.keyboard.press("Enter")
    assert (shared / "data").is_dir()


def test_deleting_asks_and_keeps_what_begins_alike(panel: Panel, shared: Path, page: Page):
    for name in ("data", "data2"):
        (shared / name).mkdir()
        (shared / name / "x").write_text("x")
    panel.open_directory(f"shared:{shared.name}")
    panel.row("data").click()
    page.keyboard.press("Delete")
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("data")
    expect(dialog).to_contain_text("It goes to the trash of its tier")
    panel.dialog_button("Cancel").click()
    assert (shared / "data" / "x").exists()
    page.keyboard.press("Delete")
    panel.dialog_button("Delete").click()
    expect(panel.row("data")).to_have_count(0)
    assert not (shared / "data").exists()
    assert (shared / "data2" / "x").exists()


def test_new_folder_and_rename(panel: Panel, shared: Path, page: Page):
    panel.open_directory(f"shared:{shared.name}")
    panel.tool("Make a folder here").click()
    page.locator(".jp-Dialog input").fill("a/b")
    panel.dialog_button("Create").click()
    expect(page.locator(".jp-Dialog")).to_contain_text("cannot contain a slash")
    page.locator(".jp-Dialog input").fill("fresh")
    panel.dialog_button("Create").click()
    expect(panel.focused).to_contain_text("fresh")
    assert (shared / "fresh").is_dir()
    panel.menu(panel.row("fresh"), "Rename…")
    page.locator(".jp-Dialog input").fill("older")
    panel.dialog_button("Rename").click()
    expect(panel.row("older")).to_be_visible()
    assert (shared / "older").is_dir()


def test_renaming_onto_what_exists_is_refused(
    panel: Panel, shared: Path, page: Page, complaints: list[str]
):
    (shared / "a").write_text("a")
    (shared / "b").write_text("b")
    panel.open_directory(f"shared:{shared.name}")
    panel.menu(panel.row("a"), "Rename…")
    page.locator(".jp-Dialog input").fill("b")
    panel.dialog_button("Rename").click()
    expect(page.locator(".jp-Dialog")).to_contain_text("exists")
    page.keyboard.press("Enter")
    assert (shared / "b").read_text() == "b"
    complaints.clear()
