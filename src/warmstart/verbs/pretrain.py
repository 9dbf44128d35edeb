"""``warmstart pretrain``: a language model from raw text or from a corpus."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from warmstart.base.arrays import Ints
from warmstart.base.checksums import write_checksums
from warmstart.base.clock import work_began_at_s
from warmstart.base.console import say, track
from warmstart.base.errors import BadInput
from warmstart.base.files import check_free_space, temporary_folder
from warmstart.base.follower_folder import open_run
from warmstart.base.launch import num_processes
from warmstart.base.run_folder import CORPUS, Resume, RunFolder
from warmstart.base.world import current_world
from warmstart.build.chosen_pretraining import CHOSEN
from warmstart.build.cost import DEV, disk_line, extrapolate, seconds_since, total_line
from warmstart.build.dry_run import build_meta_model, describe_training, estimate
from warmstart.build.images import image_corpus
from warmstart.build.pretraining import Pretraining, build_pretraining, check_model, load_start
from warmstart.build.start import NO_START
from warmstart.build.teacher import load_teacher
from warmstart.build.training import check_parallel
from warmstart.config.load import to_yaml
from warmstart.config.schema import PretrainRecipe
from warmstart.corpora.corpus import MANIFEST, Corpus
from warmstart.corpora.images import ImageCorpus
from warmstart.corpora.prepare import prepare
from warmstart.corpora.settings import PrepareSettings
from warmstart.evaluation.perplexity import evaluate_language_model
from warmstart.models.model import Model
from warmstart.run.card import CardFacts, CardResult
from warmstart.run.metadata import RunMetadata, read_metadata, read_vocabulary
from warmstart.run.writing import manifest, write_model
from warmstart.streams.stream import Stream
from warmstart.tasks.vocabulary import require_text
from warmstart.text.coverage import count_coverage, describe_coverage
from warmstart.text.tokenizer import Tokenizer
from warmstart.train.loop import Trainer
from warmstart.train.precision import ComputeSettings, settings_of_run
from warmstart.train.progress import Validation
from warmstart.train.schemes import bytes_to_write
from warmstart.transfer.hub import model_folder

METRIC = "loss"


def pretrain(recipe: PretrainRecipe, out: str, resume: Resume = False) -> dict[str, Any]:
    """Trains a language model and leaves it in ``out``.

    Args:
        recipe: corpus, model, objective and training.
        out: the run folder.
        resume: whether to continue a run that stopped there; ``"strict"``: from its newest checkpoint only.

    Returns:
        {"run", "steps", "tokens", "seconds", "metrics": {"loss", "perplexity", "train_loss"}}; of masked tokens
        "accuracy" too.

    Raises:
        BadInput: anything wrong with recipe, text or folder; nothing is written then.
    """
    folder = open_run(out)
    with folder.hold():
        return _pretrain(recipe, folder, resume)


def _pretrain(recipe: PretrainRecipe, folder: RunFolder, resume: Resume) -> dict[str, Any]:
    world = current_world()
    with world.together():
        folder.check_free(resume=resume, config=to_yaml(recipe), chosen=CHOSEN)
        check_model(recipe)  # before any text is read
        began_at_s = work_began_at_s()
        start, teacher = load_start(recipe), load_teacher(recipe)
        corpus = open_corpus(recipe, folder.path / CORPUS)
        built = build_pretraining(recipe, corpus, start, teacher)
        recipe = built.recipe
        check_parallel(built.settings, world, carry=recipe.carry, train=recipe.train)
        fingerprints = built.fingerprints(corpus)
        folder.check_data(fingerprints)
    compute = settings_of_run(folder, recipe.train.precision, world.device)
    with world.together():
        for line in describe_pretraining(built, compute, began_at_s) if world.leads else ():
            say(line)
        model, weights = built.fresh()
        metadata = RunMetadata(clean=corpus.clean, objective=built.objective.name, pair=built.pair)
        snapshots = recipe.snapshots and world.leads
        validation = _validation(built, _snapshot_writer(folder, built, metadata) if snapshots else None)
        check_free_space(folder.path, bytes_to_write(model, recipe.train) - folder.bytes_used)
        about = manifest("pretrain", recipe.train.seed, {"corpus": corpus.fingerprint, "fingerprints": fingerprints})
        folder.create(to_yaml(recipe), about, compute.to_dict())
        account: dict[str, Any] = {"records": {"documents": corpus.num_documents, "tokens": corpus.num_tokens}}
        if weights is not None:
            say(f"transfer   {weights.sentence()}")
            account["weights"] = weights.to_dict()
        folder.write_account(account)
    trainer = Trainer(model, built.train, recipe.train, built.criterion, folder, validation, world.device, compute)
    if resume and trainer.resume(strict=resume == "strict"):
        say(f"resumed after step {trainer.state.step}")
    progress = trainer.run()
    if not world.leads:
        return {}
    summary = f"{built.objective.card} pre-trained on {progress.tokens:,} tokens."
    metrics = _final_metrics(folder)
    write_model(folder.path, trainer.model, built.tokenizer, metadata, summary, facts=_facts(recipe, metrics))
    report = {
        "run": str(folder.path),
        "steps": progress.step,
        "tokens": progress.tokens,
        "seconds": round(progress.elapsed_s, 1),
        "metrics": metrics,
    }
    folder.finish(report)
    return report


def open_corpus(recipe: PretrainRecipe, out: Path, part: str = "train") -> Corpus | ImageCorpus:
    """The corpus that ``recipe`` names, its images, or a corpus of its text that is prepared in ``out``.

    Text for a start or a teacher gets its vocabulary and its cleaning rules; images for a start are read by its processor.
    ``part`` is the part that is read of images that come in several.
    """
    text = recipe.corpus
    if len(text.paths) == 1 and (Path(text.paths[0]) / MANIFEST).is_file():
        return Corpus.open(text.paths[0])
    known = None if recipe.known_model == NO_START else read_vocabulary(model_folder(recipe.known_model))[0]
    images = image_corpus(text, known, part)
    if images is not None:
        return images
    if known is not None:
        require_text(known, "--start" if recipe.start != NO_START else "--teacher")
        rules = read_metadata(model_folder(recipe.known_model)).rules
        if text.clean and text.clean != rules:
            raise BadInput(
                "the text of the model was cleaned by other rules", where="--clean", value=",".join(text.clean),
                allowed=",".join(rules) or "none", next_step="leave --clean out: its rules are used",
            )  # fmt: skip
        text = text.model_copy(update={"tokenizer": text.tokenizer or recipe.known_model, "clean": rules})
    check_prepared(text.paths)
    return prepare(PrepareSettings(out=str(out), **text.model_dump()))


def check_prepared(paths: Sequence[str]) -> None:
    """Refuses raw text for several processes: one of them would prepare it while the others wait.

    Raises:
        BadInput: ``torchrun`` has started several.
    """
    if num_processes() > 1:
        raise BadInput(
            "raw text is prepared by one process, before several train on it", where="--corpus",
            value=", ".join(paths), allowed="a corpus, under torchrun",
            next_step=f"run first, without torchrun: warmstart prepare {' '.join(paths)} --out CORPUS",
        )  # fmt: skip


def describe_pretraining(built: Pretraining, compute: ComputeSettings, began_at_s: float | None = None) -> list[str]:
    """The dry run in words; ``began_at_s``: when the work began, by ``time.monotonic``."""
    model, dev, train = build_meta_model(built.settings), built.dev, built.recipe.train

    def evaluation(small: Model) -> dict[str, float]:
        if dev is None:
            return {}
        steps = range(dev.steps_per_epoch)
        return {
            DEV: extrapolate(
                steps, lambda some: evaluate_language_model(small, (b for s in some for b in dev.batches(s)))
            )
        }

    cost = estimate(model, built.train, train, built.criterion, compute, evaluation=evaluation)
    lines = describe_training(model, built.train, built.tokenizer, built.criterion, cost)
    if isinstance(built.tokenizer, Tokenizer):
        streams = {"train": built.train} | ({} if dev is None else {"dev": dev})
        found = {name: count_coverage(built.tokenizer, _some_ids(stream)) for name, stream in streams.items()}
        lines.append(f"vocabulary {describe_coverage(found)}")
    lines += built.chosen
    prepared = {"preparing": seconds_since(began_at_s)}
    return [*lines, disk_line(bytes_to_write(model, train)), total_line(prepared | dict(cost.seconds))]


def _some_ids(stream: Stream) -> Iterator[Ints]:
    """The ids of up to 16 steps, evenly spread."""
    for step in range(0, stream.steps_per_epoch, max(1, stream.steps_per_epoch // 16)):
        for item in stream.source.take(*stream.indices(step)):
            yield from (example.ids for example in item)


def _snapshot_writer(folder: RunFolder, built: Pretraining, metadata: RunMetadata) -> Callable[[Model], None]:
    """Keeps a model as it is after the last step that was logged, in the precision that it computes in."""

    def write(model: Model) -> None:
        step = folder.read_metrics()[-1]["step"]
        with temporary_folder(folder.snapshot(step)) as stage:
            write_model(stage, model, built.tokenizer, metadata, f"The model after step {step}.")
            write_checksums(stage)

    return write


def _validation(built: Pretraining, keep: Callable[[Model], None] | None) -> Validation | None:
    """What is evaluated on dev, and kept then.

    Raises:
        BadInput: models are to be kept, and there is no dev to evaluate on.
    """
    if built.dev is None:
        if keep is not None:
            raise BadInput(
                "snapshots are taken where dev is evaluated, and there is no dev", where="--snapshots",
                next_step="give a --dev-frac above 0",
            )  # fmt: skip
        return None
    dev = built.dev

    def evaluate(model: Model) -> dict[str, float]:
        batches = (batch for step in range(dev.steps_per_epoch) for batch in dev.batches(step))
        found = evaluate_language_model(model, track(batches, "evaluating dev", dev.steps_per_epoch)).to_dict()
        if keep is not None:
            keep(model)
        return found

    return Validation(evaluate, METRIC, higher_is_better=False)


def _facts(recipe: PretrainRecipe, metrics: dict[str, float]) -> CardFacts:
    """What the model card says of how good it is on held-out text, where there is some."""
    found = {name: value for name, value in metrics.items() if name != "train_loss"}
    name = Path(recipe.corpus.paths[0]).stem or "text"
    return CardFacts({"": CardResult(name, "dev", found)}, "" if recipe.start == NO_START else recipe.start)


def _final_metrics(folder: RunFolder) -> dict[str, float]:
    """The last evaluation on dev, and the mean training loss of the last twentieth of the run."""
    rows = folder.read_metrics()
    losses = [row["loss"] for row in rows if row["kind"] == "train"]
    tail = losses[-max(1, len(losses) // 20) :]
    metrics: dict[str, float] = {}
    with contextlib.suppress(StopIteration):
        metrics |= next(row["metrics"] for row in reversed(rows) if row["kind"] == "dev")
    return metrics | {"train_loss": sum(tail) / len(tail)}
