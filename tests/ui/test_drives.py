"""Tiers as drives: what is on them opens and saves in editors."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from .panel import Panel
from .server import TOKEN, Lab

SAVE_IN_CHUNKS = """async ([path, base64, name]) => {
  const contents = window.jupyterapp.serviceManager.contents;
  const bytes = Uint8Array.from(atob(base64), c => c.charCodeAt(0));
  const size = 1024 * 1024;
  const count = Math.ceil(bytes.length / size);
  for (let i = 0; i < count; i++) {
    let text = '';
    for (const byte of bytes.subarray(i * size, (i + 1) * size)) {
      text += String.fromCharCode(byte);
    }
    const chunk = i === count - 1 ? -1 : i + 1;
    const content = btoa(text);
    await contents.save(path, {name, path, type: 'file', format: 'base64', chunk, content});
  }
}"""


def _notebook(source: str) -> str:
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "one",
        "metadata": {},
        "outputs": [],
        "source": [source],
    }
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def test_notebook_is_opened_edited_and_saved(panel: Panel, shared: Path, page: Page):
    (shared / "work.ipynb").write_text(_notebook("1 + 1"))
    panel.open_directory(f"shared:{shared.name}")
    panel.row("work.ipynb").dblclick()
    notebook = page.locator(".jp-NotebookPanel:visible")
    expect(notebook).to_contain_text("1 + 1")
    kernel = page.locator(".jp-Dialog").get_by_role("button", name="Select Kernel")
    page.wait_for_timeout(1500)
    if kernel.is_visible():
        kernel.click()
    notebook.locator(".jp-Cell .cm-content").first.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("answer = 42")
    page.keyboard.press("ControlOrMeta+s")
    expect(page.locator(".lm-TabBar-tab.jp-mod-current.jp-mod-dirty")).to_have_count(0)
    _until(page, lambda: "answer = 42" in (shared / "work.ipynb").read_text())
    saved = json.loads((shared / "work.ipynb").read_text())
    assert saved["cells"][0]["source"] == ["answer = 42"]
    assert saved["nbformat"] == 4


def test_text_file_is_saved_and_a_change_on_disk_is_noticed(panel: Panel, shared: Path, page: Page):
    (shared / "notes.txt").write_text("one\n")
    panel.open_directory(f"shared:{shared.name}")
    panel.row("notes.txt").dblclick()
    editor = page.locator(".jp-FileEditor:visible .cm-content")
    expect(editor).to_contain_text("one")
    editor.click()
    page.keyboard.type("two ")
    page.keyboard.press("ControlOrMeta+s")
    _until(page, lambda: "two" in (shared / "notes.txt").read_text())
    page.wait_for_timeout(1200)
    (shared / "notes.txt").write_text("somebody else\n")
    editor.click()
    page.keyboard.type("three ")
    page.keyboard.press("ControlOrMeta+s")
    expect(page.locator(".jp-Dialog")).to_contain_text("changed")
    panel.dialog_button("Revert").click()
    expect(editor).to_contain_text("somebody else")
    assert (shared / "notes.txt").read_text() == "somebody else\n"


def test_open_editor_follows_a_rename(panel: Panel, shared: Path, page: Page):
    (shared / "old.txt").write_text("x")
    panel.open_directory(f"shared:{shared.name}")
    panel.row("old.txt").dblclick()
    tabs = page.locator("#jp-main-dock-panel .lm-TabBar-tabLabel")
    expect(tabs.filter(has_text="old.txt")).to_be_visible()
    panel.menu(panel.row("old.txt"), "Rename…")
    page.locator(".jp-Dialog input").fill("new.txt")
    panel.dialog_button("Rename").click()
    expect(tabs.filter(has_text="new.txt")).to_be_visible()


def test_document_on_a_tier_comes_back_after_a_reload(own_page: Page, lab: Lab, shared: Path):
    (shared / "kept.txt").write_text("still here")
    own_page.goto(f"{lab.url}/lab/workspaces/reload?token={TOKEN}")
    own_page.wait_for_function("window.jupyterapp")
    own_page.evaluate("window.jupyterapp.restored.then(() => 0)")
    with own_page.expect_response(
        lambda response: (
            "/api/workspaces/" in response.url
            and response.request.method == "PUT"
            and "kept.txt" in (response.request.post_data or "")
        )
    ):
        own_page.evaluate(
            "path => window.jupyterapp.commands.execute('docmanager:open', {path}).then(() => 0)",
            f"shared:{shared.name}/kept.txt",
        )
    own_page.reload()
    expect(own_page.locator(".jp-FileEditor:visible")).to_contain_text("still here")


def test_jupyterlab_upload_in_chunks_keeps_every_byte(panel: Panel, shared: Path, page: Page):
    content = random.Random(4).randbytes(3_500_000)
    path = f"shared:{shared.name}/chunks.bin"
    encoded = base64.b64encode(content).decode()
    page.evaluate(SAVE_IN_CHUNKS, [path, encoded, "chunks.bin"])
    assert (shared / "chunks.bin").read_bytes() == content


def test_new_files_on_a_tier_get_free_names(
    panel: Panel, shared: Path, page: Page, complaints: list[str]
):
    made = page.evaluate(
        """async path => {
          const contents = window.jupyterapp.serviceManager.contents;
          const names = [];
          for (const type of ['notebook', 'notebook', 'file', 'directory', 'directory']) {
            names.push((await contents.newUntitled({path, type, ext: '.txt'})).path);
          }
          names.push((await contents.copy(names[2], path)).path);
          await contents.delete(names[3]);
          return names;
        }""",
        f"shared:{shared.name}",
    )
    names = [path.rpartition("/")[2] for path in made]
    assert names == [
        "Untitled.ipynb",
        "Untitled1.ipynb",
        "untitled.txt",
        "Untitled Folder",
        "Untitled Folder 1",
        "untitled-Copy1.txt",
    ]
    on_disk = {path.name for path in shared.iterdir()}
    assert on_disk == set(names) - {"Untitled Folder"}
    assert json.loads((shared / "Untitled.ipynb").read_text())["nbformat"] == 4
    # Names that are taken, and ones that are free: that is how a free one is found.
    assert all("409" in complaint or "404" in complaint for complaint in complaints)
    complaints.clear()


def _until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait for something on the disk, while the page goes on."""
    for _ in range(100):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError("It did not happen within 10 seconds")
