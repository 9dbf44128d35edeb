"""The recipe of a study: that of a fine-tuning, and in what its trials differ from it. Light to import: no torch."""

from typing import Annotated, Literal

from warmstart.base.settings import PathRule, Setting, copy_setting
from warmstart.config.schema import FinetuneRecipe

SHARES = ("1%", "2%", "5%", "10%", "20%", "50%", "100%")


class StudyRecipe(FinetuneRecipe):
    """``warmstart study``: a fine-tuning, the design of the study, and the values that it varies."""

    title = "Study"

    design: Annotated[
        Literal["labels", "ablation", "layers", "search", "pretraining", "tasks", "zeroshot"],
        Setting(
            help="labels: fewer of them; ablation: one part less; layers: fewer of the start's; search: rates and lengths; "
            "pretraining: models kept on the start's way; tasks: several in one model, each alone, each after all; "
            "zeroshot: kept models on a zero-shot task",
            flag="DESIGN",
        ),
    ]  # fmt: skip
    sizes: tuple[str, ...] = Setting(
        SHARES, "labels: examples of each class (of tasks without classes in all), or shares of all with % (default: "
        f"{','.join(SHARES)})", flag="--sizes", metavar="N|N%", min_length=1,
    )  # fmt: skip
    vary: tuple[str, ...] = Setting(
        (), "labels, ablation, search, pretraining and zeroshot: a field of the recipe and its other values, such as "
        "lm_weight=0,1 or start=runs/b; may be repeated",
        flag="--vary", metavar="A.B=X,Y", many=True,
    )  # fmt: skip
    trainings: int = Setting(
        8, "search: settings that are tried for each side, those by default among them; the best on dev is trained again "
        "with fresh seeds", flag="--trainings", metavar="N", ge=2,
    )  # fmt: skip
    minutes: float | None = Setting(
        None, "search: and no more settings for a side once its trainings have taken so many minutes", flag="--minutes",
        metavar="M", gt=0,
    )  # fmt: skip
    sampler: Literal["random", "tpe"] = Setting(
        "random", "search: how settings are drawn; tpe learns from those that were tried (pip install "
        "'warmstart[search]')", flag="--sampler",
    )  # fmt: skip
    jobs: int = Setting(
        1, "trainings at once, each in a process of its own with its share of the cores; the designs tasks, zeroshot "
        "and search with tpe or --minutes go one after the other", flag="--jobs", metavar="N", ge=1,
    )  # fmt: skip
    trials: str | None = Setting(
        None, "keep the trials there; studies that name the same folder train none twice (default: trials, in --out)",
        flag="--trials", metavar="FOLDER", path=PathRule("new"),
    )  # fmt: skip
    seeds: int = copy_setting(FinetuneRecipe, "seeds", 3)

    @property
    def trains_nothing(self) -> bool:
        """Whether its task is a zero-shot task, which models answer as they are."""
        return self.design == "zeroshot"

    @property
    def base(self) -> FinetuneRecipe:
        """The recipe that all trials are made from: one seed, and neither a control nor baselines of its own."""
        own = {name: getattr(self, name) for name in FinetuneRecipe.model_fields}
        return FinetuneRecipe.model_construct(**own | {"seeds": 1, "control": False, "baselines": "no"})
