"""``warmstart embed evaluate``: sources of vectors against tests of several kinds."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.config.embed_requests import EmbedEvaluateRequest
from warmstart.embed.etnlp import etnlp_lines, etnlp_result, etnlp_t_test
from warmstart.embed.evaluate import correlations, evaluate_spaces
from warmstart.embed.probes import KINDS, EmbeddingTest, ProbeOptions
from warmstart.embed.sources import is_model
from warmstart.embed.space import Space, check_steps
from warmstart.verbs.embed_sources import open_spaces, read_vocabulary


def embed_evaluate(request: EmbedEvaluateRequest) -> dict[str, Any]:
    """Evaluates sources.

    Returns:
        {"sources": {name: {"words", "width", "duplicates"}}, "tests": […], "correlations": […]}, as
        :func:`~warmstart.embed.evaluate.evaluate_spaces` and :func:`~warmstart.embed.evaluate.correlations` have it; with
        ``compat`` as :func:`_as_etnlp` has it.

    Raises:
        BadInput: no test, a file that cannot be read, or an unknown way to find a vector.
    """
    check_steps(request.find, "--find")
    if request.compat == "etnlp":
        return _as_etnlp(request)
    tests = _read_tests(request)
    spaces = _open(request, tests)
    results = evaluate_spaces(spaces, tests, request.find)
    return {"sources": _described(spaces), "tests": results, "correlations": correlations(tests, results)}


def _read_tests(request: EmbedEvaluateRequest) -> list[EmbeddingTest]:
    options = ProbeOptions(request.method, request.encoding)
    tests = [read(path, options) for kind, read in KINDS.items() for path in getattr(request, kind)]
    if not tests:
        flags = ", ".join(f"--{kind}" for kind in KINDS)
        raise BadInput("nothing to evaluate by", allowed=flags, next_step="give one of these, with a file")
    return tests


def _open(request: EmbedEvaluateRequest, tests: Sequence[EmbeddingTest] = ()) -> list[Space]:
    words = [term for test in tests for term in test.terms]
    if request.vocabulary is not None:
        words += read_vocabulary(request.vocabulary, request.encoding)
    elif request.analogies and any(map(is_model, request.sources)):
        say(
            "warning: a model has no list of words of its own, so it answers analogies with the words of the tests only, "
            "which is easier than with all words; --vocabulary FILE names more"
        )
    return open_spaces(request, words)


def _described(spaces: list[Space]) -> dict[str, Any]:
    return {
        space.name: {"words": len(space.words), "width": space.width, "duplicates": space.vectors.num_duplicates}
        for space in spaces
    }


def _as_etnlp(request: EmbedEvaluateRequest) -> dict[str, Any]:
    """{"sources", "etnlp": [{"test", "sources": {name: {"map@10", "lines", "unknown", …}}, "comparisons"}]}."""
    if not request.analogies or any(getattr(request, kind) for kind in KINDS if kind != "analogies"):
        raise BadInput(
            "this tool's figures are of analogies", where="--compat", value="etnlp", allowed="--analogies alone",
            next_step="run the other tests without --compat",
        )  # fmt: skip
    files = {path: etnlp_lines(path, request.encoding) for path in request.analogies}
    spaces = _open(request)
    results = []
    for path, lines in files.items():
        found = {space.name: etnlp_result(space, lines) for space in spaces}
        results.append({
            "test": path,
            "sources": {
                name: {
                    "map@10": one.map_at_10, "lines": len(lines), "unknown": one.num_unknown,
                    "phrases": one.num_phrases, "phrase_answers": one.num_phrase_answers,
                }
                for name, one in found.items()
            },
            "comparisons": [
                {"first": first, "second": second} | etnlp_t_test(found[first], found[second])._asdict()
                for first, second in combinations(found, 2)
            ],
        })  # fmt: skip
    return {"sources": _described(spaces), "etnlp": results}
