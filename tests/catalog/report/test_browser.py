"""The page in a real browser: nothing overflows, nothing is fetched, tables sort."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import REMEDY, Page, browser, find_chromium
from evidences import make_release, make_tables

from neuropair.catalog.report import write_report

# elements that end right of the window and do not lie in a box that scrolls by itself
_TOO_WIDE = """[...document.querySelectorAll("body *")].filter(one =>
    one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll, .skip, svg")
).map(one => one.tagName + "." + one.className)"""
_TEXT_OUT = """[...document.querySelectorAll("svg text")].filter(one => {
    const [own, all] = [one.getBoundingClientRect(), one.closest("svg").getBoundingClientRect()];
    return own.left < all.left - 1.5 || own.right > all.right + 1.5 || own.bottom > all.bottom + 1.5
        || own.top < all.top - 1.5;
}).map(one => one.textContent)"""
_TEXT_SIZE = """Math.min(...[...document.querySelectorAll("svg text")].map(one =>
    12 * one.closest("svg").getBoundingClientRect().width / 360))"""
# WCAG 2.1, relative luminance and contrast of text on what is drawn behind it
_CONTRAST = """(() => {
    const numbers = (text) => (text.match(/[0-9.]+/g) || []).map(Number);
    const light = (rgb) => rgb.slice(0, 3).map(v => v / 255)
        .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
    const behind = (one) => {
        for (; one; one = one.parentElement) {
            const rgb = numbers(getComputedStyle(one).backgroundColor);
            if (rgb.length === 3 || rgb[3] > 0) return rgb;
        }
        return [255, 255, 255];
    };
    let least = 99;
    const texts = "h1,h2,h3,p,a,li,td,th,dt,dd,summary,.badge,svg text";
    for (const one of document.querySelectorAll(texts)) {
        const style = getComputedStyle(one);
        const front = numbers(one.closest("svg") ? style.fill : style.color);
        const [a, b] = [light(front), light(behind(one))].sort((x, y) => y - x);
        least = Math.min(least, (a + 0.05) / (b + 0.05));
    }
    return least;
})()"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    path = folder / "report.html"
    write_report(make_release(folder / "corpus", make_tables(12, 60)), path)
    return path


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    program = find_chromium()
    if program is None:
        pytest.fail(f"no chromium on the PATH; {REMEDY}")
    with browser(program) as opened:
        yield opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_reads(page: Page, report: Path, width: int, scheme: str) -> None:
    page.open(report, width=width, scheme=scheme)
    page.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.run("document.documentElement.scrollWidth") == width
    assert page.run(_TOO_WIDE) == []
    assert page.run(_TEXT_OUT) == []
    assert page.run(_TEXT_SIZE) >= 11
    assert page.run(_CONTRAST) >= 4.5
    ground = page.run("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}[scheme]


def test_it_fetches_and_runs_nothing_of_the_data(page: Page, report: Path) -> None:
    page.open(report, width=1280)
    assert page.complaints == []
    assert {url.split(":")[0] for url in page.requests} <= {"file"}
    assert len({url.split("#")[0] for url in page.requests}) == 1


def test_tables_sort_by_keyboard_and_print(page: Page, report: Path) -> None:
    page.open(report, width=1280)
    column = (
        """[...document.querySelector("#splits tbody").rows].map(r => r.cells[2].textContent)"""
    )
    press = """document.querySelectorAll("#splits th button")[2].click()"""
    page.run(press)
    up = page.run(column)
    assert up == sorted(up, key=int)
    page.run(press)
    assert page.run(column) == sorted(up, key=int, reverse=True)
    assert page.printed().startswith(b"%PDF")
