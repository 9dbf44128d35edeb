"""The one loop. Objectives, tasks and schemes differ in what they put in the batch and how goals are weighed, never here.

It takes plain values: a model, a stream, a criterion, and a function that evaluates the model on dev. Everything it
remembers between steps is in :class:`Progress`; everything else follows from the step number.
"""

import contextlib
import functools
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from warmstart.base.allocator import FreedMemory, keep_freed_memory
from warmstart.base.console import ProgressBar, progress_bar, say
from warmstart.base.errors import BadInput, DivergenceError
from warmstart.base.old_names import PROGRESS_KEYS, rename_keys
from warmstart.base.run_folder import METRICS, RunFolder
from warmstart.base.seeds import derive_seed
from warmstart.base.signals import StopNow, StopRequests
from warmstart.base.world import current_world
from warmstart.example.batch import Batch
from warmstart.models.model import Model
from warmstart.streams.stream import BatchStream, halve_until_split
from warmstart.train import checkpoint, checkpoints
from warmstart.train.average import EarlierWeights, WeightAverage
from warmstart.train.compiled import compile_parts, is_worth_compiling
from warmstart.train.optimizer import Optimizer
from warmstart.train.precision import NO_BF16, ComputeSettings, compute_settings, has_fast_bf16
from warmstart.train.progress import (
    MOST_SKIPPED,
    LossHistory,
    PendingStep,
    Progress,
    Validation,
    copy_buffers,
    restore_buffers,
    train_row,
)  # fmt: skip
from warmstart.train.recompute import keep_activations, recompute_layers
from warmstart.train.schedule import factor, num_unfrozen_layers, plan_lengths
from warmstart.train.schemes import bytes_to_write
from warmstart.train.settings import TrainSettings
from warmstart.train.sharded import make_weights
from warmstart.train.shortage import note_shortage, noted_shortage
from warmstart.train.step import Criterion, StepOutOfMemory, train_step
from warmstart.train.trackers import Track, check_trackers, no_tracking, open_trackers


class Trainer:
    """One training of one model; :meth:`run` is called once."""

    def __init__(
        self, model: Model, stream: BatchStream, settings: TrainSettings, criterion: Criterion, folder: RunFolder,
        validation: Validation | None, device: torch.device, compute: ComputeSettings | None = None,
    ) -> None:  # fmt: skip
        """Makes everything that a training needs; where several processes train one model, each has a Trainer.

        ``model`` has the weights to begin with (the leading process's count); ``compute`` of None is the fastest here.
        """
        check_trackers(settings.track)
        keep_freed_memory()
        self.world, self.model = current_world(), model.to(device)
        for tensor in (*model.parameters(), *model.buffers()) if self.world.size > 1 else ():
            self.world.broadcast_(tensor.data)
        self.stream, self.settings, self.criterion = stream, settings, criterion
        self.folder, self.validation, self.device = folder, validation, device
        if settings.activation_checkpointing:
            recompute_layers(self.model)
        self.is_compute_given = compute is not None
        self._compute_with(compute or compute_settings(settings.precision, device))
        self.plan = plan_lengths(settings, stream)
        if is_worth_compiling(self.model, stream, self.plan.steps, device):
            compile_parts(self.model)
        self.state, self.losses = Progress(), LossHistory()
        self.repeated_step = 0  # the last that was taken a second time
        self.pending: deque[PendingStep] = deque()
        self.max_pending = 0 if device.type == "cpu" else 1  # steps that a device has ahead of the figures asked for
        self.writer = checkpoint.CheckpointWriter(
            folder.path / "resume", self.best_path, folder.path / METRICS, settings.keep_checkpoints
        )
        self.saved_at_s, self.began_at_s, self.logged_at_s = time.monotonic(), 0.0, 0.0
        self.memory = FreedMemory()
        self.track: Track = no_tracking

    def _compute_with(self, compute: ComputeSettings) -> None:
        self.compute = compute
        compute.apply(self.model)
        optimizer = self.settings.optimizer
        by_layer = optimizer.layer_decay > 1 or self.settings.unfreeze is not None
        rules = {"by_layer": by_layer, "matrices": optimizer.updates_matrices, "by_rows": optimizer.keeps_zeros}
        self.weights = make_weights(self.model, compute.dtype, self.world, self._filler, **rules)
        self.optimizer = Optimizer(self.weights, optimizer)
        self.average = WeightAverage(self.weights, self.settings.ema)
        self.followers: list[WeightAverage | EarlierWeights] = [self.average]
        if self.criterion.earlier is not None:
            self.criterion.earlier.begin(self.weights)
            self.followers.append(self.criterion.earlier)

    def _filler(self) -> Batch:
        return self.stream.batches(0)[0].to(self.device)

    def _compute_as_before(self, stored: dict[str, Any]) -> None:
        """Goes on with the settings that the run began with, so that it stays the same run to the last bit."""
        compute = ComputeSettings.from_dict(stored)
        if compute == self.compute or self.world.shards:  # sharded ones are what compute.json says already
            return
        if compute.dtype == torch.bfloat16 and not has_fast_bf16(self.device):
            if not self.is_compute_given:  # else whoever gave them has said so
                say(NO_BF16)
            return
        self.weights.release()
        self._compute_with(compute)

    @functools.cached_property
    def frozen(self) -> str:
        """Names the values of the frozen weights; empty where there are none."""
        return self.weights.frozen_digest() if self.weights.frozen else ""

    @property
    def bytes_to_write(self) -> int:
        """What the run folder takes at most."""
        return bytes_to_write(self.model, self.settings)

    def resume(self, *, strict: bool = False) -> bool:
        """Loads the newest checkpoint of the run folder that is whole; False where there is none yet.

        Args:
            strict: whether a damaged one is refused instead.

        Raises:
            BadInput: all are damaged, or with ``strict`` the newest; or it belongs to other frozen weights.
        """
        with self.world.together():
            found = self._newest_checkpoint(strict=strict) if self.world.leads else None
        if (found := checkpoints.share(found, self.world)) is None:
            self.folder.truncate_metrics(0)
        else:
            self._restore(found)
        short = self.world.agree(noted_shortage(self.folder.path / "resume"))
        self.state.max_tokens = min(filter(None, (self.state.max_tokens, short)), default=0)
        if self.state.max_tokens:
            self.stream = self.stream.with_max_tokens(self.state.max_tokens)
        return found is not None

    def _restore(self, found: checkpoints.FoundCheckpoint) -> None:
        state = found.state
        self._compute_as_before(state.pop("choices", self.compute.to_dict()))
        with self.world.together():
            tensors = checkpoints.tensors_for(found, self.weights)
            self.optimizer.restore(tensors)
            for follower in self.followers:
                follower.restore(tensors)
        for name, value in self._buffers.items():
            value.copy_(tensors.get(name, value))
        self.state = Progress(**rename_keys(state, PROGRESS_KEYS))
        self.folder.truncate_metrics(self.state.step, self.state.evaluated_step)
        self.losses = LossHistory(row["loss"] for row in self.folder.read_metrics() if row["kind"] == "train")

    def _newest_checkpoint(self, *, strict: bool) -> checkpoints.FoundCheckpoint | None:
        """The newest checkpoint of the run folder; ``None`` where there is none yet."""
        found = checkpoints.find_newest(self.folder.path / "resume", strict=strict)
        if found is not None and found.state.pop("frozen", "") != self.frozen:
            raise BadInput(
                "the start has changed since this run began, and its frozen weights with it",
                where=str(self.folder.path), next_step="restore the start, or choose another --out to begin anew",
            )  # fmt: skip
        return found

    def run(self) -> Progress:
        """Trains to the end, or to an early stop; the model then holds the final (not the best) float32 weights.

        Returns:
            How far it went, and dev's best.

        Raises:
            DivergenceError: a loss stopped being finite.
            TerminationError, InterruptError: a signal came; the run is saved.
        """
        self.logged_at_s = time.monotonic()
        self.began_at_s = self.logged_at_s - self.state.elapsed_s
        try:
            self._train()
        except DivergenceError as error:
            self.world.end(error)
        for follower in self.followers:
            follower.finish()
        self.weights.release()
        self.model = self.weights.full_model or self.model
        keep_activations(self.model)
        return self.state

    def _train(self) -> None:
        """All steps, with what is due between them."""
        step, tracked = self.state.step, self.settings.track if self.world.leads else ()
        tracking = open_trackers(tracked, self.folder.path, step)
        shown = progress_bar("training", self.plan.steps, step)
        with tracking as self.track, StopRequests() as stop, self.writer, shown as bar:
            self._evaluate_if_due(stop)  # a run that stopped between a step and its evaluation
            while self.state.step < self.plan.steps and not 0 < self.settings.patience <= self.state.stale:
                self._step(bar)
                self.writer.check()
                is_due = time.monotonic() - self.saved_at_s >= self.settings.save_every_s
                self._stop_if_requested(stop, save=is_due)
                self._evaluate_if_due(stop)
            self._log_steps()
            self._stop_if_requested(stop)  # a signal that came at the end of the last evaluation

    def _stop_if_requested(self, stop: StopRequests, *, save: bool = False) -> None:
        """Saves, where that is due, and where a signal has come to any process of this training all of them end."""
        found = self.world.gather([stop.number, save])
        if any(due or number is not None for number, due in found):
            self._save()
        self._end_if_signalled(stop, [number for number, _ in found])

    def _end_if_signalled(self, stop: StopRequests, numbers: Sequence[int | None]) -> None:
        """Ends a training that is saved, where one of its processes has got a signal."""
        came = [number for number in numbers if number is not None]
        if came:
            self.writer.wait()
            stop.take(came[0])
            self.world.end(stop.error(str(self.folder.path)))

    def _step(self, bar: ProgressBar) -> None:
        state, settings = self.state, self.settings
        rate_factor = factor(settings.schedule, state.step, self.plan)
        own = self.stream.batches(state.step, self.world.rank, self.world.size)
        batches = [batch.to(self.device) for batch in own]
        self.optimizer.num_unfrozen_layers = num_unfrozen_layers(state.step, self.plan)
        self.model.train()
        seed, before = derive_seed(settings.seed, "dropout", state.step), copy_buffers(self.model)
        try:
            with self.world.watched():
                output = train_step(self.model, self.optimizer, batches, self.criterion, rate_factor, seed)
        except StepOutOfMemory as error:
            restore_buffers(self.model, before)
            self._split_further(error)
            return
        step = state.step = state.step + 1
        self.memory.release()
        self.pending.append(PendingStep(output, step, rate_factor, bar, before))
        self._log_steps(keep=0 if step == self.plan.steps else self.max_pending)
        for follower in self.followers if state.step == step else ():
            follower.update(step)

    def _split_further(self, error: StepOutOfMemory) -> None:
        """Makes the micro-batches smaller, so that this step has more of them; the loop then takes it again.

        Raises:
            StepOutOfMemory: each has a single example; or others wait in a layer: ``--resume`` goes on with smaller ones.
        """
        step, before = self.state.step, self.state.max_tokens or self.settings.max_tokens
        fewer = halve_until_split(self.stream, step, before)
        if self.world.shards:
            note_shortage(self.folder.path / "resume", fewer)
            raise error
        if fewer == 0:
            self.world.end(error)
        self.stream, self.state.max_tokens = self.stream.with_max_tokens(fewer), fewer
        say(f"step {step + 1}: out of memory; from here on micro-batches of {fewer:,} tokens: the same gradient")

    def _log_steps(self, keep: int = 0) -> None:
        """Logs what the pending steps have measured, all but the last ``keep``, which a device may still be at."""
        state, coefficients = self.state, self.criterion.coefficients
        while len(self.pending) > keep:
            pending = self.pending.popleft()
            try:
                report = pending.output.report()
            except DivergenceError as error:
                self._repeat_or_skip(pending, error)
                return
            now_s = time.monotonic()
            speed, self.logged_at_s = report.tokens / (now_s - self.logged_at_s), now_s
            state.skipped = 0
            state.tokens += report.tokens
            state.elapsed_s = now_s - self.began_at_s
            loss = sum(coefficients.get(name, 0.0) * value for name, value in report.losses.items())
            rate, is_spike = self.settings.optimizer.peak * pending.rate_factor, self.losses.add(loss)
            self._log(train_row(state, pending.step, report, loss, rate, speed, is_spike=is_spike))
            if is_spike:
                say(f"step {pending.step}: the loss jumps to {loss:.4f}")
            pending.bar.update(pending.step, f"loss {loss:.4f}  {speed:,.0f} tokens/s")

    def _repeat_or_skip(self, pending: PendingStep, error: DivergenceError) -> None:
        """Goes back to before a step without finite numbers or, the second time, leaves it out.

        Neither it nor any step after it has changed a weight. Where a process lacked memory, all have smaller micro-batches.

        Raises:
            DivergenceError: it is the last of too many in a row.
        """
        state, step = self.state, pending.step
        self.pending.clear()
        self.optimizer.allow_updates()
        restore_buffers(self.model, pending.buffers)
        state.step = step - 1
        if any(shortages := self.world.gather(pending.output.shortage)):
            return self._split_further(StepOutOfMemory(next(filter(None, shortages))))
        if self.repeated_step != step:
            self.repeated_step = step
            say(f"step {step}: the loss or its gradient is not finite; the step is taken once more")
            return
        read = self.stream.describe(state.step)
        state.step, state.skipped = step, state.skipped + 1
        self._log({"kind": "skipped", "step": step, "tokens": state.tokens, "read": read})
        if state.skipped == MOST_SKIPPED:
            raise error
        say(f"step {step}: not finite again, so the step is left out; it read {read}")

    def _log(self, row: dict[str, Any]) -> None:
        self.folder.append_metrics(row)
        self.track(row)

    def _evaluate_if_due(self, stop: StopRequests) -> None:
        """Evaluates the model on dev after every ``evaluate_every`` steps and at the end, and keeps the best weights.

        A run that is stopped meanwhile evaluates anew when it goes on: its evaluation may take longer than it is given.
        """
        state, validation = self.state, self.validation
        due = state.step > 0 and (state.step % self.plan.evaluate_steps == 0 or state.step == self.plan.steps)
        if validation is None or not due or state.evaluated_step == state.step:
            return
        step = state.step
        self._log_steps()
        if state.step != step:  # it is taken once more
            return
        values = self._evaluate(validation, stop)
        score = values[validation.metric] if validation.higher_is_better else -values[validation.metric]
        state.evaluated_step, state.elapsed_s = state.step, time.monotonic() - self.began_at_s
        row = {"kind": "dev", "step": state.step, "tokens": state.tokens, "metrics": values}
        self._log(row | {"elapsed_s": round(state.elapsed_s, 3)})
        if state.is_best(score):
            with self.average.applied():
                best = self.weights.trainable() | self._buffers
                if self.world.leads:
                    self.writer.set_best(state.step, best)
            self._save()  # so that a checkpoint never remembers a best that a crash has lost
        shown = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
        self.logged_at_s = time.monotonic()
        say(f"dev after step {state.step}: {shown}" + ("  (best so far)" if state.best_step == state.step else ""))

    def _evaluate(self, validation: Validation, stop: StopRequests) -> dict[str, float]:
        """What dev says. Every process evaluates all of dev, so that none waits long; the leading one's word counts."""
        self.model.eval()
        values: dict[str, float] = {}
        whole = self.weights.whole(self.model)  # which asks the others, and is not to be stopped on the way
        with self.average.applied(), whole as model, contextlib.suppress(StopNow), stop.at_once():
            values = validation.evaluate(model)
        found = self.world.gather([stop.number, values])
        if any(number is not None for number, _ in found):
            self._save()
        self._end_if_signalled(stop, [number for number, _ in found])
        return dict(found[0][1])

    @property
    def _buffers(self) -> dict[str, torch.Tensor]:
        """What a model counts while it learns, by name: running averages of batch norm, carried states."""
        return dict(self.model.named_buffers())

    @property
    def best_path(self) -> Path:
        """Where the best values of the trainable weights stand."""
        return self.folder.path / "best" / "model.safetensors"

    def load_best(self) -> None:
        """Puts the best weights into the model, once :meth:`run` is over."""
        best = self._read_best()
        if best is not None:
            for name, value in (self.weights.trainable() | self._buffers).items():
                value.copy_(best[name])

    def check_best(self) -> None:
        """Checks the best weights before a run goes on that will end with them: damage is said now, not after the training.

        Raises:
            BadInput: they are missing, damaged, or of another step.
        """
        self._read_best()

    def _read_best(self) -> dict[str, torch.Tensor] | None:
        """The best weights as they are in the folder; ``None`` where dev was not evaluated yet."""
        if self.state.best is None:
            return None
        return checkpoint.load_best(self.best_path, self.state.best_step, self.state.evaluated_step)

    def _save(self) -> None:
        self._log_steps()
        state = {k: v for k, v in asdict(self.state).items() if k != "step"}
        state |= {"frozen": self.frozen, "choices": self.compute.to_dict()}
        tensors = self.optimizer.state()
        for follower in self.followers:
            tensors |= follower.state()
        checkpoints.save(self.writer, self.state.step, self.weights, tensors, state, self._buffers)
        self.saved_at_s = self.logged_at_s = time.monotonic()
