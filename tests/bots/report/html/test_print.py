"""A report on paper, from a screen that is dark: light, as wide as the page, with every table open."""

from pathlib import Path

from bots.report.html.page import page
from tests.bots.report.sample import document
from tests.support.browser import chromium

STATE = """() => ({
  paper: getComputedStyle(document.documentElement).getPropertyValue("--paper").trim(),
  widths: [...new Set([...document.querySelectorAll(".uplot")].map((plot) => plot.clientWidth))],
  open: [...document.querySelectorAll("details")].filter((each) => each.open).length,
  closed: [...document.querySelectorAll("details")].filter((each) => !each.open).length,
  grids: ["42,48,59", "230,233,238"].filter((color) => {
    const canvas = document.querySelector("canvas");
    const dots = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    for (let at = 0; at < dots.length; at += 4) if (dots.slice(at, at + 3).join() === color) return true;
  }),
})"""


async def test_a_report_prints_in_light_colours_and_is_as_it_was_afterwards(tmp_path: Path) -> None:
    async with chromium() as browser:
        file = tmp_path / "report.html"
        file.write_text(page(document()), "utf-8")
        shown = await browser.new_page(color_scheme="dark", viewport={"width": 1200, "height": 800})
        await shown.goto(file.as_uri())
        states = [await shown.evaluate(STATE)]
        for event in ("beforeprint", "afterprint"):
            await shown.evaluate(f"dispatchEvent(new Event('{event}'))")
            states.append(await shown.evaluate(STATE))
    before, printed, after = states
    assert before == after
    assert (before["paper"], printed["paper"]) == ("#14171c", "#ffffff")
    assert (before["grids"], printed["grids"]) == (["42,48,59"], ["230,233,238"])
    assert printed["widths"] == [680]
    assert (before["open"], printed["closed"]) == (0, 0)
