"""From a docstring to prose: without markup, examples, tables, formulas and code, and without what names the library."""

import re
from collections.abc import Iterator

MIN_WORDS, MAX_WORDS = 12, 80

_SECTION = re.compile(
    r"(?:keyword |other )?(args?|arguments?|attributes?|examples?|inputs?|outputs?|parameters?|raises|references|"
    r"returns?|see also|shape|usage|warns|yields|notes?|warnings?)\s*:*"
)
_MARKUP = (
    (re.compile(r"`([^`<]*?)\s*<[^`>]*>`_{0,2}"), r"\1"),
    (re.compile(r"(?<!\w):[\w:+.-]+:(?=`)"), ""),
    (re.compile(r"\[[\w.]{1,12}\]_"), ""),
    (re.compile(r"https?://\S+"), ""),
    (re.compile(r"[`*]+~?|\|(?=\w)|(?<=\w)\|"), ""),
    (re.compile(r"\s+"), " "),
    (re.compile(r" +(?=[,.;:!?)](?:\s|$))"), ""),
)
_LIBRARY_NAMES = re.compile(
    r"\b\w*(?:torch|sympy|networkx|sklearn|scikit-?(?:learn|image)?|scipy|numpy|matplotlib|pyplot|c?python)[\w-]*",
    re.IGNORECASE,
)
_DOTTED = re.compile(r"\b(?:[A-Za-z_]\w+\.)+(?=[A-Za-z_]\w)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z(\"'])")
_NO_LETTER = re.compile(r"[^a-zA-Z ]")


def paragraphs(text: str) -> Iterator[tuple[str, str]]:
    """Pairs of (section, paragraph on one line) of a docstring, without markup, examples, formulas and code.

    The section is '' before the first heading, then the heading in lower case (numpydoc's and Google's are known).
    """
    section, dropping = "", False
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip("\n").split("\n")
        indented = lines[0][:1].isspace()
        if dropping and indented:
            continue
        dropping = lines[0].startswith("..") or block.rstrip().endswith("::")
        heading = _SECTION.fullmatch(lines[0].strip().lower())
        if heading or (len(lines) > 1 and re.fullmatch(r"[-=~^*]{3,}", lines[1].strip())):
            section = heading[1] if heading else lines[0].strip().lower()
            lines = [line for line in lines[1:] if not re.fullmatch(r"\s*[-=~^*]{3,}\s*", line)]
        code = lines[:1] == [".."] or any(line.lstrip().startswith((">>>", "..")) for line in lines)
        paragraph = _without_markup(" ".join(lines))
        if not code and _is_prose(paragraph) and not (indented and not section):
            yield section, paragraph


def _without_markup(text: str) -> str:
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    return text.strip()


def _is_prose(text: str) -> bool:
    """Letters and blanks make most of a sentence, and little of a formula, a table or a signature."""
    return bool(text) and len(_NO_LETTER.findall(text)) <= 0.15 * len(text)


def mask_names(text: str) -> str:
    """``text`` without what gives the answer away: of dotted names the last part, for names of libraries 'library'."""
    return _LIBRARY_NAMES.sub("library", _DOTTED.sub("", text))


def description(text: str) -> str:
    """The labelled item's text: the prose's first whole sentences, masked, 12 to 80 words; '' where there are none."""
    prose = " ".join(paragraph for section, paragraph in paragraphs(text) if section in ("", "note", "notes"))
    kept: list[str] = []
    for sentence in _SENTENCE_END.split(mask_names(prose)):
        if len(kept) + len(sentence.split()) > MAX_WORDS:
            break
        kept += sentence.split()
    return " ".join(kept) if len(kept) >= MIN_WORDS else ""
