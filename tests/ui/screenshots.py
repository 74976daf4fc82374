"""Make the pictures of docs/panel.md: ``python -m tests.ui.screenshots`` in the clone's root."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from .panel import Panel
from .server import REPOSITORY, Lab, running_lab

IMAGES = REPOSITORY / "docs" / "images"
TITLE = "# Training\n\nCheckpoints go to `shared:`, data sets lie on `artifacts:`.\n"


def _fill(lab: Lab) -> None:
    shared = lab.tier("shared")
    for name in ("checkpoints", "evaluation"):
        (shared / name).mkdir(parents=True)
    (shared / "notes.md").write_text(TITLE)
    (shared / "metrics.csv").write_text("step,loss\n" + "1000,0.25\n" * 700)
    (shared / "model.safetensors").write_bytes(bytes(48_300_000))
    (shared / "params.json").write_text('{"lr": 3e-4}')
    data = lab.tier("user") / "images"
    data.mkdir(parents=True)
    for i in range(40):
        (data / f"{i:04}.png").write_bytes(bytes(90_000))
    (lab.project / "train.py").write_text("print('training')\n")


def _picture(page: Page, lab: Lab, theme: str, name: str) -> None:
    panel = Panel.open(page, lab.url)
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
    )
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    panel.open_tier("user")
    panel.menu(panel.row("images"), "Copy")
    panel.open_tier("shared")
    panel.row("notes.md").dblclick()
    expect(page.locator(".jp-FileEditor:visible")).to_contain_text("Checkpoints")
    if panel.row("images").count() == 0:
        panel.menu(panel.row("params.json"), "Paste")
        expect(panel.transfer("images")).to_contain_text("Done")
    expect(panel.row("images")).to_be_visible()
    expect(page.locator(".jp-Storage-statusItem")).to_contain_text("Saved", timeout=60_000)
    panel.row("model.safetensors").click()
    page.mouse.move(900, 500)
    page.wait_for_timeout(500)
    page.screenshot(path=IMAGES / name)


def main() -> None:
    """Write both pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, running_lab(Path(directory) / "lab") as lab:
        _fill(lab)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
            )
            for theme, name in (
                ("JupyterLab Light", "panel-light.png"),
                ("JupyterLab Dark", "panel-dark.png"),
            ):
                context = browser.new_context(viewport={"width": 1200, "height": 860})
                _picture(context.new_page(), lab, theme, name)
                context.close()
            browser.close()


if __name__ == "__main__":
    main()
