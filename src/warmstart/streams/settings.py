"""Settings of streams. Light to import, so that a recipe can be read and refused without waiting for torch."""

from typing import Literal

from warmstart.base.settings import Setting, Settings

MixtureKind = Literal["size", "temperature", "annealed", "shares", "ratio"]


class MixtureSettings(Settings):
    """How the steps of a training are divided among its tasks; an epoch has as many as the tasks' own epochs together.

    ``annealed`` is Stickland and Murray 2019's: sizes to the power of 1 in the first epoch, of 0.2 in the last.
    ``main_last`` and ``ratio`` are those of Liu et al. 2019's released code.
    """

    title = "Several tasks"

    kind: MixtureKind = Setting(
        "size", "how steps are divided among tasks: by size; by size^(1/T); from sizes to nearly equal parts; by shares; so "
        "many of the others for each of the main task", flag="--mixture",
    )  # fmt: skip
    temperature: float = Setting(2.0, "T of --mixture temperature", flag="--mixture-temperature", metavar="T", ge=1)
    shares: tuple[str, ...] = Setting(
        (), "each task's part of --mixture shares, separated by commas: mrpc=2,rte=1", flag="--mixture-shares",
        metavar="NAME=PART",
    )  # fmt: skip
    ratio: float = Setting(
        1.0, "steps of all others for each of the main task, with --mixture ratio", flag="--mixture-ratio", metavar="R",
        gt=0,
    )  # fmt: skip
    main: str | None = Setting(None, "the main task", flag="--main-task", metavar="NAME")
    main_last: bool = Setting(False, "the steps of the main task come last in each epoch", flag="--main-last")
