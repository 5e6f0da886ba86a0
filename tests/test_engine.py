"""Around the steps: memory, divergence, the log, the schedule, the best model, early stopping."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.building import difference, gradients, make_fitting
from tunekit import checkpoint as checkpoints
from tunekit.engine import Fitting, fit
from tunekit.engine.steps import gradients_or_less
from tunekit.errors import Diverged, EnvironmentFailure
from tunekit.evaluation import Scores
from tunekit.stats import Estimate

TASK = "text-classification"


@pytest.fixture
def make(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> Callable[..., Fitting]:
    """A maker of a tiny run's parts."""

    def build(*, dropout: bool = True, **train: Any) -> Fitting:
        return make_fitting(tmp_path, TASK, checkpoint("bert", dropout=dropout), data(TASK), **train)

    return build


def log_of(fitting: Fitting) -> list[dict[str, Any]]:
    """The rows of a run's log."""
    return [json.loads(line) for line in (fitting.run.path / "log.jsonl").read_text().splitlines()]


def run_out_of_memory_above(fitting: Fitting, rows: int) -> list[int]:
    """Let forwards of more than so many rows fail; return a list that collects the sizes tried."""
    tried: list[int] = []

    def fail(_: Any, __: Any, inputs: dict[str, Any]) -> None:
        tried.append(len(inputs["input_ids"]))
        if len(inputs["input_ids"]) > rows:
            raise RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 99 bytes"
            )

    fitting.optimization.model.register_forward_pre_hook(fail, with_kwargs=True)
    return tried


def test_out_of_memory_halves_the_micro_batch_and_repeats_the_same_step(make: Callable[..., Fitting]) -> None:
    fitting = make(dropout=False, batch_size=32, micro_batch=32)
    whole = gradients(fitting.optimization, fitting.steps)
    tried = run_out_of_memory_above(fitting, 8)
    fitting.optimization.forget()
    gradients_or_less(fitting.optimization, fitting.steps, fitting.steps[0])
    named = fitting.optimization.model.named_parameters()
    recovered = {name: p.grad for name, p in named if p.grad is not None}
    assert tried == [32, 16, 8, 8, 8, 8]
    assert difference(whole, recovered) < 1e-5


def test_out_of_memory_in_the_middle_of_a_step_repeats_it_with_the_same_randomness(
    make: Callable[..., Fitting],
) -> None:
    import torch

    fitting = make(batch_size=16, micro_batch=4)
    step = fitting.steps[0]
    fitting.steps.most = 2
    smaller = fitting.steps[0]
    state = torch.get_rng_state()
    fitting.optimization.gradients(smaller)
    wanted = fitting.optimization.model.classifier.weight.grad.clone()
    calls = 0

    def fail_once(*_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    fitting.optimization.model.register_forward_pre_hook(fail_once)
    torch.set_rng_state(state)
    fitting.optimization.forget()
    fitting.steps.most = 4
    gradients_or_less(fitting.optimization, fitting.steps, step)
    assert torch.equal(fitting.optimization.model.classifier.weight.grad, wanted)


def test_a_window_that_does_not_fit_alone_is_an_error_that_says_what_to_do(
    make: Callable[..., Fitting],
) -> None:
    fitting = make(batch_size=4)
    run_out_of_memory_above(fitting, 0)
    with pytest.raises(EnvironmentFailure, match="lower task.max_length"):
        fit(fitting)


def test_evaluation_that_runs_out_of_memory_gives_the_same_answers(make: Callable[..., Fitting]) -> None:
    from tunekit.evaluation import evaluate

    fitting = make()
    task, model = fitting.optimization.task, fitting.optimization.model
    whole = evaluate(task, model, fitting.validation)
    run_out_of_memory_above(fitting, 3)
    pieces = evaluate(task, model, fitting.validation)
    for before, after in zip(whole.predictions, pieces.predictions, strict=True):
        assert before["prediction"]["probabilities"] == pytest.approx(
            after["prediction"]["probabilities"], abs=1e-5
        )


def test_a_loss_that_is_not_finite_stops_before_the_update_and_names_the_rows(
    make: Callable[..., Fitting],
) -> None:
    import torch

    fitting = make(batch_size=8, save_every=1)
    poison = fitting.steps[3].rows
    rows_seen: list[Any] = []

    def spoil(_: Any, __: Any, outputs: Any) -> None:
        rows_seen.append(None)
        if len(rows_seen) == 4:
            outputs.logits.mul_(torch.nan)

    fitting.steps.most = 8
    fitting.optimization.model.register_forward_hook(spoil)
    with pytest.raises(Diverged) as caught:
        fit(fitting)
    assert caught.value.exit_code == 4
    assert "step 4" in str(caught.value)
    assert all(f"train.jsonl:{row + 1}" in str(caught.value) for row in poison)
    assert all(p.isfinite().all() for p in fitting.optimization.model.parameters())
    saved, complaints = checkpoints.newest_good(fitting.run.checkpoints)
    assert saved is not None
    assert saved.step == 3
    assert not complaints


def test_the_log_has_a_row_every_so_many_steps_and_for_each_evaluation(make: Callable[..., Fitting]) -> None:
    fitting = make(epochs=2, batch_size=16, log_every=2)  # 3 steps an epoch
    fit(fitting)
    rows = log_of(fitting)
    assert [row["step"] for row in rows if "loss" in row] == [2, 4, 6]
    assert [row["step"] for row in rows if "validation" in row] == [3, 6]
    assert rows[-1]["epoch"] == 2.0
    assert not [key for row in rows for key in row if "time" in key or "second" in key]


def test_the_learning_rate_is_that_of_the_closed_form(make: Callable[..., Fitting]) -> None:
    fitting = make(epochs=3, batch_size=16, log_every=1, warmup=0.25, learning_rate=1e-3)
    fit(fitting)
    rates = [row["learning_rate"] for row in log_of(fitting) if "loss" in row]
    steps, warmup = 9, 2
    wanted = [min(s / warmup, (steps - s) / (steps - warmup)) * 1e-3 for s in range(steps)]
    assert rates == pytest.approx(wanted)


def test_fractions_of_an_epoch_set_the_length(make: Callable[..., Fitting]) -> None:
    assert make(epochs=1.5, batch_size=16).total == 5


def test_steps_set_the_length(make: Callable[..., Fitting]) -> None:
    assert make(steps=7, batch_size=16).total == 7


def scripted(fitting: Fitting, values: list[float]) -> list[int]:
    """Judge a sequence of scores, one a step; return the step of the best after each."""
    best = []
    for step, value in enumerate(values, start=1):
        fitting.state.step = step
        fitting.judge(Scores({"accuracy": Estimate(value, None, None, 1)}, []))
        best.append(fitting.state.best.step if fitting.state.best else 0)
    return best


def test_the_best_is_the_highest_a_tie_keeps_the_earlier_and_nan_never_wins(
    make: Callable[..., Fitting],
) -> None:
    fitting = make(early_stopping=None)
    assert scripted(fitting, [math.nan, 0.5, 0.7, 0.7, math.nan, 0.6, 0.9]) == [0, 2, 3, 3, 3, 3, 7]


def test_training_stops_early_after_so_many_evaluations_without_improvement(
    make: Callable[..., Fitting],
) -> None:
    fitting = make(early_stopping=2, epochs=20)
    scripted(fitting, [0.5, 0.4])
    assert not fitting.state.over
    scripted(fitting, [0.4])
    assert fitting.state.over


def test_the_model_has_the_best_weights_at_the_end(make: Callable[..., Fitting]) -> None:
    import torch

    fitting = make(epochs=4, batch_size=16, early_stopping=None, keep=9)
    fit(fitting)
    best = fitting.state.best
    assert best is not None
    tensors = checkpoints.Saved(fitting.run.checkpoints / f"step-{best.step:08d}", best.step).tensors("model")
    for name, parameter in fitting.optimization.model.named_parameters():
        assert torch.equal(parameter, tensors[name])


def test_without_validation_the_last_weights_are_kept(make: Callable[..., Fitting]) -> None:
    fitting = make(epochs=1)
    fitting.validation = []
    fit(fitting)
    assert fitting.state.best is None
    assert [saved.step for saved in checkpoints.all_saved(fitting.run.checkpoints)] == [fitting.total]


@pytest.mark.parametrize("optimizer", ["adamw", "adafactor", "sgd"])
@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant", "inverse-sqrt", "wsd"])
def test_every_optimizer_and_schedule_trains(
    make: Callable[..., Fitting], optimizer: str, schedule: str
) -> None:
    fitting = make(steps=3, optimizer=optimizer, schedule=schedule, learning_rate=1e-3)
    fit(fitting)
    assert fitting.state.step == 3


def test_biases_and_norms_do_not_decay(make: Callable[..., Fitting]) -> None:
    decaying, others = make().optimization.optimizer.param_groups
    assert decaying["weight_decay"] == 0.01
    assert others["weight_decay"] == 0.0
    assert {p.ndim for p in others["params"]} == {1}


def test_bf16_trains_with_weights_in_fp32(make: Callable[..., Fitting]) -> None:
    import torch

    fitting = make(steps=2, precision="bf16")
    assert fitting.optimization.precision.name == "bf16"
    seen = []
    layer = fitting.optimization.model.bert.encoder.layer[0].intermediate.dense
    layer.register_forward_hook(lambda _, __, output: seen.append(output.dtype))
    fit(fitting)
    assert seen[0] == torch.bfloat16
    assert seen[-1] == torch.float32  # the evaluation
    assert all(p.dtype == torch.float32 for p in fitting.optimization.model.parameters())


@pytest.mark.parametrize("most", [0.01, 1000.0, None])
def test_clipping_inside_the_update_is_clipping_before_it(
    most: float | None, checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> None:
    def make(name: str) -> Fitting:
        (tmp_path / name).mkdir()
        model = checkpoint("bert", dropout=False)
        return make_fitting(tmp_path / name, TASK, model, data(TASK), max_grad_norm=most)

    inside, before = make("inside"), make("before")
    before.optimization.fused = False  # then torch's own clipping comes first
    for fitting in (inside, before):
        for step in range(3):
            fitting.optimization.forget()
            fitting.optimization.gradients(fitting.steps[step])
            fitting.optimization.update()
    pairs = zip(inside.optimization.parameters, before.optimization.parameters, strict=True)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in pairs)


def test_no_update_after_one_that_was_not_finite_moves_a_weight(make: Callable[..., Fitting]) -> None:
    fitting = make(warmup=0)
    optimization, steps = fitting.optimization, fitting.steps
    optimization.gradients(steps[0])
    optimization.parameters[0].grad.fill_(torch.inf)
    kept = [p.detach().clone() for p in optimization.parameters]
    optimization.update()
    optimization.forget()
    optimization.gradients(steps[1])
    optimization.update()
    assert all(torch.equal(a, b) for a, b in zip(kept, optimization.parameters, strict=True))
