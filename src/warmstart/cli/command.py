"""One command: the words after a verb to its settings, the settings to the verb, its result to the screen."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from warmstart.base.console import print_json, set_quiet
from warmstart.base.errors import BadInput, InterruptError
from warmstart.base.launch import check_single, num_processes, rank_of_process
from warmstart.base.run_folder import RunFolder
from warmstart.base.settings import Settings
from warmstart.base.signals import stop_at_once
from warmstart.cli.checks import check_names, check_recipe_path, check_setting_paths, check_typed_paths
from warmstart.cli.parser import ParsedArguments, parse
from warmstart.cli.show import show
from warmstart.cli.verb import TOGETHER, RunOptions, Verb


def settings_class(verb: Verb) -> type[Settings]:
    """The settings of a verb; only what this verb needs is imported."""
    if verb.trains:
        from warmstart.config.schema import RECIPES
        from warmstart.config.study import StudyRecipe

        return {**RECIPES, "study": StudyRecipe}[verb.base_name]
    from warmstart.config.requests import REQUESTS

    return REQUESTS[verb.base_name]


@dataclass(frozen=True, slots=True)
class Command:
    """A verb with its settings, ready to run."""

    verb: Verb
    settings: Settings
    options: RunOptions
    device: str | None = None
    parallel: str | None = None

    def run(self) -> None:
        """Runs it and shows the result; of several processes the first shows it."""
        with self._stoppable(), self._joined():
            result = self.verb.run(self.settings, self.options)
        if rank_of_process() > 0:
            return
        if self.options.json:
            print_json(result)
        else:
            show(self.verb, result)

    def _joined(self) -> AbstractContextManager[object]:
        """On the device that is named, with the processes that ``torchrun`` has started."""
        if self.device is None and self.parallel is None and num_processes() == 1:
            return nullcontext()
        from warmstart.base.world import join  # which imports torch

        if rank_of_process() > 0:
            set_quiet(True)
        return join(self.device, "fsdp" if self.parallel == "fsdp" else "ddp")

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Answers SIGTERM also while a verb that can go on is being imported; a run itself does so later.

        Ctrl-C outside of the training loop is told what to do next as well.
        """
        if not self.verb.answers_sigterm:
            yield
            return
        sentence = self._stop_sentence if self.verb.continues else RunFolder(self.options.out).stop_sentence
        try:
            with stop_at_once(sentence):
                yield
        except KeyboardInterrupt:
            raise InterruptError(sentence("interrupted") or "interrupted.") from None

    def _stop_sentence(self, how: str = "stopped by SIGTERM") -> str:
        where = self.options.out or getattr(self.settings, "out", self.verb.name)
        return f"{where}: {how}; run the same command again to go on."


def read_command(verb: Verb, argv: Sequence[str]) -> Command:
    """``verb`` with the words after it, checked as far as that goes in a moment.

    Raises:
        BadInput: anything wrong with the words or the settings.
        SystemExit: after ``--help`` was shown.
    """
    if verb.name not in TOGETHER:
        check_single(verb.name, TOGETHER)
    kind = settings_class(verb)
    parsed = parse(verb, kind, argv)
    set_quiet(parsed.quiet)
    settings = _settings(kind, parsed)
    if verb.trains:
        check_names(settings)
    if verb.trains and not verb.explains and parsed.out is None:
        raise BadInput("missing", where="--out", allowed="a folder that is new or empty", next_step="give --out RUN")
    if parsed.tflops is not None and parsed.world is None:
        raise BadInput("it says nothing without --world", where="--tflops", next_step="add --world N, or leave it out")
    way, resume = parsed.parallel or "ddp", parsed.resume_how
    options = RunOptions(parsed.out or "", resume, parsed.all, parsed.json, parsed.world, way, parsed.tflops)
    return Command(verb, settings, options, parsed.device, parsed.parallel)


def _settings(kind: type[Settings], parsed: ParsedArguments) -> Settings:
    """The settings; a wrong path is refused before a missing option."""
    check_recipe_path(parsed.recipe)
    check_typed_paths(kind, parsed.flags)
    from warmstart.config.load import compose  # YAML takes a while to import

    settings = compose(kind, recipe=parsed.recipe, flags=parsed.flags, sets=parsed.sets)
    check_setting_paths(settings)
    for name in ("output", "lattices"):
        if parsed.json and getattr(settings, name, "") == "-":
            raise BadInput(
                f"--json and --{name} - both write to standard output", where=f"--{name}", value="-", allowed="a file",
                next_step="leave --json out, or name a file",
            )  # fmt: skip
    return settings
