"""The faster ways compute the same step: gradients, dropout, and when a model keeps its own way."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers.masking_utils import bidirectional_mask_function

from tests import tiny
from tests.building import difference, gradients, make_fitting
from tunekit import workflow
from tunekit.engine import Fitting, fit
from tunekit.fast import attention, products, speed_up
from tunekit.fast.compiled import compile_layers, layers_of
from tunekit.fast.dropout import drop, make_mask, replace_dropout
from tunekit.fast.layout import make_groups, make_layout
from tunekit.fast.segments import make_segments, widened

TASK = "text-classification"
LIMIT = 1e-6
SINGLE = 1e-4  # in single precision
LENGTHS = [9, 7, 7, 2, 1]


@pytest.fixture
def make(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> Callable[..., Fitting]:
    """A maker of a tiny run's parts."""

    def build(family: str, task: str = TASK, *overrides: str, **train: Any) -> Fitting:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return make_fitting(
            folder, task, checkpoint(family, dropout=False), data(task), *overrides, batch_size=24, **train
        )

    return build


@pytest.mark.parametrize(("task", "family"), tiny.cells(), ids=lambda value: value)
def test_the_faster_ways_give_the_gradients_of_the_plain_one(
    task: str, family: str, make: Callable[..., Fitting]
) -> None:
    plain, fast = make(family, task, fast="false"), make(family, task)
    assert not plain.optimization.fast.names
    wanted = gradients(plain.optimization, plain.steps)
    assert difference(wanted, gradients(fast.optimization, fast.steps)) < LIMIT


def as_on_a_gpu(fitting: Fitting) -> list[str]:
    """Let a run take the ways that it takes on a GPU, as far as a CPU has them; return their names."""
    optimization, steps = fitting.optimization, fitting.steps
    sample = steps.collate(np.unique(steps.encoded.lengths, return_index=True)[1][:3])
    fast = speed_up(
        optimization.model,
        lambda: optimization.task.loss(optimization.model, sample),
        sample.get("attention_mask"),
        own_attention=False,
        kernels=True,
    )
    fast.longest = int(steps.encoded.lengths.max())
    optimization.fast, optimization.deferred = fast, True
    return fast.names


@pytest.mark.parametrize(("task", "family"), tiny.cells(), ids=lambda value: value)
def test_the_ways_of_a_gpu_give_the_gradients_of_the_plain_one(
    task: str, family: str, make: Callable[..., Fitting]
) -> None:
    plain, fast = make(family, task, fast="false"), make(family, task, fast="false")
    as_on_a_gpu(fast)
    wanted = gradients(plain.optimization, plain.steps)
    assert difference(wanted, gradients(fast.optimization, fast.steps)) < LIMIT


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "electra", "gpt2", "llama", "qwen3"])
def test_families_without_a_bias_by_position_lose_their_padding_on_a_gpu(
    family: str, make: Callable[..., Fitting]
) -> None:
    assert as_on_a_gpu(make(family, fast="false")) == ["attention", "unpadded"]


def test_a_family_that_keeps_its_padding_keeps_its_attention_on_a_gpu(make: Callable[..., Fitting]) -> None:
    fitting = make("t5", fast="false")
    assert as_on_a_gpu(fitting) == []
    assert fitting.optimization.model.config._attn_implementation == "sdpa"


def test_pictures_take_the_attention_on_a_gpu(make: Callable[..., Fitting]) -> None:
    assert as_on_a_gpu(make("vit", "image-classification", fast="false")) == ["attention"]


def test_no_mask_is_made_where_nothing_is_hidden() -> None:
    sizes = {"batch_size": 2, "q_length": 5, "kv_length": 5, "allow_is_bidirectional_skip": True}
    assert attention.make_mask(**sizes, attention_mask=None) is None


def test_padding_is_hidden() -> None:
    sizes = {"batch_size": 2, "q_length": 3, "kv_length": 3, "allow_is_bidirectional_skip": True}
    padded = torch.tensor([[True, True, True], [True, True, False]])
    both = bidirectional_mask_function
    mask = attention.make_mask(**sizes, attention_mask=padded, mask_function=both)
    assert mask.expand(2, 1, 3, 3)[:, 0, 0].tolist() == padded.tolist()


def test_sizes_on_a_gpu_are_few() -> None:
    sizes = [len(make_segments(torch.ones(1, count, dtype=torch.long)).index) for count in range(1, 4097)]
    assert all(size >= count for count, size in enumerate(sizes, 1))
    assert len(set(sizes)) < 40


def test_batches_are_widened_to_multiples_as_far_as_the_longest_row_allows() -> None:
    batch = {"input_ids": torch.ones(2, 70).long(), "attention_mask": torch.ones(2, 70).long()}
    batch |= {"labels": torch.ones(2, 5).long(), "number": torch.ones(2)}
    wide = widened(batch, {"input_ids": 9, "labels": -100}, 100)
    assert {name: tuple(value.shape) for name, value in wide.items()} == {
        "input_ids": (2, 100),
        "attention_mask": (2, 100),
        "labels": (2, 64),
        "number": (2,),
    }
    assert wide["input_ids"][0, 70:].unique().tolist() == [9]
    assert wide["labels"][0, 5:].unique().tolist() == [-100]


PADDED = ("bert", "roberta", "distilbert", "electra", "gpt2", "llama", "qwen3", "t5", "mt5", "bart")


@pytest.mark.parametrize("family", PADDED)
def test_families_whose_layers_can_do_without_padding_do(family: str, make: Callable[..., Fitting]) -> None:
    assert {"attention", "unpadded"} <= set(make(family).optimization.fast.names)


@pytest.mark.parametrize(
    ("family", "task"),
    [("modernbert", TASK), ("vit", "image-classification"), ("dinov2", "image-classification")],
)
def test_others_take_only_the_attention(family: str, task: str, make: Callable[..., Fitting]) -> None:
    names = make(family, task).optimization.fast.names
    assert "attention" in names
    assert "unpadded" not in names


def test_no_padding_goes_through_the_layers(make: Callable[..., Fitting]) -> None:
    fitting = make("bert")
    seen: list[int] = []
    layer = fitting.optimization.model.bert.encoder.layer[0].intermediate
    layer.register_forward_hook(lambda _, given, __: seen.append(given[0].shape[:2].numel()))
    step = fitting.steps[0]
    fitting.optimization.gradients(step)
    tokens = sum(int(fitting.steps.encoded.lengths[micro.windows].sum()) for micro in step.micros)
    assert seen == [-(-tokens // 64) * 64]


def test_an_attention_that_the_recipe_names_is_kept(make: Callable[..., Fitting]) -> None:
    fitting = make("bert", TASK, "model.attention=eager")
    assert fitting.optimization.model.config._attn_implementation == "eager"
    assert "attention" not in fitting.optimization.fast.names


def test_a_model_that_answers_differently_without_padding_keeps_it(
    make: Callable[..., Fitting], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.bert.modeling_bert import BertOutput

    plain = BertOutput.forward
    monkeypatch.setattr(
        BertOutput, "forward", lambda self, hidden, given: plain(self, hidden, given) * hidden.shape[1]
    )
    assert "unpadded" not in make("bert").optimization.fast.names


def test_a_finished_model_knows_nothing_of_the_attention_it_was_trained_with(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> None:
    file = tiny.recipe(tmp_path / "tiny.yaml", TASK, checkpoint("bert"), data(TASK), steps=1)
    run = workflow.finetune(file, output=tmp_path / "run")
    assert "unpadded" in run.facts["hardware"]["fast"]
    assert "tunekit" not in (run.model / "config.json").read_text()


def test_dropout_by_bits_drops_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    mask = make_mask(torch.ones(1000, 1000), 0.1)
    assert float((mask == 0).float().mean()) == pytest.approx(0.1, abs=1e-3)
    assert float(mask.mean()) == pytest.approx(1, abs=1e-3)
    assert len(mask.unique()) == 2


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 63, 64, 65])
def test_dropout_by_bits_takes_any_number_of_elements(count: int) -> None:
    assert make_mask(torch.ones(count), 0.5).shape == (count,)


def test_dropout_by_bits_follows_the_seed() -> None:
    masks = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        masks.append(make_mask(torch.ones(500), 0.3))
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])


def test_dropped_elements_get_no_gradient() -> None:
    x = torch.ones(1000, requires_grad=True)
    out = drop(x, 0.5)
    out.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad == 0, out == 0)


def test_replaced_dropout_does_nothing_outside_training() -> None:
    model = torch.nn.Sequential(torch.nn.Dropout(0.5))
    replace_dropout(model)
    x = torch.ones(1000)
    assert torch.equal(model.eval()(x), x)
    assert not torch.equal(model.train()(x), x)


def heads(rows: int, tokens: int) -> list[Any]:
    """Queries, keys and values in double precision, shape (rows, 2 heads, tokens, 4)."""
    torch.manual_seed(0)
    return [torch.randn(rows, 2, tokens, 4, dtype=torch.double, requires_grad=True) for _ in range(3)]


def test_the_backward_of_attention_is_the_derivative_of_its_forward() -> None:
    bias = torch.randn(1, 2, 5, 5, dtype=torch.double, requires_grad=True)
    mask = torch.zeros(3, 1, 1, 5, dtype=torch.double)
    mask[1, ..., 3:] = -1e30
    assert torch.autograd.gradcheck(
        lambda *given: products.padded().apply(*given[:3], mask, given[3], 0.5, 0.0), (*heads(3, 5), bias)
    )


def test_attention_with_dropout_is_that_of_plain_operations_with_the_same_mask() -> None:
    q, k, v = heads(3, 5)
    torch.manual_seed(7)
    out = products.padded().apply(q, k, v, None, None, 0.5, 0.3)
    found = torch.autograd.grad(out.square().sum(), (q, k, v))
    torch.manual_seed(7)
    probabilities = (q @ k.transpose(-1, -2) * 0.5).softmax(-1)
    wanted_out = (probabilities * make_mask(probabilities, 0.3)) @ v
    wanted = torch.autograd.grad(wanted_out.square().sum(), (q, k, v))
    assert torch.allclose(out, wanted_out)
    assert all(torch.allclose(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("causal", [False, True])
def test_attention_of_flat_rows_is_that_of_each_row_alone(causal: bool) -> None:
    mask = torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]
    layout, size = make_layout(mask.long()), sum(LENGTHS)
    flat = [each.detach()[0].transpose(0, 1).contiguous().requires_grad_() for each in heads(1, size)]
    bias = torch.randn(1, 2, 9, 9, dtype=torch.double, requires_grad=True)
    out = products.flat().apply(*flat, bias, layout, causal, 0.5, 0.0)
    begin, parts = 0, []
    for length in LENGTHS:
        q, k, v = (each[begin : begin + length].transpose(0, 1) for each in flat)
        scores = q @ k.transpose(-1, -2) * 0.5 + bias[0, :, :length, :length]
        if causal:
            scores = scores + torch.full((length, length), -1e30).triu(1)
        parts.append((scores.softmax(-1) @ v).transpose(0, 1))
        begin += length
    wanted = torch.cat(parts)
    assert torch.allclose(out, wanted)
    inputs = (*flat, bias)
    for a, b in zip(
        torch.autograd.grad(out.square().sum(), inputs),
        torch.autograd.grad(wanted.square().sum(), inputs),
        strict=True,
    ):
        assert torch.allclose(a, b)


def test_groups_hold_every_row_once_and_in_order() -> None:
    groups = make_groups([300, 280, 40, 38, 37, 3])
    assert [length for group in groups for length in group.lengths] == [300, 280, 40, 38, 37, 3]
    assert [group.begin for group in groups][1:] == [group.end for group in groups][:-1]
    assert len(groups) > 1


def test_layers_are_those_of_all_stacks_and_not_what_is_inside_of_them(make: Callable[..., Fitting]) -> None:
    model = make("t5").optimization.model
    blocks = [module for module in model.modules() if type(module).__name__ == "T5Block"]
    assert layers_of(model) == blocks


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for CPUs with g++")
@pytest.mark.filterwarnings("ignore")  # of the compiler's own
def test_compiled_layers_give_the_gradients_of_the_plain_ones(make: Callable[..., Fitting]) -> None:
    plain, compiled = make("bert", fast="false"), make("bert")
    compile_layers(compiled.optimization.model)
    assert difference(single(plain), single(compiled)) < SINGLE


def single(fitting: Fitting) -> dict[str, Any]:
    """The gradients of one step in single precision."""
    optimization = fitting.optimization
    optimization.model.train()
    optimization.gradients(fitting.steps[0])
    named = optimization.model.named_parameters()
    return {name: p.grad.detach().clone() for name, p in named if p.grad is not None}


def test_a_short_run_is_not_compiled_by_itself(make: Callable[..., Fitting]) -> None:
    fitting = make("bert", steps=50)
    fit(fitting)
    assert "compiled" not in fitting.optimization.fast.names


def test_the_memory_that_a_run_frees_stays_with_it_on_linux() -> None:
    if not Path("/lib64/ld-linux-x86-64.so.2").exists():
        pytest.skip("only glibc can be told")
    code = "from tunekit.fast import keep_memory; print(keep_memory())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
