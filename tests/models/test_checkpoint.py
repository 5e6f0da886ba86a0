"""A checkpoint that cannot work is refused by what lies in its folder, before any weights are loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny
from tunekit import tasks
from tunekit.errors import EnvironmentFailure, InputError
from tunekit.models.checkpoint import inspect
from tunekit.recipe import ModelSection

MakeCheckpoint = Callable[..., Path]


@pytest.fixture
def folder(checkpoint: MakeCheckpoint, tmp_path: Path) -> Path:
    """A checkpoint that a test may damage."""
    return Path(shutil.copytree(checkpoint("bert"), tmp_path / "model"))


def problems(name: Path | str, task: str = "text-classification", revision: str | None = None) -> list[str]:
    """What is wrong with a checkpoint, without the folder that it is in."""
    with pytest.raises(InputError) as caught:
        inspect(ModelSection(name=str(name), revision=revision), tasks.find(task))
    return [problem.replace(str(Path(name).parent), "DIR") for problem in caught.value.problems]


@pytest.mark.parametrize(("task", "family"), tiny.cells(), ids=lambda value: value)
def test_a_family_with_a_head_for_the_task_passes(checkpoint: MakeCheckpoint, family: str, task: str) -> None:
    assert inspect(ModelSection(name=str(checkpoint(family))), tasks.find(task)).config.model_type == family


@pytest.mark.parametrize("task", ["text-classification", "token-classification"])
def test_an_image_model_is_refused_for_texts(checkpoint: MakeCheckpoint, task: str) -> None:
    (problem,) = problems(checkpoint("vit"), task)
    assert problem.startswith("model 'DIR/vit-True' (vit) has no head for ")
    assert f"no head for {task}; it can do " in problem
    assert problem.endswith("; choose another checkpoint or task")


def test_a_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "optimizer.bin")
    assert problems(folder) == [
        "model folder 'DIR/model' has no weights (it holds config.json, optimizer.bin, tokenizer.json, "
        "tokenizer_config.json); there should be model.safetensors or pytorch_model.bin"
    ]


def test_a_folder_without_a_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    assert problems(folder) == [
        "model folder 'DIR/model' has no tokenizer (it holds config.json, model.safetensors, "
        "tokenizer_config.json); put tokenizer.json beside the weights"
    ]


def test_weights_and_a_tokenizer_that_are_missing_are_both_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "tokenizer.json").unlink()
    assert len(problems(folder)) == 2


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "is empty"), (b"version https://git-lfs.github.com/spec/v1\noid 0\n", "is a pointer of git-lfs")],
)
def test_weights_that_are_none_are_refused(folder: Path, name: str, content: bytes, problem: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(content)
    (found,) = problems(folder)
    assert found.startswith(f"DIR/model/{name} {problem}")
    assert found.endswith("; copy the weights again")


@pytest.mark.parametrize("end", [4, 20, -100])
def test_weights_that_end_early_are_refused(folder: Path, end: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:end])
    (problem,) = problems(folder)
    assert problem.startswith("DIR/model/model.safetensors is damaged (")


def test_every_missing_shard_is_named(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-1-of-3.safetensors")
    shards = {name: f"model-{i}-of-3.safetensors" for i, name in enumerate("abc", start=1)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    assert problems(folder) == [
        f"DIR/model/model-{i}-of-3.safetensors is missing; copy the weights again" for i in (2, 3)
    ]


@pytest.mark.parametrize("index", ["[]", "{", "{}", '{"weight_map": []}', '{"weight_map": {"a": 1}}'])
def test_an_unreadable_index_of_shards_is_named(folder: Path, index: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(index)
    (problem,) = problems(folder)
    assert problem.startswith("the index of the weights in DIR/model cannot be read (")


@pytest.mark.parametrize(
    "config",
    ["{", "[]", "{}", '{"model_type": "unheard-of"}', '{"model_type": "bert", "hidden_size": "many"}'],
)
def test_a_configuration_of_no_model_is_refused(folder: Path, config: str) -> None:
    (folder / "config.json").write_text(config)
    (problem,) = problems(folder)
    assert problem.startswith("DIR/model/config.json describes no model that can be used (")
    assert problem.endswith("; correct it, or choose another checkpoint")


def test_code_that_comes_with_a_checkpoint_is_never_run(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}')
    (folder / "own.py").write_text("raise SystemExit('run')")
    assert len(problems(folder)) == 1


def test_an_adapter_is_no_checkpoint(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")
    assert problems(folder) == [
        "model 'DIR/model' is an adapter, not a whole checkpoint; give the model it was made for"
    ]


def test_a_folder_around_a_checkpoint_is_told_the_inner(folder: Path) -> None:
    around = folder.parent
    (problem,) = problems(around)
    assert problem.endswith(f"has no config.json (it holds model); give DIR/{around.name}/model")


def test_an_empty_folder_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert problems(tmp_path / "empty") == [
        "model folder 'DIR/empty' has no config.json (it holds nothing); give the folder of a checkpoint"
    ]


def test_a_file_is_no_checkpoint(folder: Path) -> None:
    (problem,) = problems(folder / "model.safetensors")
    assert problem == "model 'DIR/model.safetensors' is no folder; give a checkpoint's folder or its Hub id"


def test_a_missing_folder_is_told_the_nearest(folder: Path) -> None:
    assert problems(folder.with_name("modle")) == [
        "model 'DIR/modle' is no folder; did you mean 'model'?; give a checkpoint's folder or its Hub id"
    ]


def test_a_folder_has_no_revisions(folder: Path) -> None:
    assert problems(folder, revision="abc") == [
        "model.revision is 'abc', but DIR/model is a folder and has no revisions; remove it"
    ]


@pytest.mark.parametrize("name", ["a b c", "~nobody/model", "x" * 5000], ids=["spaces", "home", "long"])
def test_a_name_that_no_system_takes_is_no_model(name: str) -> None:
    with pytest.raises(InputError, match=f"model '{name[:50]}.*( is no folder|no folder here)"):
        inspect(ModelSection(name=name), tasks.find("text-classification"))


def test_a_hub_that_cannot_be_reached_is_a_failure_of_the_environment() -> None:
    with pytest.raises(EnvironmentFailure, match=r"'nobody/nothing' \(no folder here\) is not in the cache"):
        inspect(ModelSection(name="nobody/nothing"), tasks.find("text-classification"))


def test_attention_of_a_missing_package_is_a_failure_of_the_environment(folder: Path) -> None:
    with pytest.raises(
        EnvironmentFailure, match=r"flash-attn cannot be used here; install it, or choose sdpa"
    ):
        inspect(
            ModelSection(name=str(folder), attention="flash_attention_2"), tasks.find("text-classification")
        )
