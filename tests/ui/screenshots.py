"""Make the pictures of docs/panel.md: ``python -m tests.ui.screenshots`` in the clone's root."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from pathlib import Path

import pyarrow
from playwright.sync_api import Page, expect, sync_playwright
from pyarrow import parquet

from tests.synthetic_experiments import trial_pair, write_state

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
    steps = range(40_000)
    table = pyarrow.table(
        {
            "step": steps,
            "loss": [round(0.2 + 3 / (1 + step / 50), 4) for step in steps],
            "split": ["valid" if step % 10 == 9 else "train" for step in steps],
            "note": ["restarted" if step == 3 else None for step in steps],
        }
    )
    parquet.write_table(table, shared / "evaluation" / "metrics.parquet")
    (shared / "checkpoints" / "metrics-old.csv").write_text("step,loss\n")
    (shared / "model.safetensors").write_bytes(bytes(48_300_000))
    (shared / "params.json").write_text('{"lr": 3e-4}')
    data = lab.tier("user") / "images"
    data.mkdir(parents=True)
    for i in range(40):
        (data / f"{i:04}.png").write_bytes(bytes(90_000))
    (lab.project / "train.py").write_text("print('training')\n")
    _experiment(shared / "runs" / "cats")


def _experiment(directory: Path) -> None:
    """Forty trials that learn faster or slower."""
    pairs = []
    for number in range(40):
        name = f"train_ab12c_{number:05d}"
        speed, best = 2 + number * 7 % 11, 0.72 + (number * 13 % 40) / 160
        scores = [
            round(best * (1 - math.exp(-step / speed)) + 0.01 * math.sin(number + step), 4)
            for step in range(1, 25)
        ]
        checkpoint = directory / name / "checkpoint_000023"
        checkpoint.mkdir(parents=True)
        (checkpoint / "model.pt").write_bytes(bytes(1_300_000))
        rows = [
            {"score": score, "training_iteration": step}
            | ({"checkpoint_dir_name": checkpoint.name} if step == 24 else {})
            for step, score in enumerate(scores, 1)
        ]
        (directory / name / "result.json").write_text(
            "".join(json.dumps(row) + "\n" for row in rows)
        )
        state = "ERROR" if number == 17 else "TERMINATED"
        pairs.append(trial_pair(number, state=state, scores=scores, directory=name))
    write_state(directory, pairs)


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


def _looking(page: Page, theme: str) -> None:
    """A search, and the preview of one of the files that it found."""
    panel = Panel(page)
    page.evaluate("window.jupyterapp.commands.execute('application:close-all')")
    expect(page.locator(".jp-Launcher")).to_be_focused()
    panel.open_tier("shared")
    panel.rows.first.click()
    page.keyboard.press("ControlOrMeta+Shift+f")
    expect(panel.node.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("metrics")
    expect(panel.node.get_by_role("status").first).to_have_text("3 matches")
    panel.row("metrics.parquet").click()
    page.keyboard.press("Space")
    expect(page.locator("#jp-storage-preview")).to_contain_text("The first 50 of")
    page.mouse.move(900, 700)
    page.wait_for_timeout(500)
    page.screenshot(path=IMAGES / f"preview-{theme}.png")


def _experiments(page: Page, theme: str) -> None:
    """The trials of an experiment, and what is known of the best."""
    page.set_viewport_size({"width": 1200, "height": 1000})
    panel = Panel(page)
    titles = panel.node.locator(".lm-AccordionPanel-title")
    for title in ("Tiers", "Files", "Transfers", "Snapshots", "History", "Storages"):
        shown = titles.filter(has_text=title)
        if "lm-mod-expanded" in (shown.get_attribute("class") or ""):
            # Where a click would be, it has buttons.
            shown.dispatch_event("click")
    titles.filter(has_text="Experiments").click()
    panel.node.get_by_role("button", name="Look for Them").click()
    found = panel.node.get_by_role("region", name="shared:runs/cats")
    found.get_by_role("button").first.click()
    found.get_by_role("listitem").first.get_by_role("button").click()
    expect(found.get_by_role("button", name="Fetch Checkpoint…")).to_be_visible()
    page.mouse.move(900, 700)
    page.wait_for_timeout(1000)
    box = panel.node.bounding_box()
    assert box is not None
    clip = {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}
    page.screenshot(path=IMAGES / f"experiments-{theme}.png", clip=clip)


def main() -> None:
    """Write all pictures."""
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
                page = context.new_page()
                _picture(page, lab, theme, name)
                short = theme.split()[1].lower()
                _looking(page, short)
                _experiments(page, short)
                context.close()
            browser.close()


if __name__ == "__main__":
    main()
