"""The main job without a mouse."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Error, FileChooser, Locator, Page, expect

from .panel import Panel
from .server import TOKEN, Lab

# Of a button of JupyterLab's toolbars, the element around it has the focus.
HAS_FOCUS = "node => (node.getRootNode().host ?? node).contains(document.activeElement)"


def _tab_to(page: Page, target: Locator, *, key: str = "Tab") -> None:
    for _ in range(40):
        if target.evaluate(HAS_FOCUS):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} does not lead to {target}")


def _tool(panel: Panel, name: str) -> None:
    """Go to a button of the toolbar, which is one stop of Tab, and along it with arrows."""
    button = panel.tool(name)
    inside = panel.page.get_by_role("button", name=name, exact=True)
    toolbar = panel.node.locator(".jp-Toolbar").filter(has=inside)
    _tab_to(panel.page, toolbar, key="Shift+Tab")
    for key in ["ArrowLeft"] * 10 + ["ArrowRight"] * 10:
        if button.evaluate(HAS_FOCUS):
            return
        panel.page.keyboard.press(key)
    raise AssertionError(f"Arrow keys do not lead to {name}")


def _chooser(panel: Panel, name: str) -> FileChooser:
    """Press a button that lets files be chosen; on a busy machine the page may miss it once."""
    _tool(panel, name)
    with suppress(Error), panel.page.expect_file_chooser(timeout=7000) as chooser:
        panel.page.keyboard.press("Enter")
        return chooser.value
    panel.show()
    _tool(panel, name)
    with panel.page.expect_file_chooser() as chooser:
        panel.page.keyboard.press("Enter")
    return chooser.value


def _go(panel: Panel, path: str) -> None:
    panel.page.keyboard.press("/")
    expect(panel.node.get_by_role("combobox")).to_be_focused()
    panel.page.keyboard.type(path)
    panel.page.keyboard.press("Enter")
    expect(panel.grid).to_have_attribute("aria-label", f"Files in {path}")
    panel.settle()


def test_the_main_job_without_a_mouse(
    own_page: Page, lab: Lab, shared: Path, user: Path, tmp_path: Path
):
    page, keys = own_page, own_page.keyboard
    (shared / "data").mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (shared / name).write_text(name)
    (tmp_path / "sent.txt").write_text("sent")
    page.goto(f"{lab.url}/lab?reset&token={TOKEN}")
    page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=60_000)
    panel = Panel(page)

    # To the panel by the palette, and to a tier by Tab.
    page.locator(".jp-Launcher").wait_for()
    keys.press("ControlOrMeta+Shift+c")
    page.locator(".lm-CommandPalette-input").wait_for()
    keys.type("Show Storage")
    expect(page.locator(".lm-CommandPalette-item.lm-mod-active")).to_contain_text("Show Storage")
    keys.press("Enter")
    expect(panel.node).to_be_visible()
    _tab_to(page, panel.tier("shared").locator(".jp-Storage-tierButton"))
    keys.press("Enter")
    expect(panel.grid).to_have_attribute("aria-label", "Files in shared:")
    panel.settle()
    _tab_to(page, panel.grid.get_by_role("rowgroup", name="Rows"))
    _go(panel, f"shared:{shared.name}")

    # Select two, and copy them to another tier.
    keys.type("a.t")
    expect(panel.focused).to_contain_text("a.txt")
    keys.press("Shift+ArrowDown")
    expect(panel.grid.locator("[role=row][aria-selected=true]")).to_have_count(2)
    keys.press("ControlOrMeta+c")
    _go(panel, f"user:{user.name}")
    keys.press("ControlOrMeta+v")
    expect(panel.row("b.txt")).to_be_visible()
    expect(panel.row("a.txt")).to_be_visible()
    assert (user / "a.txt").read_text() == "a.txt"
    panel.settle()

    # Upload by the toolbar, then rename what came.
    _chooser(panel, "Upload files into this folder").set_files(tmp_path / "sent.txt")
    expect(panel.row("sent.txt")).to_be_visible()
    _tab_to(page, panel.grid.get_by_role("rowgroup", name="Rows"))
    keys.type("sent")
    expect(panel.focused).to_contain_text("sent.txt")
    keys.press("F2")
    page.locator(".jp-Dialog input").wait_for()
    keys.type("renamed")  # what is before the extension is selected
    keys.press("Enter")
    expect(panel.focused).to_contain_text("renamed.txt")
    assert (user / "renamed.txt").read_text() == "sent"

    # Delete it, and take that back.
    keys.press("Delete")
    expect(page.locator(".jp-Dialog")).to_contain_text("can be brought back")
    _tab_to(page, panel.dialog_button("Delete"))
    keys.press("Enter")
    expect(panel.row("renamed.txt")).to_have_count(0)
    expect(panel.focused).to_have_count(1)
    keys.press("ControlOrMeta+z")
    expect(panel.row("renamed.txt")).to_be_visible()
    assert (user / "renamed.txt").read_text() == "sent"

    # Download the whole folder.
    keys.press("ControlOrMeta+a")
    _tool(panel, "Download a file, or folders and selections as zip")
    with page.expect_download() as download:
        keys.press("Enter")
    assert download.value.suggested_filename.endswith(".zip")
