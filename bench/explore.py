"""The page of ``embed explore``: how long it takes to make, how large it is, and how it moves in a browser.

python bench/explore.py [--points 100000] [--width 50] [--frames 40] [--pictures DIR] [--json]

Words are syllables, vectors normal around 90 centres. Chromium draws in software, without a graphics card: frames a second
are those of this processor, and of little use where it is busy. What the page itself takes of each frame is said beside, in
processor time of its main thread. ``--pictures`` keeps both themes and a phone's width.
"""

import argparse
import json
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from warmstart.cli.main import main as warmstart
from warmstart.embed.writing import write_vectors

SYLLABLES = (
    "ba",
    "ri",
    "to",
    "ne",
    "lu",
    "ka",
    "shi",
    "mo",
    "ver",
    "dan",
    "el",
    "qui",
    "za",
    "por",
    "ta",
    "gli",
    "sen",
    "hu",
)
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PAN = """async (most) => {
  const canvas = document.getElementById("points");
  const box = canvas.getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  const send = (type, target, clientX, clientY) =>
    target.dispatchEvent(new MouseEvent(type, { bubbles: true, view: window, buttons: 1, clientX, clientY }));
  send("mouseenter", canvas, x, y);
  send("mousedown", canvas, x, y);
  const begin = performance.now();
  let frames = 0;
  for (; frames < most && performance.now() - begin < 20000; frames++) {
    send("mousemove", window, x + 80 * Math.sin(frames / 20), y + 60 * Math.sin(frames / 15));
    await new Promise(requestAnimationFrame);
  }
  send("mouseup", window, x, y);
  return { frames, seconds: (performance.now() - begin) / 1000 };
}"""


def make_page(folder: Path, points: int, width: int) -> dict[str, float]:
    """The page ``page.html`` in ``folder``."""
    draw = np.random.default_rng(0)
    words: dict[str, None] = {}
    while len(words) < points:
        words.update(dict.fromkeys("".join(draw.choice(SYLLABLES, draw.integers(2, 6))) for _ in range(points)))
    own = list(words)[:points]
    groups = draw.integers(0, 90, points)
    vectors = draw.normal(size=(90, width))[groups] * 2 + draw.normal(size=(points, width)) * 0.8
    write_vectors(str(folder / "words.npz"), own, vectors.astype(np.float32))
    rows = "".join(f"{word}\tgroup {group % 9}\n" for word, group in zip(own, groups, strict=True))
    (folder / "columns.tsv").write_text("word\tgroup\n" + rows)
    begun_s = time.process_time()
    argv = ["words.npz", "--columns", "columns.tsv", "--out", "page.html"]
    argv = [str(folder / word) if "." in word else word for word in argv]
    assert warmstart(["embed", "explore", *argv, "--points", str(points)]) == 0
    return {"made_cpu_s": time.process_time() - begun_s, "megabytes": (folder / "page.html").stat().st_size / 1e6}


def open_page(browser: Browser, path: Path, width: int, scheme: Any) -> Page:
    """The page, drawn."""
    page = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    ).new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready]", timeout=120_000)
    return page


def pan(page: Page, frames: int) -> dict[str, float]:
    """Moves the map to and fro."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent_s() -> dict[str, float]:
        found = session.send("Performance.getMetrics")["metrics"]
        return {one["name"]: one["value"] for one in found}

    before = spent_s()
    moved = page.evaluate(PAN, frames)
    after = spent_s()
    return {
        "frames_per_s": moved["frames"] / moved["seconds"],
        "script_ms_per_frame": 1000 * (after["ScriptDuration"] - before["ScriptDuration"]) / moved["frames"],
        "main_thread_ms_per_frame": 1000 * (after["TaskDuration"] - before["TaskDuration"]) / moved["frames"],
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--width", type=int, default=50)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with TemporaryDirectory() as folder, sync_playwright() as driver:
        results = make_page(Path(folder), options.points, options.width)
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        path = Path(folder, "page.html")
        for name, width, scheme in (("light", 1280, "light"), ("dark", 1280, "dark"), ("phone", 390, "light")):
            if options.pictures is not None:
                open_page(browser, path, width, scheme).screenshot(path=options.pictures / f"{name}.png")
        results |= pan(open_page(browser, path, 1280, "light"), options.frames)
        browser.close()
    if options.json:
        print(json.dumps(results))
    else:
        print("\n".join(f"{name:26} {value:10.2f}" for name, value in results.items()))


if __name__ == "__main__":
    main()
