"""A verb's result for a person: a few words or a small table on standard output, where ``--json`` shows the object."""

from collections.abc import Mapping
from typing import Any

from warmstart.base.console import print_text
from warmstart.base.formatting import format_count, format_duration, format_p, format_table
from warmstart.cli.show_embed import (
    show_embed_distil,
    show_embed_evaluate,
    show_embed_explore,
    show_embed_extract,
    show_embed_neighbours,
    show_embed_train,
)
from warmstart.cli.verb import EXPLAIN, Verb


def show(verb: Verb, result: Mapping[str, Any]) -> None:
    """Shows what ``verb`` came to."""
    SHOWN[EXPLAIN if verb.explains else verb.name](result)


def _run(result: Mapping[str, Any]) -> None:
    """A training: where it is, what it took, how good it is; with several trainings each arm's mean and spread."""
    print_text(
        f"{result['run']}: {result['steps']:,} steps, {result['tokens']:,} tokens, {format_duration(result['seconds'])}"
    )
    split = result["runs"][0].get("split", "") if "runs" in result else result.get("split", "")
    _metrics(result, _title(result, split or "dev") if "test" in result or split else "")
    if "test" in result:
        print_text("")
        _metrics(result["test"], _title(result["test"], "test"))
    for split, found in (("dev", result), ("test", result.get("test", {"tasks": result.get("tests", {})}))):
        _tasks(found.get("tasks", {}), split)
    _attempts(result)
    arms = {name: result[name] for name in ("pretrained", "scratch") if name in result}
    baselines = result.get("baselines", {})
    if arms or baselines:
        rows = [
            [name, f"{arm['mean']:.4f}", f"{arm['std']:.4f}", str(len(arm["values"]))] for name, arm in arms.items()
        ]
        metric = result["metric"]
        rows += [[name, f"{one['metrics'][metric]:.4f}", "", ""] for name, one in baselines.get("each", {}).items()]
        print_text("")
        print_text(
            format_table([f"{metric} on {baselines.get('split') or result['split']}", "mean", "std", "runs"], rows)
        )
    for part in ("comparison", "baselines"):
        if part in result:
            print_text(result[part]["sentence"])
            _paired(result[part].get("paired", {}))


def _paired(found: Mapping[str, Any]) -> None:
    """Tests over the examples alone, where there are any."""
    if found.get("p_randomisation") is None:
        return
    each = ", ".join(format_p(one["p"]) for one in found["mcnemar"])
    mcnemar = f"; McNemar's exact test, seed by seed: p {each}" if each else ""
    print_text(
        f"On these examples alone, whatever other seeds would do: approximate randomisation, p "
        f"{format_p(found['p_randomisation'])}{mcnemar}."
    )


def _attempts(result: Mapping[str, Any]) -> None:
    """The trainings of a run that collapsed and was begun again."""
    if attempts := result.get("attempts"):
        metric, marks = result["metric"], {True: "yes", False: ""}
        rows = [
            [one["run"], str(one["seed"]), f"{one['lr']:.3g}", f"{one['metrics'][metric]:.4f}", marks[one["collapsed"]]]
            for one in attempts
        ]
        print_text("")
        print_text(format_table(["attempt", "seed", "rate", f"{metric} on dev", "collapsed"], rows))


def _title(result: Mapping[str, Any], split: str) -> str:
    """A split with the number of its examples."""
    return f"{split}, {format_count(result['examples'], 'example')}" if "examples" in result else split


def _study(result: Mapping[str, Any]) -> None:
    """A study: its table, every comparison, and the answer."""
    heads = ["row", *([result["columns"]] if result["columns"] else []), result["metric"], "std", "seeds"]
    rows = []
    for one in [*result["table"], *result["baselines"]]:
        place = [one["column"]] if result["columns"] else []
        rows.append([one["row"], *place, f"{one['mean']:.4f}", f"{one['std']:.4f}", str(len(one["values"]))])
    print_text(format_table(heads, rows))
    print_text("")
    heads = [f"gain of {result['table'][0]['row']} over", "gain", "95 % from", "to", "p (Holm)", "verdict"]
    print_text(format_table(heads, _gains(result)))
    print_text(f"\n{result['answer']}\n{result['page']}")


def _gains(result: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for one in result["comparisons"]:
        low, high = one["interval"] or (None, None)
        numbers = [f"{number:+.4f}" if number is not None else "" for number in (one["gain"], low, high)]
        p = "" if one["p_holm"] is None else f"{one['p_holm']:.4f}"
        rows.append([f"{one['other']} {one['column']}".strip(), *numbers, p, one["verdict"]])
    return rows


def _metrics(result: Mapping[str, Any], title: str = "metric") -> None:
    """One line per metric, with its interval where there is one."""
    intervals = result.get("intervals") or {}
    rows = []
    for name, value in result["metrics"].items():
        low, high = (f"{bound:.4f}" for bound in intervals[name]) if name in intervals else ("", "")
        rows.append([name, f"{value:.4f}", low, high] if intervals else [name, f"{value:.4f}"])
    print_text(
        format_table(
            [title or "metric", "value", "95 % from", "to"] if intervals else [title or "metric", "value"], rows
        )
    )


def _tasks(tasks: Mapping[str, Any], split: str = "") -> None:
    """The metrics of each of several tasks, on a split where it is known which."""
    for name, found in tasks.items():
        print_text("")
        _metrics(found, f"{name}: {_title(found, split)}" if split else _title(found, name))


def _evaluate(result: Mapping[str, Any]) -> None:
    _metrics(result)
    _tasks(result.get("tasks", {}))
    counted = "token" if "tokens" in result else "example"
    print_text(format_count(result[f"{counted}s"], counted))


def _prepare(result: Mapping[str, Any]) -> None:
    name = result["corpus"]  # its counts are shown before
    print_text(f"{name}: ready for warmstart pretrain --corpus {name} --out RUN")


def _predict(result: Mapping[str, Any]) -> None:
    if result["output"] != "-":  # there the predictions themselves are on standard output
        print_text(f"{result['output']}: {format_count(result['examples'], 'prediction')}")


def _submit(result: Mapping[str, Any]) -> None:
    rows = [[name, f"{count:,}"] for name, count in result["files"].items()]
    print_text(format_table(["file", "predictions"], rows))
    print_text(
        f"{result['out']}: " + ("complete" if not result["missing"] else f"{len(result['missing'])} files missing")
    )


def _generate(result: Mapping[str, Any]) -> None:
    if result.get("streamed"):
        print_text("")
        return
    for generation in result["generations"]:
        print_text(f"{generation.get('prompt', '')}{generation['text']}")


def _explain(result: Mapping[str, Any]) -> None:
    for line in result["words"]:
        print_text(line)
    print_text(f"\nsettings (without --all those that differ from the defaults)\n{result['settings'].rstrip()}")


def _score(result: Mapping[str, Any]) -> None:
    _evaluate(result)
    if "against" in result:
        print_text("")
        rows = [
            [
                name,
                f"{value:.4f}",
                f"{result['difference'][name]['gain']:+.4f}",
                f"{result['difference'][name]['p_value']:.4f}",
            ]
            for name, value in result["against"]["metrics"].items()
        ]
        print_text(format_table(["metric", "the other", "gain", "p"], rows))


def _rerank(result: Mapping[str, Any]) -> None:
    if result["output"] != "-":  # there the texts themselves are on standard output
        print_text(f"{result['output']}: {format_count(result['examples'], 'text')}")


def _zeroshot(result: Mapping[str, Any]) -> None:
    _metrics(result)
    print_text(format_count(result["examples"], "example"))
    for name, part in result.get("parts", {}).items():
        print_text("")
        _metrics(part, _title(part, name))
    if points := result.get("curve"):
        print_text("")
        rows = [[f"{one['step']:,}", *(f"{value:.4f}" for value in one["metrics"].values())] for one in points]
        print_text(format_table(["step", *points[0]["metrics"]], rows))
        gain = result["gain"]
        print_text(
            f"{result['main']}, last over first: {gain['value']:+.4f} "
            f"(95 % interval {gain['low']:+.4f} to {gain['high']:+.4f})"
        )


def _overlap(result: Mapping[str, Any]) -> None:
    rows = [[name, *(f"{value:.2%}" for value in part.values())] for name, part in result["files"].items()]
    print_text(format_table(["file", *result["metrics"]], rows))
    print_text(f"false positives: {result['false_positive_rate']:.1e} of {format_count(result['grams'], 'n-gram')}")


def _report(result: Mapping[str, Any]) -> None:
    print_text(str(result["out"]))


def _convert(result: Mapping[str, Any]) -> None:
    print_text(f"{result['out']}: {result['model_type']}, {result['parameters']:,} weights")


def _demo(result: Mapping[str, Any]) -> None:
    print_text(result["page"])  # the table is shown before


def _completion(result: Mapping[str, Any]) -> None:
    print_text(result["script"].rstrip("\n"))


SHOWN = {
    "prepare": _prepare,
    "pretrain": _run,
    "finetune": _run,
    "study": _study,
    "evaluate": _evaluate,
    "predict": _predict,
    "submit": _submit,
    "generate": _generate,
    EXPLAIN: _explain,
    "score": _score,
    "rerank": _rerank,
    "zeroshot": _zeroshot,
    "overlap": _overlap,
    "report": _report,
    "convert": _convert,
    "demo": _demo,
    "completion": _completion,
    "embed extract": show_embed_extract,
    "embed neighbours": show_embed_neighbours,
    "embed explore": show_embed_explore,
    "embed evaluate": show_embed_evaluate,
    "embed distil": show_embed_distil,
    "embed train": show_embed_train,
}
