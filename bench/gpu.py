"""What has to be measured on a GPU, as one script of at most six minutes: speed, the tests for GPUs, a kill and a resume.

    python bench/gpu.py [--device cuda|cpu] [--tflops 790] [--rows 64] [--turns 5] [--only speed|tests|resume] [--json]

    speed     the Trainer with its defaults on ``gpt1`` at context 512, rows of random ids, compiled as a long run is: tokens
              per second, and which share of ``--tflops`` that is by the operations of the dry run
    tests     pytest -m gpu
    resume    pre-training from the command line, killed once it has two checkpoints, and resumed: each step has a line, and
              the losses are those of an unbroken run (on a GPU but for rounding)

``--device cpu`` runs the same with a tiny model, to see whether the script works: its speed means nothing. Each part has a
limit of its own, and what one of them has found is printed before the next begins.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from drawn import Drawn, train
from pacing import Competitor

ROOT = Path(__file__).parents[1]
LIMITS_S = {"speed": 150, "tests": 100, "resume": 100}
SIZES: dict[str, dict[str, Any]] = {
    "cuda": {"name": "gpt1", "context": 512, "vocab_size": 40478},
    "cpu": {"name": "gpt1-tiny", "context": 32, "vocab_size": 512},
}
STEPS = {"cuda": 40, "cpu": 4}
"""Steps of a turn; the first turn, in which parts are compiled, does not count."""


def backbone_of(device: str) -> Any:
    """The settings of the model."""
    from warmstart.models.presets import preset

    size = dict(SIZES[device])
    return preset(size.pop("name"), **size)


def train_in_turns(device: str, rows: int) -> None:
    """In a process of its own: the Trainer, which takes steps when it is told to."""
    size = SIZES[device]
    train(backbone_of(device), Drawn(size["vocab_size"], rows, size["context"]), max_tokens=rows * size["context"])


def flops_per_token(device: str) -> float:
    """Operations for each token, forward and backward, as the dry run counts them."""
    from warmstart.build.dry_run import build_meta_model
    from warmstart.build.dry_run import flops_per_token as count
    from warmstart.models.settings import ModelSettings

    return count(build_meta_model(ModelSettings(backbone=backbone_of(device))), SIZES[device]["context"], 1.0)


def measure_speed(asked: argparse.Namespace, home: Path) -> dict[str, Any]:
    """Tokens per second of the best and the median turn, and the share of the device that the median is."""
    own = [sys.executable, __file__, "--train", "--device", asked.device, "--rows", str(asked.rows)]
    running, began_at_s = Competitor(own, environment(asked.device)), time.monotonic()
    rates: list[float] = []
    while len(rates) <= asked.turns and time.monotonic() - began_at_s < LIMITS_S["speed"]:
        rates.append(running.rate(STEPS[asked.device]))
    running.finish()
    counted = sorted(rates[1:] or rates)
    median = counted[len(counted) // 2]
    share = median * flops_per_token(asked.device) / (asked.tflops * 1e12)
    return {"tokens_per_s": round(median), "best": round(counted[-1]), "share": round(share, 4), "turns": len(counted)}


def run_tests(asked: argparse.Namespace, home: Path) -> dict[str, Any]:
    """The last line of pytest."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "gpu",
        "-p",
        "no:cacheprovider",
        "--basetemp",
        str(home / "tests"),
    ]
    files = sorted({str(path) for path in (ROOT / "tests").rglob("test_*.py") if "mark.gpu" in path.read_text("utf-8")})
    ran = subprocess.run(
        [*command, *files], cwd=ROOT, env=environment(asked.device), capture_output=True, text=True,
        timeout=LIMITS_S["tests"],
    )  # fmt: skip
    return {"exit_code": ran.returncode, "says": ran.stdout.strip().rpartition("\n")[2]}


def kill_and_resume(asked: argparse.Namespace, home: Path) -> dict[str, Any]:
    """Lines of the metrics that are missing or doubled, and how far losses are from those of an unbroken run."""
    text = home / "text.txt"
    text.write_text("\n\n".join(topics.values()), encoding="utf-8")
    warmstart = [sys.executable, "-m", "warmstart"]
    call([*warmstart, "prepare", text, "--vocab-size", 2000, "--out", home / "corpus", "--quiet"], asked.device)
    words = [*warmstart, "pretrain", "--corpus", home / "corpus", "--device", asked.device, "--model", "gpt1-micro",
             "--length", "60 steps", "--evaluate-every", "20 steps", "--save-every", 0, "--quiet"]  # fmt: skip
    call([*words, "--out", home / "whole"], asked.device)
    broken = [*words, "--out", home / "broken", "--resume"]
    process = subprocess.Popen([*map(str, broken)], env=environment(asked.device))
    while process.poll() is None and len(list((home / "broken" / "resume").glob("step-*"))) < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    was_killed = process.wait() == -signal.SIGKILL
    call(broken, asked.device)
    whole, resumed = ([*losses(home / name)] for name in ("whole", "broken"))
    furthest = max(abs(one - other) / abs(other) for (_, one), (_, other) in zip(resumed, whole, strict=False))
    same = [step for step, _ in resumed] == [step for step, _ in whole]
    return {"killed": was_killed, "same_steps": same, "furthest_loss": furthest}


def losses(run: Path) -> list[tuple[int, float]]:
    """Step and loss of each line of a run."""
    rows = map(json.loads, (run / "metrics.jsonl").read_text("utf-8").splitlines())
    return [(row["step"], row["loss"]) for row in rows if row["kind"] == "train"]


def call(words: Sequence[object], device: str) -> None:
    """Runs a command to its end."""
    subprocess.run([*map(str, words)], env=environment(device), check=True, timeout=LIMITS_S["resume"])


def environment(device: str) -> dict[str, str]:
    """That of a process: without a GPU, where none is asked for."""
    found = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return found | ({} if device == "cuda" else {"CUDA_VISIBLE_DEVICES": ""})


PARTS = {"speed": measure_speed, "tests": run_tests, "resume": kill_and_resume}


def is_good(name: str, found: dict[str, Any]) -> bool:
    """Whether a part has found what it should."""
    if name == "tests":
        return bool(found["exit_code"] == 0)
    return name == "speed" or (found["killed"] and found["same_steps"] and found["furthest_loss"] < 1e-2)


def main() -> None:
    """Prints a line for each part, or one JSON object; exit code 1 where a part has failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=SIZES, default="cuda")
    parser.add_argument("--tflops", type=float, default=790.0, help="what the device reaches in large bf16 products")
    parser.add_argument("--rows", type=int, default=64, help="rows of a step")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.train:
        train_in_turns(asked.device, asked.rows)
        return
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, part in PARTS.items():
            if asked.only in (None, name):
                began_at_s = time.monotonic()
                found[name] = part(asked, Path(folder))
                found[name]["seconds"] = round(time.monotonic() - began_at_s, 1)
                words = ", ".join(f"{key} {value}" for key, value in found[name].items())
                print(f"{name:7} {words}", file=sys.stderr if asked.json else sys.stdout, flush=True)
    if asked.json:
        ratios = {"share_of_device": found["speed"]["share"]} if "speed" in found else {}
        print(json.dumps({"ours": found, "peers": {}, "ratios": ratios, "unit": "tokens/s"}))
    sys.exit(not all(is_good(name, one) for name, one in found.items()))


if __name__ == "__main__":
    main()
