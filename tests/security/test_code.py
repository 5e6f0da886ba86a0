"""Nothing that checkpoints and runs hold is run."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.building import make_task, quiet
from tunekit import tasks, workflow
from tunekit.checkpoint import sealed, sha256
from tunekit.errors import InputError, explain
from tunekit.models.checkpoint import inspect
from tunekit.models.finetuned import load_task, load_weights
from tunekit.models.load import load_model
from tunekit.recipe import ModelSection

TASK = "text-classification"

MakeCheckpoint = Callable[..., Path]
MakeData = Callable[[str], Path]


class Payload:
    """What runs code when it is unpickled: it leaves a file behind."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.marker,)


@pytest.fixture
def folder(checkpoint: MakeCheckpoint, tmp_path: Path) -> Path:
    """A checkpoint that a test may change."""
    return Path(shutil.copytree(checkpoint("bert"), tmp_path / "model"))


def poison(file: Path) -> Path:
    """Write a file that runs code where it is unpickled; return the file that this would leave."""
    import torch

    marker = file.parent / f"{file.name}.ran"
    torch.save({"weight": torch.zeros(1), "more": Payload(marker)}, file)
    return marker


def refusal(folder: Path) -> str:
    """The one problem of a checkpoint."""
    with pytest.raises(InputError) as caught:
        inspect(ModelSection(name=str(folder)), tasks.find(TASK))
    (problem,) = caught.value.problems
    return problem


def test_2_a_poisoned_bin_file_is_refused_and_never_run(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    marker = poison(folder / "pytorch_model.bin")
    assert refusal(folder) == (
        f"{folder}/pytorch_model.bin is damaged, or holds more than tensors, which is never read; "
        "give safetensors instead"
    )
    assert not marker.exists()


def test_2_a_poisoned_shard_is_refused_and_never_run(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"a": "pytorch_model-1-of-1.bin"}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    marker = poison(folder / "pytorch_model-1-of-1.bin")
    assert "pytorch_model-1-of-1.bin is damaged, or holds more than tensors" in refusal(folder)
    assert not marker.exists()


def test_2_poison_that_is_met_only_after_a_download_is_the_inputs_fault(tmp_path: Path) -> None:
    import torch

    marker = poison(tmp_path / "pytorch_model.bin")
    with pytest.raises(Exception, match="Weights only load failed") as caught:
        torch.load(tmp_path / "pytorch_model.bin", weights_only=True)
    message, code = explain(caught.value)
    assert code == 2
    assert message.endswith("give a checkpoint with safetensors")
    assert not marker.exists()


@pytest.mark.parametrize("name", ["optimizer.bin", "optimizer.pt", "rng_state.pth", "training_args.bin"])
def test_2_poison_beside_the_weights_is_never_read(folder: Path, name: str) -> None:
    marker = poison(folder / name)
    task = make_task(TASK, folder, ["bad", "good"])
    load_model(inspect(ModelSection(name=str(folder)), type(task)), task, quiet, attention=None, dropout=None)
    assert not marker.exists()


def test_2_poison_in_a_runs_checkpoint_is_refused_and_never_run(
    checkpoint: MakeCheckpoint, data: MakeData, tmp_path: Path
) -> None:
    file = tiny.recipe(tmp_path / "tiny.yaml", TASK, checkpoint("bert"), data(TASK), steps=2)
    run = workflow.finetune(file, output=tmp_path / "run")
    (saved,) = run.checkpoints.glob("step-*")
    markers = [poison(saved / name) for name in ("optimizer.safetensors", "random.bin", "state.pt")]
    with pytest.raises(InputError, match=r"optimizer\.safetensors is damaged; name another checkpoint"):
        workflow.finetune(file, resume=str(saved))
    assert not any(marker.exists() for marker in markers)


def test_2_poison_that_a_runs_checkpoint_vouches_for_is_refused_and_never_run(
    checkpoint: MakeCheckpoint, data: MakeData, tmp_path: Path
) -> None:
    file = tiny.recipe(tmp_path / "tiny.yaml", TASK, checkpoint("bert"), data(TASK), steps=2)
    run = workflow.finetune(file, output=tmp_path / "run")
    (saved,) = run.checkpoints.glob("step-*")
    poisoned = saved / "optimizer.safetensors"
    marker = poison(poisoned)
    manifest = json.loads((saved / "manifest.json").read_text())
    manifest["files"][poisoned.name] = {"size": poisoned.stat().st_size, "sha256": sha256(poisoned)}
    (saved / "manifest.json").write_text(json.dumps(sealed(manifest)))
    run.record(status="interrupted")
    with pytest.raises(InputError, match=r"optimizer\.safetensors is no safetensors file"):
        workflow.finetune(file, output=tmp_path / "run")
    assert not marker.exists()


def configured(folder: Path, **settings: Any) -> Path:
    """A checkpoint with further settings in its configuration."""
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))
    return folder


@pytest.mark.parametrize(
    "key", ["attn_implementation", "_attn_implementation", "_attn_implementation_internal"]
)
@pytest.mark.parametrize("name", ["org/kernel", "flash_attention_2"])
def test_3_attention_that_a_checkpoint_asks_for_is_ignored(folder: Path, key: str, name: str) -> None:
    task = make_task(TASK, configured(folder, **{key: name}), ["bad", "good"])
    found = inspect(ModelSection(name=str(folder)), type(task))
    model = load_model(found, task, quiet, attention=None, dropout=None)
    assert model.config._attn_implementation == "sdpa"


def test_3_attention_that_a_finished_model_asks_for_is_ignored(folder: Path) -> None:
    from tunekit.models.load import save_finetuned

    task = make_task(TASK, folder, ["bad", "good"])
    model = load_model(
        inspect(ModelSection(name=str(folder)), type(task)), task, quiet, attention=None, dropout=None
    )
    save_finetuned(folder.parent / "done", task, TASK, model)
    done = configured(folder.parent / "done", _attn_implementation="org/kernel")
    assert load_weights(done, load_task(done)[1]).config._attn_implementation == "sdpa"


@pytest.mark.parametrize("key", ["experts_implementation", "_experts_implementation"])
def test_3_expert_code_that_a_checkpoint_asks_for_is_ignored(folder: Path, key: str) -> None:
    found = inspect(ModelSection(name=str(configured(folder, **{key: "org/kernel"}))), tasks.find(TASK))
    assert found.config._experts_implementation is None


def test_3_attention_in_a_recipe_is_one_of_three_names() -> None:
    with pytest.raises(ValueError, match="'eager', 'sdpa' or 'flash_attention_2'"):
        ModelSection(name="x", attention="org/kernel")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings",
    [
        {"auto_map": {"AutoConfig": "own.Own", "AutoModelForSequenceClassification": "own.Own"}},
        {"auto_map": {"AutoConfig": "org/elsewhere--own.Own"}},
        {"encoder": {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}, "trust_remote_code": True}},
        {"trust_remote_code": True, "custom_pipelines": {"x": {"impl": "own.Own"}}},
    ],
    ids=["auto-map", "elsewhere", "nested", "trusting"],
)
def test_3_code_that_a_configuration_names_is_never_run(folder: Path, settings: dict[str, Any]) -> None:
    (folder / "own.py").write_text("from pathlib import Path\nPath(__file__ + '.ran').touch()\n")
    task = make_task(TASK, configured(folder, **settings), ["bad", "good"])
    found = inspect(ModelSection(name=str(folder)), type(task))
    model = load_model(found, task, quiet, attention=None, dropout=None)
    assert type(model).__module__.startswith("transformers.models.bert")
    assert not list(folder.glob("*.ran"))


def test_3_an_adapter_beside_finished_weights_is_refused(folder: Path) -> None:
    from tunekit.models.load import save_finetuned

    task = make_task(TASK, folder, ["bad", "good"])
    model = load_model(
        inspect(ModelSection(name=str(folder)), type(task)), task, quiet, attention=None, dropout=None
    )
    done = folder.parent / "done"
    save_finetuned(done, task, TASK, model)
    (done / "adapter_config.json").write_text(
        '{"peft_type": "LORA", "auto_mapping": {"parent_library": "os"}}'
    )
    with pytest.raises(InputError, match="has an adapter beside its weights"):
        load_task(done)


def test_3_an_adapter_is_refused_as_a_checkpoint(folder: Path) -> None:
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "org/other"}')
    assert "is an adapter, not a whole checkpoint" in refusal(folder)


def test_3_a_quantized_checkpoint_is_refused(folder: Path) -> None:
    configured(folder, quantization_config={"quant_method": "fbgemm_fp8"})
    assert refusal(folder).endswith(
        "is quantized (quantization_config); give the model that it was made from"
    )


COMMANDS = """
import sys
from tunekit.cli import main
recipe, run, rows = sys.argv[1:]
for words in (["finetune", recipe, "--output", run], ["evaluate", run], ["predict", run, "--input", rows]):
    sys.argv = ["tunekit", *words]
    try:
        main()
    except SystemExit as end:
        assert end.code == 0, words
"""


def test_no_command_imports_the_package_that_fetches_code(
    checkpoint: MakeCheckpoint, data: MakeData, tmp_path: Path
) -> None:
    (tmp_path / "kernels").mkdir()
    stand_in = "import pathlib; pathlib.Path(__file__).with_name('imported').touch()"
    (tmp_path / "kernels" / "__init__.py").write_text(f"__version__ = '99.0'\n{stand_in}\n")
    recipe = tiny.recipe(tmp_path / "tiny.yaml", TASK, checkpoint("bert"), data(TASK), steps=1)
    words = [str(recipe), str(tmp_path / "run"), str(data(TASK) / "test.jsonl")]
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    command = [sys.executable, "-c", COMMANDS, *words]
    environment = os.environ | {"PYTHONPATH": paths}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "kernels" / "imported").exists()
