"""The past: the timeline, versions of a file, and what comes back from it."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from .panel import Panel
from .server import REPOSITORY, TOKEN, Lab, running_lab

AXE = REPOSITORY / "labextension" / "node_modules" / "axe-core" / "axe.min.js"


def ask(lab: Lab, route: str):
    request = urllib.request.Request(
        f"{lab.url}/jupyter-storage/api/v1/{route}", headers={"Authorization": f"token {TOKEN}"}
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


def versions(lab: Lab, path: str) -> list[dict]:
    try:
        return ask(lab, f"versions/{quote(path)}")["versions"]
    except urllib.error.HTTPError:
        return []


def wait_for(condition, seconds: float = 60):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)
    return found


def wait_for_version(lab: Lab, name: str, count: int) -> None:
    """Wait until snapshots have so many versions, the last of which is the present one."""

    def there() -> bool:
        found = versions(lab, name)
        return len(found) >= count and found[0]["current"]

    wait_for(there)


def save(lab: Lab, name: str, content: str) -> None:
    """Write a file of the project, and wait until a snapshot has it."""
    path = lab.project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    wait_for(lambda: any(each["current"] for each in versions(lab, name)))


def notebook(**sources: str) -> str:
    cells = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": identifier,
            "metadata": {},
            "outputs": [],
            "source": source,
        }
        for identifier, source in sources.items()
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def show_panel(page: Page) -> None:
    page.evaluate("async () => { await window.jupyterapp.commands.execute('storage:show'); }")


@pytest.fixture
def file_browser(panel: Panel, page: Page) -> Locator:
    """JupyterLab's own file browser, at the project directory."""
    page.evaluate(
        """async () => {
          const { commands } = window.jupyterapp;
          await commands.execute('filebrowser:activate');
          await commands.execute('filebrowser:go-to-path', { path: '/' });
          await commands.execute('filebrowser:refresh');
        }"""
    )
    browser = page.locator(".jp-FileBrowser:visible")
    yield browser
    show_panel(page)
    expect(panel.node).to_be_visible()


def open_versions(page: Page, file_browser: Locator, name: str) -> Locator:
    item = file_browser.locator(".jp-DirListing-item").filter(has_text=name)
    item.click(button="right")
    page.locator(".lm-Menu").get_by_role("menuitem", name="Versions…").click()
    widget = page.locator(".jp-Storage-versions:visible")
    expect(widget.locator(".jp-Storage-version")).to_have_attribute("aria-busy", "false")
    return widget


def details(snapshot: Locator) -> Locator:
    """What an opened snapshot of the timeline shows below itself."""
    return snapshot.locator("xpath=..").locator(".jp-Storage-details")


def shown(panel: Panel, lab: Lab, position: int) -> Locator:
    """A snapshot of the timeline, by how many are newer; once the newest one is shown."""
    buttons = panel.node.locator(".jp-Storage-snapshotButton")
    newest, *_ = listed = ask(lab, "snapshots")["snapshots"]
    expect(buttons.first).to_have_attribute("title", re.compile(newest["short_id"]))
    # By its name, not its place: others may come before it at any moment.
    return panel.node.locator(
        f".jp-Storage-snapshotButton[title*='{listed[position]['short_id']}']"
    )


def open_file(page: Page, path: str) -> None:
    page.evaluate(
        """async path => {
          await window.jupyterapp.commands.execute('docmanager:open', { path });
        }""",
        path,
    )


def edit_cell(page: Page, index: int, text: str) -> None:
    cell = page.locator(".jp-NotebookPanel:visible .jp-Cell .cm-content").nth(index)
    cell.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(text)
    dirty = page.locator(".lm-TabBar-tab.jp-mod-current.jp-mod-dirty")
    for timeout in (2_000, 4_000, 8_000):
        # A kernel may note something in the notebook at the very moment that it is saved.
        page.keyboard.press("ControlOrMeta+s")
        with suppress(AssertionError):
            expect(dirty).to_have_count(0, timeout=timeout)
            return
    expect(dirty).to_have_count(0)


def test_a_cell_of_a_notebook_edited_three_times_comes_back_from_the_first_version(
    page: Page, lab: Lab, file_browser: Locator
):
    name = "edited.ipynb"
    save(lab, name, notebook(load="load('first')", train="train(1)"))
    open_file(page, name)
    expect(page.locator(".jp-NotebookPanel:visible")).to_contain_text("load('first')")
    # A kernel that has come up is noted in the notebook, which then has changes again.
    idle = page.locator(".jp-NotebookPanel:visible .jp-Notebook-ExecutionIndicator")
    expect(idle).to_have_attribute("data-status", "idle", timeout=30_000)
    for number in (2, 3, 4):
        edit_cell(page, 0, f"load({number})")
        edit_cell(page, 1, f"train({number})")
        wait_for_version(lab, name, number)
    widget = open_versions(page, file_browser, name)
    widget.locator(".jp-Storage-versionButton").last.click()
    cell = widget.get_by_role("region", name="Cell 1 has changed")
    expect(cell).to_contain_text("-load('first')")
    expect(cell).to_contain_text("+load(4)")
    expect(widget.get_by_role("region", name="Cell 2 has changed")).to_be_visible()
    cell.get_by_role("button", name="Restore cell 1 of this version").click()
    expect(page.locator(".Toastify")).to_contain_text("Cell 1 of “edited.ipynb” is as it was")
    expect(cell).to_have_count(0)
    expect(widget).to_contain_text("1 cell is the same")
    saved = json.loads((lab.project / name).read_text())
    sources = ["".join(each["source"]) for each in saved["cells"]]
    assert sources == ["load('first')", "train(4)"]
    page.get_by_role("tab", name=name, exact=True).click()
    shown = page.locator(".jp-NotebookPanel:visible .jp-Cell .cm-content")
    expect(shown.nth(0)).to_have_text("load('first')")
    expect(shown.nth(1)).to_have_text("train(4)")


def test_a_file_comes_back_from_a_right_click_and_can_be_undone(
    page: Page, lab: Lab, file_browser: Locator
):
    name = "notes.txt"
    save(lab, name, "the first\nline two\n")
    save(lab, name, "the second\nline two\n")
    open_file(page, name)
    editor = page.locator(".jp-FileEditor:visible .cm-content")
    expect(editor).to_contain_text("the second")
    widget = open_versions(page, file_browser, name)
    items = widget.locator(".jp-Storage-versionButton")
    expect(items).to_have_count(2)
    expect(items.first).to_contain_text("as it is now")
    # Opened with the newest one that differs.
    expect(items.last).to_have_attribute("aria-current", "true")
    expect(widget.locator(".jp-Storage-diff")).to_contain_text("-the first")
    widget.get_by_role("button", name="Restore This Version").click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("A snapshot is taken first")
    dialog.get_by_role("button", name="Restore").click()
    toast = page.locator(".Toastify__toast").filter(has_text="“notes.txt” is as it was")
    expect(toast).to_be_visible()
    assert (lab.project / name).read_text() == "the first\nline two\n"
    expect(widget).to_contain_text("still as it was in this version")
    toast.get_by_role("button", name="Undo").click()
    expect(widget.locator(".jp-Storage-diff")).to_contain_text("+the second")
    assert (lab.project / name).read_text() == "the second\nline two\n"
    page.get_by_role("tab", name=name, exact=True).click()
    expect(editor).to_contain_text("the second")


def test_versions_are_moved_through_with_the_keyboard(page: Page, lab: Lab, file_browser: Locator):
    for content in ("one", "two", "three"):
        save(lab, "keys.txt", content)
    widget = open_versions(page, file_browser, "keys.txt")
    items = widget.locator(".jp-Storage-versionButton")
    items.first.focus()
    page.keyboard.press("End")
    expect(items.nth(2)).to_be_focused()
    page.keyboard.press("Enter")
    expect(items.nth(2)).to_have_attribute("aria-current", "true")
    expect(widget.locator(".jp-Storage-diff")).to_contain_text("-one")
    page.keyboard.press("ArrowUp")
    expect(items.nth(1)).to_be_focused()


def test_what_is_open_is_noted_for_a_new_machine(page: Page, lab: Lab, file_browser: Locator):
    save(lab, "open.txt", "x")
    with page.expect_response(lambda answer: answer.url.endswith("snapshots/open")) as answer:
        open_file(page, "open.txt")
    assert answer.value.status == 204
    assert answer.value.request.post_data_json == {"paths": ["open.txt"]}


def test_a_file_that_no_snapshot_has_says_so(
    page: Page, lab: Lab, file_browser: Locator, complaints
):
    (lab.project / ".storageignore").write_text("ignored.txt\n")
    (lab.project / "ignored.txt").write_text("x")
    page.evaluate("() => window.jupyterapp.commands.execute('filebrowser:refresh')")
    widget = open_versions(page, file_browser, "ignored.txt")
    expect(widget).to_contain_text("No snapshot has this file")
    complaints.clear()


def test_the_timeline_tells_what_changed_and_leads_to_the_file(panel: Panel, lab: Lab, page: Page):
    save(lab, "timeline.txt", "one")
    save(lab, "timeline.txt", "two")
    newest = shown(panel, lab, 0)
    expect(newest).to_contain_text("•1")
    newest.click()
    opened = details(newest)
    expect(opened).to_contain_text("Changed in this snapshot:")
    opened.get_by_role("button", name="timeline.txt, changed: show versions").click()
    widget = page.locator(".jp-Storage-versions:visible")
    expect(widget.locator(".jp-Storage-versionButton")).to_have_count(2)
    opened.get_by_role("button", name="Compare with Now").click()
    expect(opened).to_contain_text("Different in the newest snapshot:")
    expect(opened).to_contain_text("No file differs.")


def test_a_snapshot_is_browsed_and_a_folder_of_it_restored(panel: Panel, lab: Lab, page: Page):
    save(lab, "folder/inner.txt", "inner")
    (lab.project / "folder/inner.txt").unlink()
    wait_for(lambda: ask(lab, "snapshots/latest/diff")["removed"])
    second = shown(panel, lab, 1)
    second.click()
    details(second).get_by_role("button", name="Browse").click()
    widget = page.locator(".jp-Storage-browse:visible")
    widget.get_by_role("button", name="folder", exact=True).click()
    expect(widget).to_contain_text("inner.txt")
    widget.get_by_role("button", name="Project directory").click()
    widget.get_by_role("button", name="Restore folder").click()
    page.locator(".jp-Dialog").get_by_role("button", name="Restore").click()
    expect(page.locator(".Toastify")).to_contain_text("“folder” is as it was")
    assert (lab.project / "folder/inner.txt").read_text() == "inner"


def test_everything_comes_back_into_a_folder(panel: Panel, lab: Lab, page: Page, tmp_path: Path):
    save(lab, "whole.txt", "as it was")
    newest = shown(panel, lab, 0)
    newest.click()
    details(newest).get_by_role("button", name="Restore…").click()
    panel.dialog_button("Into a Folder…").click()
    page.locator(".jp-Dialog input").fill("brought-back")
    panel.dialog_button("Restore").click()
    expect(page.locator(".Toastify")).to_contain_text("are in “brought-back”")
    assert (lab.project / "brought-back/whole.txt").read_text() == "as it was"


def test_what_came_later_goes_if_a_person_wants_it_and_comes_back_by_undo(
    panel: Panel, lab: Lab, page: Page
):
    save(lab, "stays.txt", "x")
    save(lab, "later.txt", "y")
    second = shown(panel, lab, 1)
    second.click()
    details(second).get_by_role("button", name="Restore…").click()
    dialog = page.locator(".jp-Dialog")
    dialog.get_by_text("Also remove 1 file that came later").click()
    panel.dialog_button("Restore Here").click()
    expect(dialog).to_contain_text("Remove 1 file?")
    expect(dialog).to_contain_text("“later.txt” (1 B) came later")
    panel.dialog_button("Cancel").click()
    expect(dialog).to_have_count(0)
    assert (lab.project / "later.txt").exists()
    details(second).get_by_role("button", name="Restore…").click()
    dialog.get_by_text("Also remove 1 file that came later").click()
    panel.dialog_button("Restore Here").click()
    panel.dialog_button("Remove and Restore").click()
    toast = page.locator(".Toastify__toast").filter(has_text="The project directory is as it was")
    expect(toast).to_be_visible()
    assert not (lab.project / "later.txt").exists()
    assert (lab.project / "stays.txt").exists()
    toast.get_by_role("button", name="Undo").click()
    wait_for((lab.project / "later.txt").exists)
    # The next test begins without transfers.
    expect(panel.node.locator(".jp-Storage-transfer").first).to_contain_text("Done")
    expect(panel.node.locator(".jp-Storage-transfer [role='progressbar']")).to_have_count(0)


def test_a_snapshot_is_pinned_and_named(panel: Panel, lab: Lab, page: Page):
    save(lab, "pinned.txt", "x")
    moment = shown(panel, lab, 0).locator(".jp-Storage-time").inner_text()
    # Its ID changes; its time stays.
    newest = panel.node.locator(".jp-Storage-snapshotButton").filter(has_text=moment)
    newest.click()
    details(newest).get_by_role("button", name="Pin", exact=True).click()
    expect(newest).to_contain_text("pinned")
    expect(details(newest).get_by_role("button", name="Pin", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    details(newest).get_by_role("button", name="Name…").click()
    page.locator(".jp-Dialog input").fill("before the talk")
    panel.dialog_button("Name").click()
    expect(newest).to_contain_text("before the talk")
    details(newest).get_by_role("button", name="Pin", exact=True).click()
    expect(newest).not_to_contain_text("pinned")


def test_axe_finds_no_violation_in_history_and_versions(
    page: Page, lab: Lab, file_browser: Locator
):
    save(lab, "axe.ipynb", notebook(a="1", b="2"))
    save(lab, "axe.ipynb", notebook(a="3", c="4"))
    open_versions(page, file_browser, "axe.ipynb")
    show_panel(page)
    newest = page.locator(".jp-Storage-snapshotButton").first
    newest.click()
    expect(page.locator(".jp-Storage-changes").first).to_be_visible()
    page.add_script_tag(path=AXE)
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )
        expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
        for node in (".jp-Storage-history", ".jp-Storage-versions"):
            found = page.evaluate(f"axe.run('{node}', {{resultTypes: ['violations']}})")
            assert [(each["id"], each["nodes"]) for each in found["violations"]] == []
    page.evaluate(
        """() => window.jupyterapp.commands.execute(
          'apputils:change-theme', { theme: 'JupyterLab Light' }
        )"""
    )


def test_a_checkpoint_of_a_snapshot_is_offered(page: Page, lab: Lab, file_browser: Locator):
    save(lab, "reverted.txt", "the oldest")
    save(lab, "reverted.txt", "the newest")
    open_file(page, "reverted.txt")
    editor = page.locator(".jp-FileEditor:visible .cm-content")
    expect(editor).to_contain_text("the newest")
    page.evaluate("() => void window.jupyterapp.commands.execute('docmanager:restore-checkpoint')")
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_be_visible()
    # JupyterLab asks which one, if there are several, and then whether.
    if dialog.locator("select").count():
        options = dialog.locator("option")
        dialog.locator("select").select_option(index=options.count() - 1)
        dialog.locator(".jp-mod-accept").click()
    dialog.get_by_role("button", name="Revert to Checkpoint").click()
    expect(editor).to_contain_text("the oldest")
    assert (lab.project / "reverted.txt").read_text() == "the oldest"


def test_what_was_saved_is_there_after_a_kill_on_an_empty_directory(
    own_page: Page, tmp_path: Path, complaints: list[str]
):
    """The server dies in the middle of edits; another machine begins with nothing."""
    common = {
        "JUPYTER_STORAGE_ROOT": str(tmp_path / "tiers"),
        "JUPYTER_STORAGE_WORKLOAD_ID": "killed",
    }
    name = "growing.txt"
    with running_lab(tmp_path / "one", variables=common) as lab:
        (lab.project / name).write_text("")
        Panel.open(own_page, lab.url)
        open_file(own_page, name)
        own_page.locator(".jp-FileEditor:visible .cm-content").click()
        typed = 0
        saved = 0
        while saved < 10:
            # One character more with each save: the size says which edit it is.
            own_page.keyboard.type("x")
            own_page.keyboard.press("ControlOrMeta+s")
            typed += 1
            assert typed < 500
            saved = max([0, *(each["size"] for each in versions(lab, name))])
        lab.process.kill()
        lab.process.wait()
    own_page.goto("about:blank")
    with running_lab(tmp_path / "two", variables=common) as lab:
        wait_for((lab.project / name).exists)
        size = (lab.project / name).stat().st_size
        assert saved <= size <= typed
        Panel.open(own_page, lab.url)
        open_file(own_page, name)
        expect(own_page.locator(".jp-FileEditor:visible .cm-content")).to_have_text("x" * size)
        save(lab, name, "and on it goes")
        own_page.goto("about:blank")
    # Of the connection that was lost.
    complaints.clear()
