"""Results of the verbs of embeddings for a person."""

from collections.abc import Mapping
from typing import Any

from warmstart.base.console import print_text
from warmstart.base.formatting import format_count, format_table


def show_embed_evaluate(result: Mapping[str, Any]) -> None:
    """A row per test, source and metric; then the comparisons."""
    if "etnlp" in result:
        _etnlp(result["etnlp"])
        return
    rows = []
    for test in result["tests"]:
        for name, own in test["sources"].items():
            for metric, value in own["metrics"].items():
                low, high = own["intervals"][metric] or (None, None)
                counts = f"{own['covered']:,}/{test['items']:,}"
                rows.append([test["test"], name, metric, *map(_number, (value, low, high)), counts,
                             _number(own["matched"][metric])])  # fmt: skip
    print_text(format_table(["test", "source", "metric", "value", "95 % from", "to", "covered", "matched"], rows))
    found = [(test["test"], one) for test in result["tests"] for one in test["comparisons"]]
    if found:
        rows = [
            [name, f"{one['first']} - {one['second']}", one["metric"], f"{one['difference']:+.4f}",
             f"{one['p_permutation']:.4f}", f"{one['p_holm']:.4f}"]
            for name, one in found
        ]  # fmt: skip
        print_text("")
        print_text(format_table(["matched items of", "sources", "metric", "difference", "p", "p (Holm)"], rows))

    if result["correlations"]:
        rows = [
            [one["intrinsic"], one["downstream"], str(one["sources"]), f"{one['pearson']:+.3f}",
             *(f"{bound:+.3f}" for bound in one["interval"]), f"{one['spearman']:+.3f}", f"{one['p_holm']:.4f}"]
            for one in result["correlations"]
        ]  # fmt: skip
        names = ["test", "with", "sources", "Pearson", "95 % from", "to", "Spearman", "p (Holm)"]
        print_text("")
        print_text(format_table(names, rows))


def _number(value: float | None) -> str:
    """A value, or a dash where there is none."""
    return "–" if value is None else f"{value:.4f}"


def show_embed_extract(result: Mapping[str, Any]) -> None:
    """The file."""
    left_out = f"; {result['left_out']:,} without a vector" if result["left_out"] else ""
    print_text(f"{result['out']}: {format_count(result['words'], 'vector')} of {result['width']} numbers{left_out}")


def show_embed_distil(result: Mapping[str, Any]) -> None:
    """The folder."""
    tokens = format_count(result["tokens"], "token")
    print_text(f"{result['out']}: vectors of {tokens}, {result['width']} numbers each, in {result['seconds']:.0f} s")


def show_embed_train(result: Mapping[str, Any]) -> None:
    """The file."""
    words = format_count(result["words"], "word")
    print_text(f"{result['out']}: vectors of {words}, {result['width']} numbers each, in {result['seconds']:.0f} s")


def show_embed_neighbours(result: Mapping[str, Any]) -> None:
    """A table per word, a column per source."""
    for number, one in enumerate(result["neighbours"]):
        columns = [
            [f"{word} {cosine:.3f}" for word, cosine in own["nearest"]] or ["no vector"]
            for own in one["sources"].values()
        ]
        rows = [
            [column[row] if row < len(column) else "" for column in columns] for row in range(max(map(len, columns)))
        ]
        lines = [[str(place), *row] for place, row in enumerate(rows, start=1)]
        print_text(("\n" if number else "") + format_table([one["word"], *one["sources"]], lines))


def show_embed_explore(result: Mapping[str, Any]) -> None:
    """The page, and how many terms each source has a vector for."""
    known = ", ".join(f"{name} {count:,}" for name, count in result["sources"].items())
    print_text(f"{result['out']}: {format_count(result['terms'], 'point')} ({known} with a vector)")


def _etnlp(results: list[Mapping[str, Any]]) -> None:
    for test in results:
        rows = [
            [name, f"{own['map@10']:.6f}", f"{own['lines']:,}", f"{own['unknown']:,}", f"{own['phrase_answers']:,}"]
            for name, own in test["sources"].items()
        ]
        print_text(format_table([test["test"], "MAP@10", "lines", "unknown", "phrase answers"], rows))
        for one in test["comparisons"]:
            print_text(f"{one['first']} vs. {one['second']}: t {one['statistic']:.4f}, p {one['p_value']:.4g}")
