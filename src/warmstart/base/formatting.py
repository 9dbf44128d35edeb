"""Numbers and tables as text for people."""


def format_table(headers: list[str], rows: list[list[str]]) -> str:
    """A plain table: the first column is aligned to the left, the others to the right."""
    widths = [max(len(line[i]) for line in [headers, *rows]) for i in range(len(headers))]
    lines = []
    for line in [headers, ["-" * w for w in widths], *rows]:
        cells = [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def format_duration(seconds: float) -> str:
    """A length of time.

    >>> format_duration(75)
    '1m15s'
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def format_p(p: float) -> str:
    """A probability of chance, as a number that is not 0.

    >>> format_p(0.0421), format_p(0.00002)
    ('0.042', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def with_article(noun: str) -> str:
    """A noun with ``a`` or ``an``.

    >>> with_article("choice task"), with_article("entailment task")
    ('a choice task', 'an entailment task')
    """
    return f"{'an' if noun[:1] in 'aeio' else 'a'} {noun}"


def format_count(count: int, noun: str) -> str:
    """A number and its noun.

    >>> format_count(1, "seed"), format_count(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
