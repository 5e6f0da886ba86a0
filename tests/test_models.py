"""Checkpoints: what is refused, what is kept, and what starts anew."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny, tiny_models
from tests.building import make_task, quiet
from tunekit import tasks
from tunekit.errors import InputError
from tunekit.models.checkpoint import Checkpoint, inspect, position_limit
from tunekit.models.load import load_model, load_processor, token_limit, trained_labels
from tunekit.models.precision import choose, has_bf16
from tunekit.recipe import ModelSection
from tunekit.tasks.base import Task

TEXT, WORDS = "text-classification", "token-classification"


def loaded(folder: Path, task: Task, said: list[str] | None = None) -> Any:
    """The model of a checkpoint for a task; what is said goes into a list."""
    checkpoint = inspect(ModelSection(name=str(folder)), type(task))
    say = said.append if said is not None else quiet
    return load_model(checkpoint, task, say, attention=None, dropout=None)


def trained(folder: Path, source: Path, name: str, labels: list[str]) -> Path:
    """A checkpoint whose head knows labels."""
    task = make_task(name, source, labels)
    model = loaded(source, task)
    return tiny_models.save(folder, model, task.processor)


def test_a_head_for_the_same_labels_is_kept(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    import torch

    folder = trained(tmp_path / "old", checkpoint("bert"), TEXT, ["bad", "good"])
    before = loaded(folder, make_task(TEXT, folder, ["bad", "good"]))
    after = loaded(folder, make_task(TEXT, folder, ["bad", "good"]))
    assert torch.equal(before.classifier.weight, after.classifier.weight)


@pytest.mark.parametrize("labels", [["good", "bad"], ["bad", "fair", "good"], ["good", "fair"]], ids=",".join)
def test_rows_of_labels_with_the_same_name_are_kept_in_any_order(
    labels: list[str], checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    import torch

    old_labels = ["bad", "good"]
    folder = trained(tmp_path / "old", checkpoint("bert"), TEXT, old_labels)
    old, said = loaded(folder, make_task(TEXT, folder, old_labels)), list[str]()
    new = loaded(folder, make_task(TEXT, folder, labels), said)
    for row, label in enumerate(labels):
        if label in old_labels:
            assert torch.equal(new.classifier.weight[row], old.classifier.weight[old_labels.index(label)])
        else:
            assert not any(torch.equal(new.classifier.weight[row], each) for each in old.classifier.weight)
    assert any("knows" in line for line in said)


@pytest.mark.parametrize("labels", [["negative", "positive"], ["low", "middle", "high"]], ids=",".join)
@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_head_trained_for_other_labels_starts_anew_and_that_is_said(
    family: str, labels: list[str], checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    import torch

    folder = trained(tmp_path / "old", checkpoint(family), TEXT, ["ham", "spam"])
    old = dict(loaded(folder, make_task(TEXT, folder, ["ham", "spam"])).named_parameters())
    said: list[str] = []
    new = loaded(folder, make_task(TEXT, folder, labels), said)
    for name, parameter in new.named_parameters():
        if name.startswith("classifier") and name.endswith("weight"):
            assert parameter.shape != old[name].shape or not torch.equal(parameter, old[name])
    assert "the head is new and starts from random weights" in said


def test_a_head_trained_for_another_task_starts_anew_even_where_it_fits(
    checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    import torch

    folder = trained(tmp_path / "old", checkpoint("bert"), TEXT, ["bad", "good"])
    old = loaded(folder, make_task(TEXT, folder, ["bad", "good"]))
    said: list[str] = []
    new = loaded(folder, make_task(WORDS, folder, ["B-PER", "O"]), said)
    assert new.classifier.weight.shape == old.classifier.weight.shape
    assert not torch.equal(new.classifier.weight, old.classifier.weight)
    assert "the head is new and starts from random weights" in said


def test_the_labels_and_the_pad_token_are_in_the_configuration(checkpoint: Callable[..., Path]) -> None:
    task = make_task(TEXT, checkpoint("gpt2"), ["bad", "good"])
    config = loaded(checkpoint("gpt2"), task).config
    assert config.id2label == {0: "bad", 1: "good"}
    assert config.pad_token_id == task.processor.pad_token_id is not None


def test_a_tokenizer_with_more_tokens_than_embeddings_is_refused(
    checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(checkpoint("bert"), tmp_path / "bert"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 50}))
    with pytest.raises(InputError, match="but the model has embeddings for 50; put the tokenizer"):
        make_task(TEXT, folder, ["bad", "good"])


def test_a_body_that_the_head_looks_for_under_another_name_is_put_in_place(
    checkpoint: Callable[..., Path],
) -> None:
    import torch
    from transformers import AutoModel

    folder, said = checkpoint("llama"), list[str]()
    model = loaded(folder, make_task("question-answering", folder, []), said)
    body = AutoModel.from_pretrained(folder).state_dict()
    assert model.base_model_prefix == "transformer"
    assert all(torch.equal(value, body[key]) for key, value in model.transformer.state_dict().items())
    assert said == ["the head is new and starts from random weights"]


def test_a_model_whose_body_was_put_in_place_reloads_alike(
    checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForQuestionAnswering

    task = make_task("question-answering", checkpoint("llama"), [])
    model = loaded(checkpoint("llama"), task)
    folder = tiny_models.save(tmp_path / "llama", model, task.processor)
    plain = AutoModelForQuestionAnswering.from_pretrained(folder).state_dict()
    again = loaded(folder, task).state_dict()
    for key, value in model.state_dict().items():
        assert torch.equal(value, plain[key]) and torch.equal(value, again[key])


def test_a_checkpoint_without_its_body_is_refused(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(checkpoint("bert"), tmp_path / "bert"))
    weights = load_file(folder / "model.safetensors")
    renamed = {key.replace("bert.", "body."): value for key, value in weights.items()}
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="of the body's weights of BertForSequenceClassification are not in"):
        loaded(folder, make_task(TEXT, folder, ["bad", "good"]))


def test_an_image_model_is_refused_for_text_with_what_it_can_do(checkpoint: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"\(vit\) has no head for text-classification"):
        inspect(ModelSection(name=str(checkpoint("vit"))), tasks.find(TEXT))


def test_a_folder_without_weights_is_refused(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    shutil.copy(checkpoint("bert") / "config.json", tmp_path)
    with pytest.raises(InputError, match="has no weights"):
        inspect(ModelSection(name=str(tmp_path)), tasks.find(TEXT))


def test_an_adapter_is_refused_as_a_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match="is an adapter"):
        inspect(ModelSection(name=str(tmp_path)), tasks.find(TEXT))


def test_a_configuration_that_asks_for_its_own_code_gets_none(
    checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(checkpoint("bert"), tmp_path / "bert"))
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("from pathlib import Path\nPath(__file__ + '.ran').touch()\n")
    with pytest.raises(InputError, match="custom code"):
        inspect(ModelSection(name=str(folder)), tasks.find(TEXT))
    assert not list(folder.glob("*.ran"))


def test_weights_in_a_bin_file_are_read_and_said_aloud(
    checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file

    folder = Path(shutil.copytree(checkpoint("bert"), tmp_path / "bert"))
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    said: list[str] = []
    loaded(folder, make_task(TEXT, folder, ["bad", "good"]), said)
    assert any("weights_only=True" in line for line in said)


@pytest.mark.parametrize(("family", "limit"), [("bert", 64), ("roberta", 64), ("gpt2", 64), ("t5", None)])
def test_the_longest_input_is_what_the_positions_hold(
    family: str, limit: int | None, checkpoint: Callable[..., Path]
) -> None:
    assert (
        position_limit(inspect(ModelSection(name=str(checkpoint(family))), tasks.find(TEXT)).config) == limit
    )


def test_a_default_length_is_lowered_to_the_models(checkpoint: Callable[..., Path]) -> None:
    kind = tasks.find(TEXT)
    found = inspect(ModelSection(name=str(checkpoint("roberta"))), kind)
    limit = token_limit(found, load_processor(found, kind, quiet))
    assert kind.Options().fitted(limit, "").max_length == 64  # type: ignore[attr-defined]


def test_a_length_that_was_asked_for_and_is_too_long_is_refused() -> None:
    with pytest.raises(InputError, match="task.max_length is 100, but the model reads at most 64 tokens"):
        tasks.find(TEXT).Options(max_length=100).fitted(64, "")  # type: ignore[call-arg]


def test_auto_precision_is_bf16_exactly_where_the_device_has_it() -> None:
    assert choose("auto", "cpu", None).name == ("bf16" if has_bf16("cpu") else "fp32")


def test_fp32_is_used_on_request() -> None:
    assert choose("fp32", "cpu", None).name == "fp32"


def test_fp16_is_refused_on_a_cpu_and_for_models_that_overflow(checkpoint: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="CPUs do not train in"):
        choose("fp16", "cpu", None)
    model = loaded(checkpoint("t5"), make_task(TEXT, checkpoint("t5"), ["bad", "good"]))
    with pytest.raises(InputError, match="overflows"):
        choose("fp16", "cuda", model)


def test_dropout_can_be_set_for_the_whole_model(checkpoint: Callable[..., Path]) -> None:
    import torch

    for family in tiny.able(WORDS):
        task = make_task(WORDS, checkpoint(family), ["B-PER", "O"])
        found = inspect(ModelSection(name=str(checkpoint(family))), type(task))
        model = load_model(found, task, quiet, attention=None, dropout=0.0)
        assert {m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)} == {0.0}


def test_a_stride_that_was_asked_for_and_does_not_fit_the_model_is_refused() -> None:
    with pytest.raises(InputError, match="task.stride is 40, but the model reads at most 64 tokens"):
        tasks.find(WORDS).Options(stride=40).fitted(64, "")  # type: ignore[call-arg]


def test_a_head_that_gave_numbers_knows_no_labels(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(checkpoint("bert"), num_labels=1)
    model.config.problem_type = "regression"
    model.save_pretrained(tmp_path)
    kind = tasks.find("text-classification")
    assert trained_labels(Checkpoint(str(tmp_path), None, model.config, kind.heads[0])) == []
