"""Storages and mounts in the panel: applied, mounted, flushed, unmounted, deleted."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from jupyter_storage.errors import Unsupported
from jupyter_storage.mounts.mounters import BUILT_IN, choose
from jupyter_storage.mounts.mounts import Mounts
from jupyter_storage.transfers.progress import Meter

from .panel import Panel
from .server import REPOSITORY, Lab

AXE = REPOSITORY / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE = 30_000  # milliseconds until what processes of their own do is seen
PICTURES = os.environ.get("JUPYTER_STORAGE_TEST_PICTURES")


@pytest.fixture
def mounted(lab: Lab) -> Iterator[None]:
    """Skip where nothing can be mounted; take away what the test mounted."""
    try:
        choose("here", "s3://bucket", wanted=BUILT_IN)
    except Unsupported as error:
        pytest.skip(error.message)
    yield
    mounts = Mounts(lab.directory / "data" / "storage" / "mounts")
    for record in mounts.all():
        mounts.unmount(Path(record.target), force=True)


@pytest.fixture
def section(panel: Panel) -> Locator:
    section = panel.node.locator(".jp-Storage-section").last
    if not section.is_visible():
        panel.node.locator(".lm-AccordionPanel-title").filter(has_text="Storages").click()
    return section


def test_a_yaml_file_is_applied_after_its_plan_was_shown(
    page: Page,
    panel: Panel,
    lab: Lab,
    mounted: None,
    section: Locator,
    tmp_path: Path,
    complaints: list[str],
):
    source = tmp_path / "source"
    source.mkdir()
    (source / "cat.csv").write_text("1,2\n")
    target = tmp_path / "cats"
    (lab.project / "task.yaml").write_text(
        f"file_mounts:\n  {target}:\n    name: cats-2026\n    source: {source}\n"
    )
    expect(section).to_contain_text("nothing is mounted", timeout=PATIENCE)
    dialog = _ask_to_apply(page)
    expect(dialog).to_contain_text("Apply “task.yaml”?")
    expect(dialog.locator("li")).to_contain_text(["Create", "Upload", "Mount"])
    expect(dialog).to_contain_text("Together 1 file, 4 B to move.")
    _picture(page, "plan")
    panel.dialog_button("Apply").click()
    panel.show()
    mount = section.get_by_role("list", name="Mounts").get_by_role("listitem")
    expect(mount).to_contain_text("cats", timeout=PATIENCE)
    storage = section.get_by_role("list", name="Storages").get_by_role("listitem")
    expect(storage).to_contain_text("cats-2026")
    assert (target / "cat.csv").read_text() == "1,2\n"
    _picture(page, "section")

    file = (target / "open.txt").open("w")
    mount.get_by_role("button", name="Unmount cats").click()
    panel.dialog_button("Unmount").click()
    expect(dialog).to_contain_text("are open", timeout=PATIENCE)
    panel.dialog_button("Unmount and Lose It").click()
    expect(mount).to_have_count(0, timeout=PATIENCE)
    # The browser notes the refusal.
    assert all("409" in each for each in complaints)
    complaints.clear()
    file.write("x")
    with pytest.raises(OSError):
        file.close()

    storage.get_by_role("button", name="Delete the storage cats-2026").click()
    expect(dialog).to_contain_text("1 file (4 B) in it is lost for good.")
    panel.dialog_button("Delete").click()
    expect(section).to_contain_text("nothing is mounted", timeout=PATIENCE)
    (lab.project / "task.yaml").unlink()


def test_a_folder_of_a_tier_is_mounted_and_says_what_is_not_uploaded(
    page: Page, panel: Panel, lab: Lab, mounted: None, section: Locator, shared: Path
):
    (shared / "data").mkdir()
    panel.open_directory(f"shared:{shared.name}")
    panel.menu(panel.row("data"), "Mount as Folder…")
    dialog = page.locator(".jp-Dialog")
    expect(dialog.get_by_role("textbox")).to_have_value("mounts/data")
    dialog.get_by_role("checkbox").check()
    panel.dialog_button("Mount").click()
    mount = section.get_by_role("list", name="Mounts").get_by_role("listitem")
    expect(mount).to_contain_text("MOUNT_CACHED", timeout=PATIENCE)
    expect(mount).not_to_contain_text("not mounted", timeout=PATIENCE)
    here = lab.project / "mounts" / "data"
    assert here.is_mount()
    with (here / "a.txt").open("w") as file:
        file.write("a")
        file.flush()
        expect(mount).to_contain_text("1 file not uploaded yet", timeout=PATIENCE)
        _picture(page, "pending")
        assert _violations(page) == []
    mount.get_by_role("button", name="Wait for the uploads of data").press("Enter")
    expect(mount).not_to_contain_text("not uploaded yet", timeout=PATIENCE)
    assert (shared / "data" / "a.txt").read_text() == "a"
    mount.get_by_role("button", name="Unmount data").press("Enter")
    panel.dialog_button("Unmount").click()
    expect(section).to_contain_text("nothing is mounted", timeout=PATIENCE)
    assert os.listdir(here) == []


def test_a_copy_in_place_of_a_mount_says_what_was_changed_and_uploads_it(
    page: Page, panel: Panel, lab: Lab, section: Locator, shared: Path
):
    (shared / "data").mkdir()
    (shared / "data" / "a.txt").write_text("a")
    here = lab.project / "copied"
    mounts = Mounts(lab.directory / "data" / "storage" / "mounts")
    mounts.copy(here, (shared / "data").as_uri(), {}, meter=Meter(), cancel=threading.Event())
    try:
        (here / "a.txt").write_text("changed")
        mount = section.get_by_role("list", name="Mounts").get_by_role("listitem")
        expect(mount).to_contain_text("1 file changed here", timeout=PATIENCE)
        expect(mount).to_contain_text("COPY")
        assert _violations(page) == []
        _picture(page, "copy")
        mount.get_by_role("button", name="Upload the changes of copied").press("Enter")
        expect(mount).not_to_contain_text("changed here", timeout=PATIENCE)
        assert (shared / "data" / "a.txt").read_text() == "changed"
        mount.get_by_role("button", name="End the copy copied").press("Enter")
        expect(page.locator(".jp-Dialog")).to_contain_text("The files stay here")
        _picture(page, "ending")
        panel.dialog_button("End").click()
        expect(mount).to_have_count(0, timeout=PATIENCE)
    finally:
        mounts.unmount(here, force=True)
    assert (here / "a.txt").exists()
    shutil.rmtree(here)


def test_copies_can_be_chosen_where_a_file_asks_for_mounts(
    page: Page, panel: Panel, lab: Lab, section: Locator, tmp_path: Path
):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "cat.csv").write_text("1,2\n")
    target = tmp_path / "dogs"
    (lab.project / "task.yaml").write_text(
        f"file_mounts:\n  {target}:\n    name: dogs-2026\n    source: {tmp_path}/source\n"
    )
    dialog = _ask_to_apply(page)
    choice = dialog.get_by_role("checkbox", name="Fetch copies in place of mounts")
    if not choice.is_checked():
        choice.press("Space")
    expect(choice).to_be_checked()
    expect(dialog.locator("li")).to_contain_text(["Create", "Upload", "Copy"])
    expect(dialog).to_contain_text("stays here until you upload it")
    choice.press("Space")
    expect(dialog.locator("li")).to_contain_text(["Create", "Upload", "Mount"])
    expect(choice).to_be_focused()
    choice.press("Space")
    expect(dialog.locator("li")).to_contain_text(["Create", "Upload", "Copy"])
    assert _violations(page, ".jp-Dialog") == []
    _picture(page, "copies")
    panel.dialog_button("Apply").press("Enter")
    panel.show()
    mount = section.get_by_role("list", name="Mounts").get_by_role("listitem")
    expect(mount).to_contain_text("COPY", timeout=PATIENCE)
    assert not target.is_mount()
    assert (target / "cat.csv").read_text() == "1,2\n"
    mount.get_by_role("button", name="End the copy dogs").press("Enter")
    panel.dialog_button("End").click()
    expect(mount).to_have_count(0, timeout=PATIENCE)
    section.get_by_role("button", name="Delete the storage dogs-2026").press("Enter")
    panel.dialog_button("Delete").click()
    expect(section).to_contain_text("nothing is mounted", timeout=PATIENCE)
    (lab.project / "task.yaml").unlink()


def _ask_to_apply(page: Page) -> Locator:
    """Choose task.yaml in JupyterLab's own file browser; gives the question that comes."""
    page.get_by_role("tab", name="File Browser").click()
    page.evaluate("window.jupyterapp.commands.execute('filebrowser:refresh')")
    page.locator(".jp-DirListing-item", has_text="task.yaml").click(button="right")
    page.locator(".lm-Menu").get_by_role("menuitem", name="Apply Storages…").click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("Apply “task.yaml”?", timeout=PATIENCE)
    return dialog


def _violations(page: Page, where: str = "#jp-storage-panel") -> list[str]:
    page.evaluate(AXE.read_text())
    found = page.evaluate("where => axe.run(where)", where)
    return [each["id"] for each in found["violations"]]


def _picture(page: Page, name: str) -> None:
    """For who looks at a change."""
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")
