"""Image classification: the model sees what its processor says, changed at random in training alone."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import tiny, tiny_models
from tests.building import make_fitting, make_task
from tests.test_resume import results, stop_at
from tunekit import metrics, stats, tasks, workflow
from tunekit.data.windows import encode
from tunekit.errors import InputError, Interrupted
from tunekit.evaluation import baselines, predict
from tunekit.models.checkpoint import inspect
from tunekit.models.finetuned import load_task
from tunekit.models.load import load_model
from tunekit.recipe import ModelSection
from tunekit.run import Run

NAME = "image-classification"
KIND = tasks.find(NAME)
MakeCheckpoint = Callable[..., Path]


def picture(seed: int = 0, height: int = 30, width: int = 50) -> Any:
    """A picture of noise."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def processors() -> list[Any]:
    """Image processors that normalise in different ways."""
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
    from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
    from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
    from transformers.models.efficientnet.image_processing_pil_efficientnet import (
        EfficientNetImageProcessorPil,
    )
    from transformers.models.mobilevit.image_processing_pil_mobilevit import MobileViTImageProcessorPil
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    square = {"height": 16, "width": 16}
    return [
        ViTImageProcessorPil(size=square),
        ViTImageProcessorPil(size=square, image_mean=[0.1, 0.2, 0.3], image_std=[0.4, 0.5, 0.6]),
        ViTImageProcessorPil(size=square, do_rescale=False, do_normalize=False),
        DeiTImageProcessorPil(size={"height": 20, "width": 20}, crop_size=square),
        ConvNextImageProcessorPil(size={"shortest_edge": 16}),
        BitImageProcessorPil(size={"shortest_edge": 20}, crop_size=square),
        EfficientNetImageProcessorPil(size=square, include_top=True),  # normalises twice
        MobileViTImageProcessorPil(size={"shortest_edge": 18}, crop_size=square),  # turns colours round
    ]


@pytest.mark.parametrize("processor", processors(), ids=lambda each: type(each).__name__)
def test_the_model_sees_the_processors_own_pixel_values(processor: Any) -> None:
    import torch

    seen = []

    def model(pixel_values: Any) -> Any:
        seen.append(pixel_values)
        return type("Output", (), {"logits": torch.zeros(2, 2)})

    model.dtype = torch.float32  # type: ignore[attr-defined]
    images = [picture(0), picture(1, 50, 30)]
    kept = [KIND.keep(processor, "image", image) for image in images]
    KIND(KIND.Options(), processor, ["a", "b"]).predict(
        model, {"pixel_values": torch.from_numpy(np.stack(kept))}
    )
    own = processor(images=images, return_tensors="pt")["pixel_values"]
    assert torch.allclose(seen[0], own.float(), atol=1e-5)
    assert not list(KIND.lacks(processor, KIND.heads[0]))


def test_a_processor_that_makes_different_sizes_is_refused(
    checkpoint: MakeCheckpoint, tmp_path: Path
) -> None:
    settings = {"size": {"shortest_edge": 16}, "do_center_crop": False}
    with pytest.raises(
        InputError, match=r"makes arrays of \(3, 24, 16\) of one picture and of \(3, 16, 24\) of another"
    ):
        make_task(NAME, with_settings(checkpoint("dinov2"), tmp_path, settings), ["a", "b"])


def test_a_processor_that_makes_no_pictures_is_refused() -> None:
    from transformers.models.imagegpt.image_processing_pil_imagegpt import ImageGPTImageProcessorPil
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    told = [
        text
        for maker in (ImageGPTImageProcessorPil, Siglip2ImageProcessorPil)
        for text in KIND.lacks(maker(), "")
    ]
    assert told == [
        "its processor makes input_ids and no pixel values; choose another checkpoint",
        "its processor makes arrays of (256, 768) and no pictures; choose another checkpoint",
    ]


def with_settings(checkpoint: Path, folder: Path, settings: dict[str, Any]) -> Path:
    """A copy of a checkpoint whose processor has other settings."""
    copy = Path(shutil.copytree(checkpoint, folder / "model"))
    file = copy / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))
    return copy


def test_a_processor_whose_pictures_do_not_fit_the_model_is_refused(
    checkpoint: MakeCheckpoint, tmp_path: Path
) -> None:
    folder = with_settings(checkpoint("vit"), tmp_path, {"size": {"height": 32, "width": 32}})
    with pytest.raises(InputError, match=r"makes 32 x 32 pixels in 3 colours, which the model does not take"):
        make_task(NAME, folder, ["a", "b"])


def test_a_checkpoint_without_a_processor_is_refused(checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("vit"), tmp_path / "model"))
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match=r"has no image processor .*; put its preprocessor_config\.json"):
        make_task(NAME, folder, ["a", "b"])


def test_a_missing_processor_and_a_missing_picture_are_told_together(
    checkpoint: MakeCheckpoint, data: Callable[[str], Path], tmp_path: Path
) -> None:
    model = Path(shutil.copytree(checkpoint("vit"), tmp_path / "model"))
    rows = Path(shutil.copytree(data(NAME), tmp_path / "rows"))
    (model / "preprocessor_config.json").unlink()
    next(rows.glob("*.png")).unlink()
    recipe = tiny.recipe(tmp_path / "r.yaml", NAME, model, rows)
    with pytest.raises(InputError) as caught:
        workflow.finetune(recipe, output=tmp_path / "run")
    first, second = caught.value.problems
    assert "has no image processor" in first
    assert "is no file; relative paths start in" in second


def test_a_text_model_is_refused(checkpoint: MakeCheckpoint) -> None:
    with pytest.raises(InputError, match=r"\(bert\) has no head for image-classification"):
        inspect(ModelSection(name=str(checkpoint("bert"))), KIND)


@pytest.fixture
def inputs(checkpoint: MakeCheckpoint) -> dict[str, Any]:
    """A batch of eight pictures with their labels."""
    import torch

    processor = make_task(NAME, checkpoint("vit"), ["a", "b"]).processor
    kept = [KIND.keep(processor, "image", picture(seed)) for seed in range(8)]
    return {"pixel_values": torch.from_numpy(np.stack(kept)), "labels": torch.arange(8) % 2}


def changed(inputs: dict[str, Any], keys: list[tuple[int, int, int]], **options: Any) -> Any:
    """The pixels of a batch after the random changes."""
    return KIND(KIND.Options(**options), None).augment(inputs, keys)["pixel_values"]


KEYS = [(0, 3, number) for number in range(8)]


def test_changes_do_not_depend_on_the_batch(inputs: dict[str, Any]) -> None:
    together = changed(inputs, KEYS)
    for number in range(8):
        alone = {"pixel_values": inputs["pixel_values"][number : number + 1]}
        assert (changed(alone, KEYS[number : number + 1])[0] == together[number]).all()


@pytest.mark.parametrize("other", [(1, 3), (0, 4)], ids=["seed", "epoch"])
def test_changes_differ_by_seed_and_epoch(inputs: dict[str, Any], other: tuple[int, int]) -> None:
    keys = [(*other, number) for number in range(8)]
    different = (changed(inputs, KEYS) != changed(inputs, keys)).flatten(1).any(1)
    assert different.all()


def test_without_crop_and_flip_nothing_changes(inputs: dict[str, Any]) -> None:
    assert changed(inputs, KEYS, crop=None, flip=False) is inputs["pixel_values"]


def test_flip_mirrors_about_every_second_picture_and_no_more(inputs: dict[str, Any]) -> None:
    given = inputs["pixel_values"]
    found = changed(inputs, KEYS, crop=None, flip=True)
    mirrored = (found == given.flip(-1)).flatten(1).all(1)
    same = (found == given).flatten(1).all(1)
    assert (mirrored | same).all()
    assert 0 < mirrored.sum() < 8


def test_a_crop_shows_at_least_the_asked_share_of_the_inside() -> None:
    from tunekit.tasks.image_classification import view

    views = np.stack([view((0, 0, number), 0.4, flip=True) for number in range(2000)])
    width, height = np.abs(views[:, 0, 0]), views[:, 1, 1]
    assert 0.4 - 1e-6 < (width * height).min() < 0.41
    assert (width * height).max() > 0.99
    assert 3 / 4 - 1e-6 < (width / height).min() < 0.76
    assert (width + np.abs(views[:, 0, 2]) <= 1 + 1e-6).all()
    assert (height + np.abs(views[:, 1, 2]) <= 1 + 1e-6).all()


def test_a_crop_is_the_part_of_the_picture_that_pillow_would_resize(inputs: dict[str, Any]) -> None:
    from tunekit.tasks.image_classification import seen_through

    half = np.array([[[0.5, 0, 0.25], [0, 0.5, -0.5]]], np.float32)  # of 16 pixels those from 6 on and from 0
    found = seen_through(inputs["pixel_values"][:1], half)[0].numpy().transpose(1, 2, 0).astype(int)
    given = Image.fromarray(inputs["pixel_values"][0].numpy().transpose(1, 2, 0))
    own = given.resize((16, 16), Image.Resampling.BILINEAR, box=(6, 0, 14, 8))
    inner = np.s_[1:-1, 1:-1]  # Pillow does not look outside its box
    assert np.abs(found - np.asarray(own))[inner].max() <= 1


def test_training_sees_changed_pictures_however_a_step_is_cut(
    checkpoint: MakeCheckpoint, data: Callable[[str], Path], tmp_path: Path
) -> None:
    import torch

    steps = make_fitting(tmp_path, NAME, checkpoint("vit"), data(NAME), batch_size=8).steps

    def seen() -> dict[int, Any]:
        return {
            int(window): pixels
            for micro in steps[5].micros
            for window, pixels in zip(micro.windows, micro.inputs["pixel_values"], strict=True)
        }

    whole = seen()
    steps.most = 3
    cut = seen()
    assert whole.keys() == cut.keys()
    assert all((whole[window] == cut[window]).all() for window in whole)
    kept = {
        window: torch.from_numpy(steps.encoded.windows[window].inputs["pixel_values"]) for window in whole
    }
    assert any((whole[window] != kept[window]).any() for window in whole)


def test_other_processes_prepare_the_same_steps(
    checkpoint: MakeCheckpoint, data: Callable[[str], Path], tmp_path: Path
) -> None:
    steps = make_fitting(tmp_path, NAME, checkpoint("vit"), data(NAME), batch_size=8).steps
    (prepared,) = steps.between(5, 6, workers=1)
    for theirs, ours in zip(prepared.micros, steps[5].micros, strict=True):
        assert (theirs.inputs["pixel_values"] == ours.inputs["pixel_values"]).all()


def test_an_interrupted_run_sees_the_same_changes_when_it_continues(
    checkpoint: MakeCheckpoint, data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny.recipe(
        tmp_path / "r.yaml", NAME, checkpoint("vit"), data(NAME), log_every=4, save_every=5, micro_batch=5
    )
    whole = workflow.finetune(recipe, output=tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, "step", 4)
        with pytest.raises(Interrupted):
            workflow.finetune(recipe, output=tmp_path / "parts")
    parts = workflow.finetune(recipe, output=tmp_path / "parts")
    assert results(whole.path) == results(parts.path)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_cross_entropy_with_smoothed_targets(
    checkpoint: MakeCheckpoint, inputs: dict[str, Any], smoothing: float
) -> None:
    import torch

    folder = checkpoint("vit", dropout=False)
    task = make_task(NAME, folder, ["a", "b"], label_smoothing=smoothing)
    found = inspect(ModelSection(name=str(folder)), KIND)
    model = load_model(found, task, lambda text: None, attention=None, dropout=None)
    values = [task.processor(images=picture(seed), return_tensors="pt")["pixel_values"] for seed in range(8)]
    logs = model(pixel_values=torch.cat(values)).logits.log_softmax(-1)
    targets = torch.nn.functional.one_hot(inputs["labels"], 2) * (1 - smoothing) + smoothing / 2
    expected = -(targets * logs).sum(-1).mean()
    assert torch.allclose(task.loss(model, inputs), expected, atol=1e-5)


def test_a_model_with_a_second_head_for_a_teacher_is_trained_by_the_labels(inputs: dict[str, Any]) -> None:
    import torch
    from transformers import DeiTConfig, DeiTForImageClassificationWithTeacher

    model = DeiTForImageClassificationWithTeacher(
        DeiTConfig(image_size=16, patch_size=4, **tiny_models.SIZES)
    )
    task = KIND(KIND.Options(), tiny_models.squared(), ["a", "b"])
    loss = task.loss(model.eval(), inputs)
    logits = task.logits(model, inputs["pixel_values"])
    assert torch.equal(loss, torch.nn.functional.cross_entropy(logits, inputs["labels"]))


def answer(probabilities: list[float], labels: list[str]) -> Any:
    """What a task says of the probabilities of its labels."""
    task = KIND(KIND.Options(), None, labels)
    (window,) = task.encode({"image": np.zeros((3, 2, 2), np.uint8)})
    window.outputs = {"probabilities": np.array(probabilities, np.float32)}
    return task.decode({}, [window])


def test_an_answer_lists_all_of_few_labels_the_likeliest_first() -> None:
    found = answer([0.25, 0.5, 0.25], ["a", "b", "c"])
    assert found == {"label": "b", "probabilities": {"b": 0.5, "a": 0.25, "c": 0.25}}
    assert list(found["probabilities"]) == ["b", "a", "c"]


def test_an_answer_lists_the_five_likeliest_of_many_labels() -> None:
    probabilities = [i / 66 for i in range(12)]
    found = answer(probabilities, [str(i) for i in range(12)])
    assert list(found["probabilities"]) == ["11", "10", "9", "8", "7"]


def test_the_metrics_are_scikit_learns() -> None:
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef, top_k_accuracy_score

    random = np.random.default_rng(0)
    labels = [f"l{i}" for i in range(9)]
    right = random.integers(0, 9, 300)
    scores = random.random((300, 9)) + np.eye(9)[right] * 0.4
    scores /= scores.sum(1, keepdims=True)
    task = KIND(KIND.Options(), None, labels)
    answers = [answer(list(row), labels) for row in scores]
    references = [labels[i] for i in right]
    found = task.summarize(stats.totals(task.statistics(answers, references)))
    best = scores.argmax(1)
    assert found["accuracy"] == pytest.approx(accuracy_score(right, best))
    assert found["macro_f1"] == pytest.approx(f1_score(right, best, average="macro"))
    assert found["mcc"] == pytest.approx(matthews_corrcoef(right, best))
    assert found["top5_accuracy"] == pytest.approx(top_k_accuracy_score(right, scores, k=5))
    assert set(found) == set(metrics.RANKED.names)


def test_the_majority_of_the_training_rows_is_a_baseline() -> None:
    task = KIND(KIND.Options(), None, ["a", "b", "c"])
    task.learned = task.learn([{"label": label} for label in "abbbc"])
    found = baselines(task, [{"label": "b"}, {"label": "a"}, {"label": "b"}, {"label": "c"}])
    assert found["majority_accuracy"].value == 0.5
    assert found["majority_top5_accuracy"].value == 1.0


def test_a_window_is_as_long_as_its_patches(checkpoint: MakeCheckpoint) -> None:
    task = make_task(NAME, checkpoint("vit"), ["a", "b"])
    rows = [{"image": np.zeros((3, 64, 32), np.uint8), "label": "a", "id": 0}]
    assert encode(task, rows, targets=True).lengths.tolist() == [8]


@pytest.fixture(scope="module")
def finished(
    checkpoint: MakeCheckpoint, data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """A run on a folder of classes, with pictures of any size."""
    root = tmp_path_factory.mktemp("run")
    for i, row in enumerate(tiny.pictures(48)):
        path = root / "pictures" / ("train" if i < 32 else "test") / row["label"] / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(row["image"])
    recipe = tiny.recipe(root / "r.yaml", NAME, checkpoint("vit"), root / "pictures", epochs=20)
    return workflow.finetune(recipe, output=root / "run")


def test_a_folder_of_classes_is_learned(finished: Run) -> None:
    assert finished.metrics()["test"]["accuracy"]["value"] >= 0.9


def test_the_written_predictions_have_the_ids_of_the_pictures(finished: Run) -> None:
    rows = (finished.path / "predictions" / "test.jsonl").read_text().splitlines()
    assert json.loads(rows[0]).keys() == {"id", "prediction", "reference", "scores", "tokens"}
    assert json.loads(rows[0])["id"] == "test/blue/32.png"


def test_scoring_again_gives_the_same(finished: Run) -> None:
    before = finished.metrics()["test"]
    _, again = workflow.evaluate(finished.path, split="test")
    assert again["test"]["accuracy"] == before["accuracy"]


def test_pictures_are_answered_as_they_were_scored(finished: Run) -> None:
    lines = (finished.path / "predictions" / "test.jsonl").read_text().splitlines()
    scored = [json.loads(line)["prediction"]["label"] for line in lines]
    folder = finished.path.parent / "pictures" / "test"
    asked = list(workflow.predict(finished.path, str(folder)))
    assert [row["prediction"]["label"] for row in asked] == scored
    assert asked[0]["id"] == str(folder / "blue" / "32.png")


def test_answers_do_not_change_from_one_time_to_the_next(finished: Run) -> None:
    from tunekit.models.finetuned import load_weights

    _, task = load_task(finished.model)
    model = load_weights(finished.model, task)
    rows = [{"image": KIND.keep(task.processor, "image", picture(seed)), "id": seed} for seed in range(4)]
    assert predict(task, model, rows) == predict(task, model, rows)


PLAIN = """
import json, sys
from pathlib import Path
import torch, transformers
from PIL import Image
folder = sys.argv[1]
processor = transformers.AutoImageProcessor.from_pretrained(folder)
model = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
answers = []
for path in sorted(Path(sys.argv[2]).rglob("*.png")):
    with torch.no_grad():
        logits = model(**processor(images=Image.open(path), return_tensors="pt")).logits
    answers.append(model.config.id2label[int(logits.argmax())])
assert "tunekit" not in sys.modules
print(json.dumps(answers))
"""


@pytest.mark.slow
def test_plain_transformers_gives_the_same_labels(finished: Run) -> None:
    folder = finished.path.parent / "pictures" / "test"
    command = [sys.executable, "-c", PLAIN, str(finished.model), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = (finished.path / "predictions" / "test.jsonl").read_text().splitlines()
    assert json.loads(done.stdout) == [json.loads(line)["prediction"]["label"] for line in lines]
