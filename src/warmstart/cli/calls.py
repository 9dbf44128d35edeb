"""What a verb calls: its plain function, which is imported only when it runs; for each the result that ``--json`` shows."""

from typing import Any

from warmstart.base.imports import no_garbage_collection
from warmstart.cli.verb import RunOptions


def call_prepare(settings: Any, options: RunOptions) -> Any:
    """``warmstart prepare``."""
    with no_garbage_collection():
        from warmstart.verbs.prepare import prepare

    return prepare(settings)


def call_pretrain(settings: Any, options: RunOptions) -> Any:
    """``warmstart pretrain``."""
    with no_garbage_collection():
        from warmstart.verbs.pretrain import pretrain

    return pretrain(settings, options.out, options.resume)


def call_finetune(settings: Any, options: RunOptions) -> Any:
    """``warmstart finetune``."""
    with no_garbage_collection():
        from warmstart.verbs.finetune import finetune

    return finetune(settings, options.out, options.resume)


def call_study(settings: Any, options: RunOptions) -> Any:
    """``warmstart study``."""
    with no_garbage_collection():
        from warmstart.verbs.study import study

    return study(settings, options.out)


def call_explain(settings: Any, options: RunOptions) -> Any:
    """``warmstart explain``."""
    with no_garbage_collection():
        from warmstart.build.scale import Scale
        from warmstart.verbs.explain import explain

    way: Any = options.parallel
    scale = None if options.world is None else Scale(options.world, way, options.tflops)
    return explain(settings, options.all, scale)


def call_evaluate(settings: Any, options: RunOptions) -> Any:
    """``warmstart evaluate``."""
    with no_garbage_collection():
        from warmstart.verbs.evaluate import evaluate

    return evaluate(settings)


def call_predict(settings: Any, options: RunOptions) -> Any:
    """``warmstart predict``."""
    with no_garbage_collection():
        from warmstart.verbs.predict import predict

    return predict(settings)


def call_submit(settings: Any, options: RunOptions) -> Any:
    """``warmstart submit``."""
    with no_garbage_collection():
        from warmstart.verbs.submit import submit

    return submit(**settings.model_dump())


def call_generate(settings: Any, options: RunOptions) -> Any:
    """``warmstart generate``."""
    with no_garbage_collection():
        from warmstart.base.console import print_lines
        from warmstart.verbs.generate import generate

    pieces = False

    def write(piece: str) -> None:
        nonlocal pieces
        pieces = True
        print_lines([piece], at_once=True)

    found = generate(settings, None if options.json else write)
    return {"generations": found} | ({"streamed": True} if pieces else {})


def call_score(settings: Any, options: RunOptions) -> Any:
    """``warmstart score``."""
    with no_garbage_collection():
        from warmstart.verbs.score import score

    return score(settings)


def call_rerank(settings: Any, options: RunOptions) -> Any:
    """``warmstart rerank``."""
    with no_garbage_collection():
        from warmstart.verbs.rerank import rerank

    return rerank(**settings.model_dump())


def call_zeroshot(settings: Any, options: RunOptions) -> Any:
    """``warmstart zeroshot``."""
    with no_garbage_collection():
        from warmstart.verbs.zeroshot import zeroshot

    return zeroshot(settings)


def call_overlap(settings: Any, options: RunOptions) -> Any:
    """``warmstart overlap``."""
    with no_garbage_collection():
        from warmstart.verbs.overlap import overlap

    return overlap(settings)


def call_report(settings: Any, options: RunOptions) -> Any:
    """``warmstart report``."""
    with no_garbage_collection():
        from warmstart.verbs.report import report

    return report(list(settings.runs), settings.out, settings.export, settings.watch)


def call_convert(settings: Any, options: RunOptions) -> Any:
    """``warmstart convert``."""
    with no_garbage_collection():
        from warmstart.verbs.convert import convert

    return convert(settings)


def call_demo(settings: Any, options: RunOptions) -> Any:
    """``warmstart demo``."""
    with no_garbage_collection():
        from warmstart.demo.run import demo

    return demo(settings.out)


def call_embed_extract(settings: Any, options: RunOptions) -> Any:
    """``warmstart embed extract``."""
    with no_garbage_collection():
        from warmstart.verbs.embed_extract import embed_extract

    return embed_extract(settings)


def call_embed_neighbours(settings: Any, options: RunOptions) -> Any:
    """``warmstart embed neighbours``."""
    with no_garbage_collection():
        from warmstart.verbs.embed_neighbours import embed_neighbours

    return embed_neighbours(settings)


def call_embed_evaluate(settings: Any, options: RunOptions) -> Any:
    """``warmstart embed evaluate``."""
    with no_garbage_collection():
        from warmstart.verbs.embed_evaluate import embed_evaluate

    return embed_evaluate(settings)


def call_embed_explore(settings: Any, options: RunOptions) -> Any:
    """``warmstart embed explore``."""
    with no_garbage_collection():
        from warmstart.verbs.embed_explore import embed_explore

    return embed_explore(settings)


def call_embed_distil(settings: Any, options: RunOptions) -> Any:
    """``warmstart embed distil``."""
    with no_garbage_collection():
        from warmstart.verbs.embed_distil import embed_distil

    return embed_distil(settings)


def call_embed_train(settings: Any, options: RunOptions) -> Any:
    """``warmstart embed train``."""
    with no_garbage_collection():
        from warmstart.verbs.embed_train import embed_train

    return embed_train(settings)
