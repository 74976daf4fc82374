"""Experiments of Ray in the panel: found, opened, fetched, gone on with and cleaned up."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Locator, expect
from synthetic_experiments import write_tune

from .panel import Panel
from .server import REPOSITORY

AXE = REPOSITORY / "labextension" / "node_modules" / "axe-core" / "axe.min.js"


def experiments(panel: Panel) -> Locator:
    """The section, with what a person finds who looks now."""
    section = panel.node.locator(".jp-Storage-experiments")
    if not section.is_visible():
        panel.node.locator(".lm-AccordionPanel-title").filter(has_text="Experiments").click()
    section.get_by_role("button", name="Look").click()
    return section


def opened(panel: Panel, name: str) -> Locator:
    section = experiments(panel)
    found = section.get_by_role("region", name=name)
    found.get_by_role("button").first.click()
    return found


def test_an_experiment_shows_its_trials_with_curves_and_the_best_first(
    panel: Panel, shared: Path
) -> None:
    write_tune(shared / "cats", 12)
    found = opened(panel, f"shared:{shared.name}/cats")
    expect(found).to_contain_text("12 trials")
    expect(found).to_contain_text("1 ERROR · 11 TERMINATED")
    trials = found.get_by_role("listitem")
    expect(trials).to_have_count(10)
    expect(trials.first).to_contain_text("11.9")
    expect(trials.first.locator("svg.jp-Storage-sparkline")).to_be_visible()
    found.get_by_role("button", name="Show More").click()
    expect(trials).to_have_count(12)
    trials.first.get_by_role("button").first.click()
    expect(trials.first).to_contain_text("checkpoint_000002 (1 kB) score=11.9")
    expect(trials.first).to_contain_text("net/width=11")
    panel.page.add_script_tag(path=AXE)
    problems = panel.page.evaluate(
        "async () => (await axe.run('.jp-Storage-experiments')).violations.map(v => v.id)"
    )
    assert problems == []


def test_the_best_checkpoint_is_fetched_to_a_folder(panel: Panel, shared: Path) -> None:
    write_tune(shared / "cats")
    found = opened(panel, f"shared:{shared.name}/cats")
    found.get_by_role("button", name="Fetch Best Checkpoint…").click()
    panel.page.locator(".jp-Dialog input").fill(f"shared:{shared.name}/fetched")
    panel.dialog_button("Copy").click()
    expect(panel.transfer("Copy checkpoint_000002")).to_contain_text("Done")
    fetched = list((shared / "fetched").rglob("model.pt"))
    assert [path.stat().st_size for path in fetched] == [1002]


def test_without_a_notebook_the_code_that_restores_is_on_the_clipboard(
    panel: Panel, shared: Path
) -> None:
    write_tune(shared / "cats")
    found = opened(panel, f"shared:{shared.name}/cats")
    found.get_by_role("button", name="Insert Cell That Restores").click()
    expect(panel.page.get_by_text("No notebook is open")).to_be_visible()
    code = panel.page.evaluate("navigator.clipboard.readText()")
    assert f'**location("cats", "shared:{shared.name}")' in code
    compile(code, "cell", "exec")


def test_a_clean_up_asks_and_takes_the_experiment_away(panel: Panel, shared: Path) -> None:
    write_tune(shared / "cats")
    for path in shared.rglob("*.json"):
        os.utime(path, (1.7e9, 1.7e9))
    found = opened(panel, f"shared:{shared.name}/cats")
    found.get_by_role("button", name="Clean Up…").click()
    expect(panel.page.locator(".jp-Dialog")).to_contain_text("cats")
    panel.dialog_button("Delete").click()
    expect(panel.transfer("Delete cats")).to_contain_text("Done")
    assert not (shared / "cats").exists()
    expect(experiments(panel).get_by_role("region")).to_have_count(0)
