"""The project's pages as the tests see them: fenced blocks, commands in them, links, headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(r"^ *```(.*)$")
_LINK = re.compile(r"(?<!!)\[[^\]\n]*(?:\n[^\]\n]*)?\]\(([^)\s]+)\)")


def name(path: Path) -> str:
    """A page's path from the top of the project, as tests show it."""
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """One fenced block: ``language`` is the first word behind the fence, ``file`` the second if there is one."""

    line: int
    language: str
    file: str
    text: str


def blocks(path: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    opened: tuple[int, str] | None = None
    inside: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if fence and opened is None:
            opened, inside = (number, fence[1]), []
        elif fence and opened is not None:
            words = [*opened[1].split(), "", ""]
            yield Block(opened[0], words[0], words[1], "\n".join(inside) + "\n")
            opened = None
        else:
            inside.append(line)
    assert opened is None, f"{name(path)}: the block of line {opened} has no end"


def commands(text: str) -> Iterator[str]:
    """The commands of a shell text, each in one line: continued lines joined, comments and empty lines out."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        command = re.sub(r"(^|\s)#\s.*$", "", line).strip()
        if command:
            yield command


def prose(path: Path) -> str:
    """A page without its fenced blocks."""
    kept, inside = [], False
    for line in path.read_text(encoding="utf-8").splitlines():
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def links(path: Path) -> Iterator[tuple[str, str]]:
    """The links of a page to files of the project: (path as written, heading or "")."""
    for target in _LINK.findall(prose(path)):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            yield file, anchor


def anchors(path: Path) -> set[str]:
    """What a link to a heading of this page may say, by GitHub's rule."""
    found: set[str] = set()
    for heading in re.findall(r"(?m)^#+ +(.*)$", prose(path)):
        words = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower())
        found.add(words.replace(" ", "-"))
    return found
