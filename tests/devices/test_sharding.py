"""What is refused early where a model is shared out, and what a run says of it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.building import make_fitting
from tests.devices.conftest import HALF, Recipes, Runs
from tests.devices.test_same_result import TASK
from tunekit import checkpoint as checkpoints
from tunekit.console import out
from tunekit.engine.steps import gradients_together
from tunekit.errors import EnvironmentFailure, InputError
from tunekit.models.sharding import choose_sharding, is_sharded, too_large
from tunekit.recipe import load

CPU = torch.device("cpu")


def model(**config: Any) -> Any:
    """Something with a configuration."""
    return SimpleNamespace(config=SimpleNamespace(to_dict=lambda: config))


@pytest.mark.parametrize(
    ("override", "advice"),
    [("optimizer=adafactor", "choose adamw or sgd"), ("precision=fp16", "choose bf16 or fp32")],
)
def test_what_cannot_work_with_parts_is_refused_with_the_recipe(
    override: str, advice: str, recipes: Recipes
) -> None:
    with pytest.raises(InputError, match=advice):
        load(recipes[TASK], ["train.shard=full", f"train.{override}"])


def test_a_model_that_skips_layers_at_random_is_refused() -> None:
    with pytest.raises(InputError, match=r"encoder_layerdrop.*set train.shard=off"):
        choose_sharding("full", model(encoder_layerdrop=0.1, decoder_layerdrop=0.0), CPU, 2)


def test_one_process_says_that_it_has_all(capsys: pytest.CaptureFixture[str]) -> None:
    out.quiet = False
    assert not choose_sharding("full", model(), CPU, 1)
    assert "changes nothing on one process" in capsys.readouterr().err


def test_by_itself_a_model_is_not_shared_out_on_cpus() -> None:
    assert not choose_sharding("auto", model(), CPU, 2)


def test_a_model_that_fits_no_gpu_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=16_000))
    layers = torch.nn.Linear(20, 20)  # 420 numbers, of which each takes 16 bytes
    assert not too_large(layers, torch.device("cuda"))
    assert too_large(torch.nn.Linear(30, 30), torch.device("cuda"))
    assert not is_sharded(layers)


def test_a_run_says_how_its_model_is_kept(two: Runs) -> None:
    kept = {
        shard: json.loads((two[f"{TASK} 2 {shard}"] / "run.json").read_text())["hardware"]["shard"]
        for shard in ("off", "full")
    }
    assert kept == {"off": "off", "full": "full"}


def test_each_process_writes_its_half_of_a_checkpoint(two: Runs) -> None:
    saved = checkpoints.at_step(two[f"{TASK} 2 full"] / "checkpoints", HALF)
    parts = sorted((saved.path / checkpoints.SHARDS).iterdir())
    sizes = [path.stat().st_size for path in parts]
    whole = checkpoints.at_step(two[f"{TASK} 2 off"] / "checkpoints", HALF).path
    assert len(sizes) == 2
    assert max(sizes) < 0.6 * sum(path.stat().st_size for path in whole.glob("*.safetensors"))
    listed = saved.manifest()["files"]
    assert {f"{checkpoints.SHARDS}/{path.name}" for path in parts} < set(listed)


def test_a_damaged_part_damages_the_checkpoint(two: Runs, tmp_path: Path) -> None:
    saved = checkpoints.at_step(two[f"{TASK} 2 full"] / "checkpoints", HALF)
    copy = checkpoints.Saved(tmp_path / saved.path.name, HALF)
    shutil.copytree(saved.path, copy.path)
    part = next((copy.path / checkpoints.SHARDS).iterdir())
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    assert checkpoints.damage(copy) == f"{checkpoints.SHARDS}/{part.name} is damaged"


def test_a_checkpoint_in_parts_holds_no_pickle(two: Runs) -> None:
    saved = checkpoints.at_step(two[f"{TASK} 2 full"] / "checkpoints", HALF)
    names = {path.suffix or path.name for path in saved.path.rglob("*") if path.is_file()}
    assert names == {".json", ".safetensors"}


def test_memory_that_runs_out_names_the_key_to_change(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> None:
    import torch.distributed as group

    fitting = make_fitting(tmp_path, TASK, checkpoint("bert"), data(TASK), micro_batch=4)

    def run_out(*_: Any) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    fitting.optimization.model.register_forward_pre_hook(run_out)
    group.init_process_group("gloo", store=group.HashStore(), rank=0, world_size=1)
    try:
        with pytest.raises(EnvironmentFailure, match=r"step 1, .*set train.micro_batch below 4"):
            gradients_together(fitting.optimization, fitting.steps, fitting.steps[0])
    finally:
        group.destroy_process_group()
