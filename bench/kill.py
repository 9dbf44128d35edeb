"""Kills, stops and losses of power at random moments; each run then goes on, and its end must be that of an unbroken one.

    python bench/kill.py [--rounds 100] [--only kill|stop|power] [--command study] [--seed 1] [--json]

Four commands (pre-training, fine-tuning with two seeds, a study, a preparation) run with tiny models, in processes that are
forked from one that has imported everything. Each round breaks one of them off, once or several times, and lets it go on to
its end. Half of the breaks come at a random time, half at a random call of the file system, so that many fall within the
writing of a checkpoint. Compared are the bytes of all weights and of all corpora, every line of the metrics and every
report, but for what tells the time. A training that had its report before a break is not begun again.

    kill    SIGKILL
    stop    SIGTERM or SIGINT: exit code 75 or 130 within 10 s, or a process that ends before it listens or writes
    power   SIGKILL, and then the disk as a loss of power may leave it: what was not synced is there, or not, or in part
            (bench/power_loss.py)
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any, NamedTuple

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # its threads do not live on in a fork
sys.path.insert(0, str(Path(__file__).parent))

import torch
from power_loss import Recorder, lose_power

import warmstart.build.cost as cost
import warmstart.corpora.jobs as jobs
import warmstart.corpora.writer as writer
from warmstart.cli.main import main as warmstart

TIMES = ("seconds", "elapsed_s", "tokens_per_s", "argv", "command", "page")
UNFINISHED = {"resume", "best"}
WEIGHTS = (".safetensors", ".bin")
TINY = ["--model", "gpt1-tiny", "--precision", "fp32", "--save-every", "0", "--vocab-size", "300", "--quiet"]
LONGEST_S = 10.0
DONE = 0
STOPPED = {signal.SIGTERM: 75, signal.SIGINT: 130}  # exit code of each


class Scenario(NamedTuple):
    """A command that can be broken off: its words without the folder, what is added to go on, and its folder."""

    name: str
    words: list[str]
    more: list[str]


class Ended(NamedTuple):
    """How a process ended: its exit code (minus the signal), and the seconds from a signal to its end."""

    code: int
    seconds: float


def scenarios(home: Path) -> list[Scenario]:
    """The four commands, on files that are written to ``home``."""
    texts = [text for text in topics.values() if len(text) > 400]
    (home / "text.txt").write_text("\n\n".join(texts[:6]), encoding="utf-8")
    with (home / "rows.jsonl").open("w", encoding="utf-8") as file:
        for number in range(40):
            text = texts[number % 2][number * 4 : number * 4 + 60]
            file.write(json.dumps({"text": text, "label": f"l{number % 2}"}) + "\n")
    rows = str(home / "rows.jsonl")
    task = ["--start", "none", "--task", "classification", "--train", rows, "--dev", rows, "--head-init", "random"]
    several = ["--test", rows, "--sizes", "8,16", "--seeds", "1"]
    steps = ["--length", "8 steps", "--evaluate-every", "4 steps", "--batch-size", "4", *TINY]
    return [
        Scenario("pretrain", ["pretrain", "--corpus", str(home / "text.txt"), *steps], ["--resume"]),
        Scenario("finetune", ["finetune", *task, "--retries", "0", "--seeds", "2", *steps], ["--resume"]),
        Scenario("study", ["study", "labels", *task, *several, "--retries", "0", *steps], []),
        Scenario("prepare", ["prepare", str(home / "text.txt"), "--vocab-size", "300", "--workers", "1", "--quiet"], []),
    ]  # fmt: skip


def result(folder: Path) -> dict[str, Any]:
    """What a command has left, but for what tells the time."""
    found: dict[str, Any] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if not UNFINISHED.isdisjoint(path.parts):  # the process died between its report and the end of its folders
            continue
        if path.suffix in WEIGHTS:
            found[name] = path.read_bytes()
        elif path.suffix == ".jsonl":
            found[name] = [_timeless(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
        elif path.suffix == ".json" and path.name != "checksums.json":
            found[name] = _timeless(json.loads(path.read_text(encoding="utf-8")))
    return found


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(inner) for key, inner in value.items() if key not in TIMES}
    return [_timeless(inner) for inner in value] if isinstance(value, list) else value


class Calls:
    """Counts the calls by which a process changes the disk, and sends it a signal at one of them."""

    def __init__(self, root: Path, at: int, number: int, told: int = -1) -> None:
        """``told``: a descriptor that each call is told to."""
        self._root, self._at, self._signal, self._told, self.count = str(root), at, number, told, 0
        sys.addaudithook(self._hear)
        fsync = os.fsync

        def counted(descriptor: int) -> None:
            self._next()
            fsync(descriptor)

        os.fsync = counted

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[1], str) and not {*"wax+"}.isdisjoint(arguments[1])
        changes = writes or event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir")
        if changes and str(arguments[0]).startswith(self._root):
            self._next()

    def _next(self) -> None:
        self.count += 1
        if self._told >= 0:
            os.write(self._told, b".")
        if self.count == self._at:
            os.kill(os.getpid(), self._signal)


def begin(words: list[str], prepare: Callable[[], object], log: Path) -> int:
    """Forks a process that runs a command; returns its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have begun this in the background
        prepare()
        code = warmstart(words)
    finally:
        os._exit(code)


class Bench:
    """The breaks of one scenario."""

    def __init__(self, home: Path, scenario: Scenario, rng: random.Random) -> None:
        """Runs it once to its end: that is the result to come to."""
        warmstart([*scenario.words, "--out", str(home / "imports everything")])
        shutil.rmtree(home / "imports everything")
        self.home, self.scenario, self.rng = home, scenario, rng
        self.disk, self.log, self.store = home / "disk", home / "log", home / "store"
        self.out = self.disk / "out"
        self._clear()
        reader, told = os.pipe()
        began_at_s = time.monotonic()
        child = begin(self.words, lambda: Calls(self.disk, 0, 0, told), self.log)
        os.close(told)
        with os.fdopen(reader, "rb") as file:
            self.calls = len(file.read())
        self._check_done(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        self.seconds = time.monotonic() - began_at_s
        self.wanted = result(self.out)
        self.num_repeated = 0

    @property
    def words(self) -> list[str]:
        """The command."""
        return [*self.scenario.words, "--out", str(self.out)]

    def _clear(self) -> None:
        for path in (self.disk, self.store):
            shutil.rmtree(path, ignore_errors=True)
        self.disk.mkdir()
        self.log.unlink(missing_ok=True)

    def _check_done(self, code: int) -> None:
        if code != DONE:
            raise SystemExit(f"{self.scenario.name} ended with {code}: {self.log.read_text(encoding='utf-8')}")

    def go_on(self) -> list[str]:
        """The words that go on after a break: a run that has not begun is begun, one that has ended is left alone."""
        return [*self.words, *self.scenario.more]

    def break_off(self, number: int, words: list[str], record: bool = False) -> Ended:
        """Runs a command until a signal at a random moment."""
        by_call = record or self.rng.random() < 0.5
        at, after_s = self.rng.randint(1, self.calls), self.rng.uniform(0, self.seconds)

        def prepare() -> None:
            if record:
                Recorder(self.disk, self.store)
            if by_call:
                Calls(self.disk, at, number)

        reports = self._reports()
        child = begin(words, prepare, self.log)
        if not by_call:
            time.sleep(after_s)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)
        sent_at_s = time.monotonic()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if number == signal.SIGKILL and code != -number:
            self._check_done(code)
        self._count_repeated(reports)
        return Ended(code, 0.0 if by_call else time.monotonic() - sent_at_s)

    def finish(self) -> bool:
        """Lets the command come to its end; whether that is the one of the unbroken run. Says what differs."""
        reports = self._reports()
        if not self._is_finished():
            child = begin(self.go_on(), lambda: None, self.log)
            self._check_done(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        self._count_repeated(reports)
        found = result(self.out)
        names = [name for name in sorted({*found, *self.wanted}) if found.get(name) != self.wanted.get(name)]
        if names:
            print(f"{self.scenario.name}: different: {', '.join(names)}", file=sys.stderr, flush=True)
        return not names

    def _reports(self) -> dict[Path, int]:
        """The trainings that have ended: report → when it was written."""
        return {path: path.stat().st_mtime_ns for path in self.out.glob("*/**/report.json")}

    def _count_repeated(self, reports: dict[Path, int]) -> None:
        """Counts those of them that are gone or were written once more."""
        now = self._reports()
        self.num_repeated += sum(now.get(path) != at for path, at in reports.items())

    def take_repeated(self) -> int:
        """Trainings that were begun again since this was asked last."""
        found, self.num_repeated = self.num_repeated, 0
        return found

    def _is_finished(self) -> bool:
        return (self.out / "report.json").is_file() and self.scenario.name in ("pretrain", "finetune")


def round_of_kills(bench: Bench) -> dict[str, int]:
    """One command, killed up to three times."""
    bench._clear()
    broken = 0
    for _ in range(bench.rng.choice((1, 1, 2, 3))):
        if bench._is_finished():
            break
        broken += bench.break_off(signal.SIGKILL, bench.go_on()).code == -signal.SIGKILL
    return {"broken": broken, "rounds": 1, "different": not bench.finish(), "repeated": bench.take_repeated()}


def round_of_stops(bench: Bench) -> dict[str, int]:
    """One command, stopped by SIGTERM or as by Ctrl-C."""
    bench._clear()
    number = bench.rng.choice((signal.SIGTERM, signal.SIGINT))
    ended, stopped = bench.break_off(number, bench.words), STOPPED[number]
    if ended.code == stopped and "--resume" not in bench.log.read_text(encoding="utf-8") and bench.scenario.more:
        shutil.rmtree(bench.out, ignore_errors=True)  # it said that nothing was begun
    is_before = ended.code == -number and not bench.out.exists()  # nobody listened yet
    is_other = ended.code not in (stopped, DONE) and not is_before
    if is_other:
        print(f"exit code {ended.code}: {bench.log.read_text(encoding='utf-8')[-800:]}", file=sys.stderr, flush=True)
    return {
        "broken": ended.code == stopped, "rounds": 1, "before it began": is_before, "other exit codes": is_other,
        "late": ended.seconds > LONGEST_S, "different": not bench.finish(), "repeated": bench.take_repeated(),
    }  # fmt: skip


def round_of_power(bench: Bench) -> dict[str, int]:
    """One command, killed, and its disk as a loss of power may leave it."""
    bench._clear()
    broken = bench.break_off(signal.SIGKILL, bench.words, record=True).code == -signal.SIGKILL
    lose_power(bench.disk, bench.store, bench.rng)
    return {"broken": broken, "rounds": 1, "different": not bench.finish(), "repeated": bench.take_repeated()}


ROUNDS = {"kill": round_of_kills, "stop": round_of_stops, "power": round_of_power}


@contextlib.contextmanager
def small_parts() -> Iterator[None]:
    """A preparation keeps what it has after every few thousand characters; a dry run measures no longer than it must."""
    before = jobs.JOB, writer.PART_JOBS, cost.ENOUGH_S, cost.PATIENCE_S
    jobs.JOB, writer.PART_JOBS, cost.ENOUGH_S, cost.PATIENCE_S = 2_000, 2, 0.0, 0.0
    yield
    jobs.JOB, writer.PART_JOBS, cost.ENOUGH_S, cost.PATIENCE_S = before


def run(
    kinds: list[str], rounds: int, seed: int, names: list[str] | None = None
) -> dict[str, dict[str, dict[str, int]]]:
    """Kind of break → name of the command → counts."""
    found: dict[str, dict[str, dict[str, int]]] = {kind: {} for kind in kinds}
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, small_parts(), contextlib.redirect_stdout(sys.stderr):
        home = Path(folder)
        for scenario in scenarios(home):
            if names is not None and scenario.name not in names:
                continue
            bench = Bench(home, scenario, random.Random(f"{seed} {scenario.name}"))  # noqa: S311
            for kind in kinds:
                totals = found[kind].setdefault(scenario.name, {})
                for _ in range(-(-rounds // 4) if names is None else rounds):
                    for key, value in ROUNDS[kind](bench).items():
                        totals[key] = totals.get(key, 0) + int(value)
                print(line_of(kind, scenario.name, totals), file=sys.stderr, flush=True)
    return found


def line_of(kind: str, name: str, counts: dict[str, int]) -> str:
    """The counts of one kind of break of one command."""
    return f"{kind:6} {name:9} " + ", ".join(f"{count} {what}" for what, count in counts.items())


def main() -> None:
    """Prints a table or one JSON object; exit code 1 where an end differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="of each kind, over all four commands")
    parser.add_argument("--only", choices=ROUNDS)
    parser.add_argument("--command", help="one of the four: pretrain, finetune, study, prepare")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = run(
        [asked.only] if asked.only else [*ROUNDS], asked.rounds, asked.seed, [asked.command] if asked.command else None
    )
    if asked.json:
        print(json.dumps({"ours": found, "peers": {}, "ratios": {}, "unit": "rounds"}))
    else:
        for kind, by_name in found.items():
            for name, counts in by_name.items():
                print(line_of(kind, name, counts))
    bad = ("different", "repeated", "late", "other exit codes")
    sys.exit(any(counts.get(name) for by_name in found.values() for counts in by_name.values() for name in bad))


if __name__ == "__main__":
    main()
