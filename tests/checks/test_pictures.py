"""Pictures that are the same, or nearly, are found, also in another size, quality or brightness."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from tests import tiny_models
from tunekit.checks import Report
from tunekit.checks.pictures import Pictures

Examine = Callable[..., Report]
COUNT = 40


def picture(number: int) -> Any:
    """A picture of soft shapes, different for every number."""
    random = np.random.default_rng(number)
    noise = Image.fromarray(random.integers(0, 256, (12, 12, 3), np.uint8))
    return noise.resize((96, 96), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))


def jpeg(image: Any) -> Any:
    """A picture that was saved badly."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=40)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def kept(image: Any) -> Any:
    """A picture as a task keeps it."""
    return np.asarray(image.resize((64, 64))).transpose(2, 0, 1)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "larger": lambda image: image.resize((150, 150)),
    "JPEG": jpeg,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "paler": lambda image: ImageEnhance.Contrast(image).enhance(0.8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found_and_others_are_not(change: str) -> None:
    originals = [picture(n) for n in range(COUNT)]
    copies = [CHANGES[change](image) for image in originals[:20]]
    found = set(Pictures.of([kept(image) for image in originals + copies]).pairs(range(COUNT + 20)))
    known = {(n, COUNT + n) for n in range(20)}
    assert len(found & known) >= 19
    assert found <= known


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny ViT that sees 64 pixels a side."""
    from transformers import ViTConfig, ViTForImageClassification
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    config = ViTConfig(image_size=64, patch_size=16, **tiny_models.SIZES)
    processor = ViTImageProcessorPil(size={"height": 64, "width": 64})
    return tiny_models.save(tmp_path_factory.mktemp("vit"), ViTForImageClassification(config), processor)


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders with a picture twice, one in the wrong class, and copies in test."""
    folder = tmp_path_factory.mktemp("album")
    for number in range(COUNT):
        save(picture(number), folder / "train" / ("cat", "dog")[number % 2] / f"{number}.png")
        save(picture(1000 + number), folder / "test" / ("cat", "dog")[number % 2] / f"{number}.png")
    save(picture(0), folder / "train" / "cat" / "again.png")
    save(picture(2), folder / "train" / "dog" / "astray.png")
    save(picture(4), folder / "test" / "cat" / "same.png")
    save(jpeg(picture(6)), folder / "test" / "cat" / "near.png")
    return folder


def save(image: Any, path: Path) -> None:
    """Write a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def found(report: Report) -> dict[str, set[str]]:
    """The rows of warnings, by name."""
    return {finding.name: set(finding.rows) for finding in report.of("warning")}


NO_CUT = "data.validation_share=0"


def test_pictures_that_leak_repeat_or_conflict_are_named(examine: Examine, album: Path, viewer: Path) -> None:
    report = examine(album, NO_CUT, task="image-classification", model=viewer)
    assert found(report) == {
        "leak": {"test/cat/same.png = train/cat/4.png"},
        "near leak": {"test/cat/near.png ~ train/cat/6.png"},
        "duplicates": {"train/cat/again.png = train/cat/0.png"},
        "conflicting labels": {"train/cat/2.png (cat) / train/dog/astray.png (dog)"},
    }


def test_an_album_that_was_fixed_passes(examine: Examine, album: Path, viewer: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"task": "image-classification", "model": viewer}
    report = examine(album, NO_CUT, fix=tmp_path / "fixed", also=["conflicts"], **settings)
    assert report.fixed is not None
    assert set(report.fixed.removed) == {
        f"train/{name}.png" for name in ("cat/4", "cat/6", "cat/again", "cat/2", "dog/astray")
    }
    assert not found(examine(tmp_path / "fixed", NO_CUT, **settings))


def test_pictures_inside_of_files_are_listed_only(examine: Examine, viewer: Path, tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features
    from datasets import Image as Pixels

    rows = {"image": [picture(n % 30) for n in range(40)], "label": [n % 2 for n in range(40)]}
    features = Features({"image": Pixels(), "label": ClassLabel(names=["cat", "dog"])})
    data = tmp_path / "train.parquet"
    Dataset.from_dict(rows, features=features).to_parquet(data)
    report = examine(data, NO_CUT, task="image-classification", model=viewer, fix=tmp_path / "fixed")
    assert [path.name for path in (tmp_path / "fixed").iterdir()] == ["removed.jsonl"]
    assert report.fixed is not None
    assert len(report.fixed.removed) == 10
