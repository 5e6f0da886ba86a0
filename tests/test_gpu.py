"""What only a GPU can show: its attention, recorded steps, and updates that nobody waits for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import tiny
from tests.building import make_fitting
from tunekit.engine import Fitting, fit
from tunekit.engine.recording import Recorder
from tunekit.errors import Diverged
from tunekit.fast import segments
from tunekit.tasks.image_classification import seen_through, view

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

TASK = "text-classification"
LENGTHS = [9, 7, 7, 2, 1]
BF16 = 2e-2  # relative difference of what bf16 computes in another order


@pytest.fixture
def make(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> Callable[..., Fitting]:
    """A maker of a tiny run's parts, without dropout unless asked for."""

    def build(task: str = TASK, family: str = "bert", dropout: bool = False, **train: Any) -> Fitting:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        model = checkpoint(family) if dropout else checkpoint(family, dropout=False)
        settings = {"batch_size": 24, "steps": 12, "early_stopping": None, "evaluate_every": 1000, **train}
        return make_fitting(folder, task, model, data(task), **settings)

    return build


def weights(fitting: Fitting) -> Any:
    """All weights as one vector."""
    torch.cuda.synchronize()
    return torch.cat([p.detach().flatten().cpu() for p in fitting.optimization.model.parameters()])


def gradient(fitting: Fitting) -> Any:
    """The gradient of the first step as one vector."""
    optimization = fitting.optimization
    optimization.model.train()
    optimization.forget()
    optimization.gradients(fitting.steps[0])
    return torch.cat([p.grad.flatten() for p in optimization.parameters if p.grad is not None])


@pytest.mark.parametrize("causal", [False, True])
def test_the_gpus_attention_is_that_with_a_mask(causal: bool) -> None:
    torch.manual_seed(0)
    mask = torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]
    layout = segments.make_segments(mask.long()).on("cuda")
    q, k, v = (torch.randn(len(layout.index), 4, 32, device="cuda", requires_grad=True) for _ in range(3))
    halves = [each.bfloat16() for each in (q, k, v)]
    found = segments.attended(*halves, layout, causal, 0.3, 0.0)
    wanted = segments.masked(q, k, v, layout, causal, 0.3, 0.0)
    assert (found - wanted).norm() < BF16 * wanted.norm()
    up = torch.randn_like(wanted)
    for a, b in zip(
        torch.autograd.grad(found, (q, k, v), up.bfloat16()),
        torch.autograd.grad(wanted, (q, k, v), up),
        strict=True,
    ):
        assert (a - b).norm() < BF16 * b.norm()


@pytest.mark.parametrize(
    ("task", "family"), [cell for cell in tiny.cells() if cell[0] != "summarization"], ids=str
)
def test_recorded_steps_move_the_weights_as_others_do(
    task: str, family: str, make: Callable[..., Fitting], monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = make(task, family)
    before = weights(fast)
    recorded: list[bool] = []
    make_step = Recorder.make
    monkeypatch.setattr(
        Recorder, "make", lambda self, step: (found := make_step(self, step), recorded.append(bool(found)))[0]
    )
    fit(fast)
    monkeypatch.setattr(Recorder, "make", lambda self, step: None)
    plain = make(task, family, fast="false")
    fit(plain)
    apart = (weights(fast) - weights(plain)).norm() / (weights(plain) - before).norm()
    print(f"{task} {family}: {sum(recorded)} of {len(recorded)} recorded, apart {float(apart):.2e}")
    assert apart < 1e-3  # in fp32, where the model keeps its own ways


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "gpt2", "llama", "qwen3"])
def test_without_padding_the_gradients_are_those_of_padded_rows(
    family: str, make: Callable[..., Fitting]
) -> None:
    fast, plain, exact = (
        make(family=family, precision="bf16"),
        make(family=family, precision="bf16", fast="false"),
        make(family=family),
    )
    assert "unpadded" in fast.optimization.fast.names
    found, usual, wanted = (gradient(each) for each in (fast, plain, exact))
    assert (found - wanted).norm() < max(BF16 * wanted.norm(), 1.5 * (usual - wanted).norm())


def test_most_steps_of_a_run_are_recorded(
    make: Callable[..., Fitting], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[bool] = []
    make_step = Recorder.make
    monkeypatch.setattr(
        Recorder, "make", lambda self, step: (made := make_step(self, step), found.append(bool(made)))[0]
    )
    fit(make(steps=30))
    assert sum(found) > 15


def test_dropout_draws_new_masks_at_every_replay(make: Callable[..., Fitting]) -> None:
    fitting = make(dropout=True, learning_rate=1e-30)
    fitting.optimization.model.train()
    recorder, step = Recorder(fitting.optimization), fitting.steps[0]
    assert recorder.make(step) is None
    fitting.optimization.gradients(step)
    fitting.optimization.update()
    losses = [float(recorder.make(step)[0]) for _ in range(4)]  # type: ignore[index]
    assert len(set(losses)) == 4


def test_a_step_that_is_not_finite_is_named_and_moves_nothing(make: Callable[..., Fitting]) -> None:
    fitting = make(steps=30, log_every=30)
    note, kept = fitting.note, list[Any]()

    def poison(progress: Any) -> None:
        note(progress)
        if progress.step == 9:
            bias = fitting.optimization.model.classifier.bias
            with torch.no_grad():
                bias.fill_(torch.inf)
            kept.append(weights(fitting))

    fitting.note = poison  # type: ignore[method-assign]
    with pytest.raises(Diverged, match="step 10 has loss"):
        fit(fitting)
    assert torch.equal(weights(fitting), kept[0])


def test_random_crops_are_the_same_on_the_gpu() -> None:
    pixels = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    import numpy as np

    views = np.stack([view((0, 1, number), 0.3, flip=True) for number in range(4)])
    apart = seen_through(pixels.cuda(), views).cpu().int() - seen_through(pixels, views).int()
    assert apart.abs().max() <= 1


def losses(fitting: Fitting) -> list[float]:
    """The losses in a run's log."""
    rows = map(json.loads, fitting.run.log_path.read_text().splitlines())
    return [row["loss"] for row in rows if "loss" in row]


def test_a_run_continues_on_a_gpu_with_the_same_losses(make: Callable[..., Fitting]) -> None:
    whole = make(dropout=True, save_every=6)
    fit(whole)
    parts = make(dropout=True, save_every=6)  # after the other, for random states are of the process
    parts.total = 6
    fit(parts)
    parts.total = 12
    fit(parts)
    assert len(losses(whole)) == 6
    assert losses(parts) == pytest.approx(losses(whole), abs=1e-4)


@pytest.mark.parametrize("bits", [4, 8])
def test_an_adapter_beside_quantized_weights_is_trained_and_merged_into_whole_ones(
    bits: int, checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes")
    from tunekit import workflow

    file = tiny.recipe(tmp_path / "tiny.yaml", TASK, checkpoint("llama"), data(TASK), steps=4)
    run = workflow.finetune(
        file,
        "adapter.kind=lora",
        f"adapter.bits={bits}",
        "train.optimizer=adamw-8bit",
        output=tmp_path / "run",
    )
    assert run.status == "finished"
    found = json.loads((run.adapter / "adapter_config.json").read_text())
    assert found["peft_type"] == "LORA" and (run.model / "model.safetensors").is_file()
