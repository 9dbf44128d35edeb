"""The page of ``embed explore`` in a browser: what a person does by mouse, keys and touch, and what is then seen.

Witness: Chromium, without a window and without a network; the answers of ``embed neighbours``; places by hand.
"""

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warmstart.cli.main import main
from warmstart.embed.neighbours import neighbours
from warmstart.embed.space import Space
from warmstart.embed.writing import write_vectors
from warmstart.readers.word_vectors import read_word_vectors

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed, so no browser is driven")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here, so the page is not looked at")
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
WORDS = [f"wörd_{n}" for n in range(40)] + ["<img src=x onerror=document.title=1>"]
SIZE = {"width": 780, "height": 460}


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    for name, width, seed in (("first", 5, 0), ("second", 3, 1)):
        matrix = np.random.default_rng(seed).normal(size=(len(WORDS), width)).astype(np.float32)
        write_vectors(
            str(folder / f"{name}.npz"), WORDS[:: 1 if name == "first" else 2], matrix[:: 1 if seed == 0 else 2]
        )
    rows = "".join(f"{word}\t{'odd' if n % 2 else 'even'}\n" for n, word in enumerate(WORDS))
    (folder / "kinds.tsv").write_text("word\tkind\n" + rows, encoding="utf-8")
    sources = [str(folder / name) for name in ("first.npz", "second.npz")]
    out = folder / "page.html"
    assert (
        main(["embed", "explore", *sources, "--columns", str(folder / "kinds.tsv"), "--top", "5", "--out", str(out)])
        == 0
    )
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, page_file: Path) -> Iterator[Any]:
    """The page, opened from the disk; whatever it complains about or asks for fails the test."""
    context = browser.new_context(viewport=SIZE, reduced_motion="reduce", has_touch=True)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("request", lambda one: None if one.url.startswith(("file:", "blob:", "data:")) else wrong.append(one.url))
    page.goto(page_file.as_uri())
    page.wait_for_selector("body[data-ready]")
    yield page
    assert wrong == [] and page.title() == "first · second"
    context.close()


def nearest(page_file: Path, source: str, word: str) -> list[str]:
    space = Space(source, read_word_vectors(str(page_file.with_name(f"{source}.npz"))))
    return [f"{near} {cosine:.3f}" for near, cosine in neighbours(space, [word], ("word",), 5)[0].nearest]


def shown(page: Any) -> list[list[str]]:
    """Per source its words and cosines, as the panel shows them."""
    return [
        [" ".join(item.inner_text().split()) for item in column.query_selector_all("li")]
        for column in page.query_selector_all(".source")
    ]


def on_screen(page_file: Path, page: Any) -> np.ndarray:
    """[T, 2] where the points are before anything is moved: the map fills 95 % of the smaller side of the stage."""
    from sklearn.decomposition import PCA

    from warmstart.embed.extract import principal_components

    units = Space("first", read_word_vectors(str(page_file.with_name("first.npz")))).unit_VD
    places = principal_components(units, 2)
    np.testing.assert_allclose(np.abs(places), np.abs(PCA(2).fit_transform(units)), atol=1e-5)
    box = page.locator("#points").bounding_box()
    centred = places - (places.min(axis=0) + places.max(axis=0)) / 2
    scaled = centred / np.ptp(places, axis=0).max() * 0.95 * min(box["width"], box["height"])
    return np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]) + scaled * [1, -1]


def test_search_and_neighbours_side_by_side(page: Any, page_file: Path) -> None:
    """Witness: ``embed neighbours`` of each source; accents and case do not matter to the search; a word is no markup."""
    page.keyboard.press("/")
    page.keyboard.type("WORD 1")
    options = page.locator("#results li")
    assert options.all_inner_texts()[:2] == ["wörd_1", "wörd_10"] and options.count() == 11
    assert page.locator("#live").inner_text() == "11 matches"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.locator("#query").get_attribute("aria-activedescendant") == "match-1"
    page.keyboard.press("Enter")
    assert page.locator("#chosen h2").inner_text() == "wörd_10" and options.first.is_hidden()
    told = [[f"{line.replace(' •', '')}" for line in column] for column in shown(page)]
    assert told == [nearest(page_file, source, "wörd_10") for source in ("first", "second")]
    assert page.locator("#chosen .values").inner_text().split() == ["kind", "even"]
    page.locator(".source .word").first.click()
    word = page.locator("#chosen h2").inner_text()
    assert [word] == [line.rpartition(" ")[0] for line in nearest(page_file, "first", "wörd_10")[:1]]
    page.go_back()
    assert page.locator("#chosen h2").inner_text() == "wörd_10"
    page.keyboard.press("/")
    page.keyboard.type("<img")
    page.keyboard.press("Enter")
    assert page.locator("#chosen h2").inner_text() == WORDS[-1]
    page.keyboard.press("Escape")
    assert page.locator("#chosen h2").inner_text() == "41 words"


def test_points_are_hovered_and_chosen(page: Any, page_file: Path) -> None:
    """Witness: where the point farthest from all others has to be, by scikit-learn's principal components."""
    places = on_screen(page_file, page)
    distances = np.linalg.norm(places[:, None] - places, axis=2) + np.eye(len(places)) * 1e9
    term = int(distances.min(axis=1).argmax())
    page.mouse.move(*(places[term] + [30, 30]))
    page.mouse.move(*places[term], steps=3)
    page.wait_for_selector("#tip:not([hidden])")
    kind = "odd" if term % 2 else "even"
    assert page.locator("#tip").inner_text().split("\n") == [WORDS[term], f"kind: {kind}"]
    page.mouse.click(*places[term])
    page.wait_for_function("document.querySelector('#chosen h2').textContent !== '41 words'")
    assert page.locator("#chosen h2").inner_text() == WORDS[term]
    page.keyboard.press("Escape")
    page.touchscreen.tap(*places[term])
    page.wait_for_function("document.querySelector('#chosen h2').textContent !== '41 words'")
    assert page.locator("#chosen h2").inner_text() == WORDS[term]


def test_a_lasso_selects_what_it_surrounds(page: Any, page_file: Path) -> None:
    """Witness: the points between two lines, and their rows in the file that is saved."""
    places = on_screen(page_file, page)
    across = np.sort(places[:, 0])
    left, right = (float(across[number : number + 2].mean()) for number in (15, 33))
    box = page.locator("#points").bounding_box()
    top, bottom = box["y"] + 2, box["y"] + box["height"] - 2
    page.locator("#lasso").click()
    page.mouse.move(left, top)
    page.mouse.down()
    for corner in ((right, top), (right, bottom), (left, bottom), (left, top + 5)):
        page.mouse.move(*corner, steps=2)
        page.evaluate("new Promise(requestAnimationFrame)")  # moves of one frame would come as one
    page.mouse.up()
    page.wait_for_selector("#selection:not([hidden])")
    inside = [word for word, (x, _) in zip(WORDS, places, strict=True) if left < x < right]
    assert page.locator("#selection h2").inner_text() == f"{len(inside)} selected"
    assert sorted(page.locator(".selected li").all_inner_texts()) == sorted(inside)
    with page.expect_download() as saved:
        page.get_by_text("Save as CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(saved.value.path()).read_text("utf-8"))))
    assert sorted(row["word"] for row in rows) == sorted(inside) and rows[0].keys() == {"word", "x", "y", "kind"}
    assert {row["kind"] for row in rows if row["word"] == "wörd_3"} <= {"odd"}
    for _ in range(2):  # out of the lasso, out of the selection
        page.keyboard.press("Escape")
    assert page.locator("#selection").is_hidden() and page.locator("#lasso").get_attribute("aria-pressed") == "false"


def test_maps_colours_table_and_theme(page: Any) -> None:
    """Invariant: every map and colouring can be shown; the table has every word; the button wins over the system's theme."""
    assert page.locator("#legend").inner_text().split() == ["kind", "even", "odd"]
    page.select_option("#map", label="second")
    assert page.locator("#points").get_attribute("aria-label").startswith("Map of 21 words of second (pca)")
    page.select_option("#colour", label="place in the file")
    assert page.locator("#legend").inner_text().split() == ["place", "in", "the", "file", "41", "1"]
    page.locator("#as-table").click()
    cells = [row.query_selector("th").inner_text() for row in page.query_selector_all("#table tbody tr")]
    assert sorted(cells) == sorted(WORDS) and page.locator("#stage").is_hidden()
    page.get_by_role("button", name="wörd_7", exact=True).click()
    assert page.locator("#chosen h2").inner_text() == "wörd_7"
    assert "no vector" in page.locator(".source").nth(1).inner_text()
    page.set_viewport_size({"width": 1000, "height": 500})
    page.locator("#as-table").click()
    page.wait_for_function("document.querySelector('#points').width === document.querySelector('#stage').clientWidth")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"{ground} !== '{light}'")
    page.locator("#theme").click()
    assert page.evaluate(ground) == light and page.locator("#theme").get_attribute("title").endswith("light")


def test_a_phone_shows_all_of_it(page: Any) -> None:
    """Invariant: nothing is wider than the screen; map and neighbours both have room."""
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(page.url + "#w%C3%B6rd_4")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for part in ("#stage", "#panel"):
        box = page.locator(part).bounding_box()
        assert box["width"] == 390 and box["height"] > 200
    assert page.locator("#chosen h2").inner_text() == "wörd_4"
