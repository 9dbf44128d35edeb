"""The run folder: all files of one training.

::

    RUN/  config.yaml    the resolved recipe            config.json, model.safetensors, tokenizer.json:
          manifest.json  versions, seeds, argv, data      the model, also for transformers
          compute.json   number format and kernels      warmstart.json: task, keys and labels
          metrics.jsonl  losses and metrics, by step    README.md: the model card
          account.json   of weights and records      checksums.json: size and SHA-256 of all of these
          report.json    the result; written last

    collapsed.json, again/: where the training collapsed, its report, and the run that was begun in its place

    during training:     resume/  the newest checkpoint     best/  the weights with the best dev metric

The folder is locked while a process works on its run (:meth:`RunFolder.hold`).
"""

import contextlib
import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

import yaml

from warmstart.base.checksums import RECIPE, UNFINISHED, check_folder, write_checksums
from warmstart.base.errors import BadInput, shorten
from warmstart.base.files import (
    disk_errors,
    json_bytes,
    locked_folder,
    make_folder,
    read_json,
    sync_folder,
    write_json,
    write_text,
)
from warmstart.base.signals import stop_at_once

CONFIG, MANIFEST, COMPUTE, METRICS, ACCOUNT, REPORT = (
    RECIPE,
    "manifest.json",
    "compute.json",
    "metrics.jsonl",
    "account.json",
    "report.json",
)
COLLAPSED, AGAIN = "collapsed.json", "again"
"""Of a training that ended with one answer for everything: its report, and the folder of that begun in its place."""
PSEUDO_VALUES = "pseudo_values.json"  # of a trial: what groups of examples add to its metric
EXAMPLES = "examples.json"  # of a trial: how each example of dev and test was answered
SNAPSHOTS = "snapshots"  # the models of a pre-training on its way, each a folder as the run itself is in the end
CORPUS = "corpus"  # where --corpus names text, the corpus is built here before the run begins
Resume = bool | Literal["strict"]
"""Whether a run goes on where it was stopped; ``strict``: from its newest checkpoint only, also where that is damaged."""
MOST_NAMED = 6
"""Settings that a refusal names: a run of something else altogether differs in most."""
BEFORE_CONFIG = (CORPUS, f".{CORPUS}", MANIFEST, f".{MANIFEST}", COMPUTE, f".{COMPUTE}", f".{CONFIG}")
"""How the names begin of what a process that dies may leave of a run that has not begun."""


def _differences(there: str, given: str, chosen: Collection[Sequence[str]]) -> list[str]:
    """What two files state differently, in words, in whatever order the version that wrote them had its settings.

    ``chosen``: paths of fields that follow from the data where the given one leaves them open.
    """
    try:
        before, now = yaml.safe_load(there), yaml.safe_load(given)
    except yaml.YAMLError:
        before, now = None, {}
    if not isinstance(before, dict):
        return [f"{CONFIG} there cannot be read"]
    for path in chosen:
        old, new = _group(before, path), _group(now, path)
        if path[-1] not in new:
            old.pop(path[-1], None)
    old, new = dict(_fields(before)), dict(_fields(now))
    return [
        f"{name} is {_value(new, name)} here and {_value(old, name)} there"
        for name in new | old
        if (name in new) != (name in old) or new[name] != old[name]
    ]


def _fields(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The fields of a tree of settings by their names with dots, as ``--set`` takes them."""
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _fields(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _value(fields: Mapping[str, Any], name: str) -> str:
    return shorten(fields[name], 60) if name in fields else "not set"


def _group(tree: Any, path: Sequence[str]) -> dict[str, Any]:
    """The group that holds the field at ``path``; empty where there is none."""
    for name in path[:-1]:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else {}


class RunFolder:
    """Paths and files of one run; :meth:`create` is the first that writes."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @property
    def is_started(self) -> bool:
        """Whether a run has begun here."""
        return (self.path / CONFIG).is_file()

    @property
    def is_finished(self) -> bool:
        """Whether the run here has ended."""
        return (self.path / REPORT).is_file()

    @property
    def bytes_used(self) -> int:
        """What the files of the run take on the disk, without a corpus that was built here."""
        files = (path for path in self.path.rglob("*") if path.is_file() and not path.is_symlink())
        return sum(path.stat().st_size for path in files if path.relative_to(self.path).parts[0] != CORPUS)

    @contextlib.contextmanager
    def hold(self, *, wait: bool = False) -> Iterator[None]:
        """Keeps other processes out of the folder while the block runs, and answers SIGTERM.

        A folder that is made for this is removed again where no run begins in it. With ``wait`` another process is waited
        for.

        Raises:
            BadInput: another process works on this run.
            TerminationError: SIGTERM came.
        """
        with disk_errors(self.path):  # a name may be too long to ask for
            is_file = self.path.is_file()
        if is_file:  # check_free says so
            yield
            return
        busy = BadInput(
            "another process works on this run", where=str(self.path),
            next_step="wait until it has ended, or choose another --out",
        )  # fmt: skip
        missing = [path for path in (self.path, *self.path.parents) if not path.exists()]
        with disk_errors(self.path):
            make_folder(self.path)
        try:
            with locked_folder(self.path, None if wait else busy), stop_at_once(self.stop_sentence):
                yield
        finally:
            with contextlib.suppress(OSError):  # not empty
                for path in missing:
                    path.rmdir()

    def stop_sentence(self, how: str = "stopped by SIGTERM") -> str:
        """What to say when the process is stopped outside of the training loop; empty where the run is finished."""
        if self.is_finished:
            return ""
        if not self.is_started:
            return f"{self.path}: {how} before the training; nothing is saved: run the same command again."
        return f"{self.path}: {how}; run the same command with --resume to continue."

    def check_free(self, *, resume: Resume, config: str, chosen: Collection[Sequence[str]] = ()) -> None:
        """Checks that this run may write here: the folder is new or empty, or ``resume`` continues this run.

        Args:
            resume: whether to continue an unfinished run.
            config: the recipe of this run.
            chosen: paths of its fields that follow from the data where it leaves them open.

        Raises:
            BadInput: the folder holds other files, another run, or this run, finished or (without ``resume``) unfinished.
        """
        where = str(self.path)
        if self.path.is_file():
            raise BadInput("this is a file, not a folder", where=where, next_step="choose another --out")
        if not self.is_started:
            if self.path.is_dir() and any(not path.name.startswith(BEFORE_CONFIG) for path in self.path.iterdir()):
                raise BadInput(
                    "the output folder holds other files", where=where, next_step="choose an empty or new --out"
                )
            return
        there = (self.path / CONFIG).read_text(encoding="utf-8", errors="replace")
        if found := _differences(there, config, chosen):
            more = f", and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
            raise BadInput(
                f"the output folder holds another run, with another recipe: {', '.join(found[:MOST_NAMED])}{more}",
                where=where,
                next_step=f"choose another --out, or use the recipe {CONFIG} there",
            )
        if self.is_finished:
            raise BadInput(
                "the output folder holds this run, and it is finished",
                where=where,
                next_step=f"read {REPORT} there, or choose another --out to run again",
            )
        if not resume:
            raise BadInput(
                "the output folder holds this run, and it is not finished",
                where=where,
                next_step="add --resume to continue it, or choose another --out",
            )

    def snapshot(self, step: int) -> Path:
        """Where the model after a step is kept."""
        return self.path / SNAPSHOTS / f"step-{step:09d}"

    def snapshots(self) -> dict[int, Path]:
        """Step → folder of the models that were kept on the way, the first first."""
        found = sorted((self.path / SNAPSHOTS).glob("step-*"))
        return {int(path.name.removeprefix("step-")): path for path in found if path.is_dir()}

    def check_model(self) -> None:
        """Checks that a model can be taken from this folder; a folder that is no run passes, and a copy without report.

        The best weights so far would not do: the frozen ones are not among them, and the final ones of a task may need
        thresholds that are chosen at the end.

        Raises:
            BadInput: a run has begun here and not ended, or a file is not what was written.
        """
        if not self.is_started or self.is_finished:
            check_folder(self.path)
            return
        parts = [name for name in UNFINISHED if (self.path / name).is_dir()]
        if parts or not any(self.path.glob("*.safetensors")):
            raise BadInput(
                "this run is not finished, so it has no model yet", where=str(self.path),
                next_step="go on with the command that began it and --resume",
            )  # fmt: skip

    def check_data(self, fingerprints: Mapping[str, Any]) -> None:
        """Checks that a run which goes on learns from what it began with.

        Args:
            fingerprints: name of a part of the data → what identifies it; parts that the run did not note are not compared.

        Raises:
            BadInput: a part is another.
        """
        if not self.is_started:
            return
        began = read_json(self.path / MANIFEST).get("data", {}).get("fingerprints", {})
        changed = [name for name, value in fingerprints.items() if name in began and began[name] != value]
        if changed:
            raise BadInput(
                f"what this run learns from has changed since it began: {', '.join(changed)}", where=str(self.path),
                next_step="restore it, or choose another --out to begin anew",
            )  # fmt: skip

    def create(self, config: str, manifest: dict[str, Any], compute: dict[str, Any] | None = None) -> None:
        """Creates the folder and writes manifest, compute settings and, last, the recipe: the run has begun.

        The compute settings of a run that goes on stay as they are.
        """
        with disk_errors(self.path):
            make_folder(self.path)
        write_json(self.path / MANIFEST, manifest)
        if compute is not None and not (self.is_started and (self.path / COMPUTE).is_file()):
            write_json(self.path / COMPUTE, compute)
        sync_folder(self.path)
        write_text(self.path / CONFIG, config)
        sync_folder(self.path)

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Adds one line to ``metrics.jsonl``."""
        with disk_errors(self.path), open(self.path / METRICS, "a", encoding="utf-8") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        """The lines of ``metrics.jsonl``, without a last line that a crash cut: see :func:`read_metrics`."""
        path = self.path / METRICS
        return list(read_metrics(path)) if path.is_file() else []

    def truncate_metrics(self, step: int, evaluated_step: int = 0) -> None:
        """Removes the lines after ``step``, and those of dev after ``evaluated_step``: the run comes to them again."""
        last = {"dev": evaluated_step}
        lines = [json.dumps(row) for row in self.read_metrics() if row["step"] <= last.get(row["kind"], step)]
        write_text(self.path / METRICS, "".join(line + "\n" for line in lines))

    def write_account(self, account: dict[str, Any]) -> None:
        """Adds entries to ``account.json``."""
        path = self.path / ACCOUNT
        write_json(path, (read_json(path) if path.is_file() else {}) | account)

    def finish(self, report: dict[str, Any]) -> None:
        """Writes checksums and ``report.json``, which marks the run as finished; removes folders of an unfinished one."""
        write_checksums(self.path, {REPORT: json_bytes(report)})
        write_json(self.path / REPORT, report)
        sync_folder(self.path)
        self.tidy()

    def tidy(self) -> None:
        """Removes what only an unfinished run needs."""
        for name in UNFINISHED:
            shutil.rmtree(self.path / name, ignore_errors=True)


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a ``metrics.jsonl``, each with ``kind`` and ``step``, without a last line that a crash cut.

    Raises:
        BadInput: another line is not such a record.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, parse_constant=_refuse)
            yield {"kind": record["kind"], "step": int(record["step"]), **record}
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):  # it has no line end: a kill cut it
                return
            raise BadInput(
                f"not a metrics record ({error})", where=f"{path}:{number}", value=line,
                allowed="an object with kind and step", next_step="remove the line",
            ) from None  # fmt: skip


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")
