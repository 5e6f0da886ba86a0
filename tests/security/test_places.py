"""Files go where the user says and nowhere else, and what is read is bounded.

Line 9, the model card, is in `tests/test_run.py` too; pictures and text formats, line 11, in `tests/data/`.
"""

import io
import os
import struct
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import tiny
from tests.data.test_images import bomb
from tests.security.conftest import Watch
from tunekit import checkpoint as checkpoints
from tunekit import workflow
from tunekit.data import formats
from tunekit.data.files import read
from tunekit.data.images import FORMATS, read_image
from tunekit.data.keeping import new_block
from tunekit.errors import InputError
from tunekit.run import Run, check_links

TASK = "text-classification"
HOSTILE = {  # labels that are paths, markup or the end of something
    "negative": "../../../escaped",
    "positive": "/tmp/escaped\n---\n# `<script>alert(1)</script>` | {{ 7*7 }}",
}
SOMEBODY = 65534  # the number of a user who is not us

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")


@pytest.fixture(scope="module")
def run(checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run on rows whose labels and ids are chosen to do harm; around it is nothing else."""
    folder = tmp_path_factory.mktemp("hostile")
    rows = [{**row, "id": f"../../{row['id']}\0", "label": HOSTILE[row["label"]]} for row in tiny.reviews(24)]
    for split in ("train", "validation", "test"):
        tiny.write_jsonl(folder / "data" / f"{split}.jsonl", rows)
    file = tiny.recipe(folder / "tiny.yaml", TASK, checkpoint("bert"), folder / "data", steps=2)
    return workflow.finetune(file, output=folder / "a" / "run")


def test_9_a_hostile_label_ends_no_metadata_and_starts_no_markup(run: Run) -> None:
    card = (run.path / "README.md").read_text()
    assert [line for line in card.splitlines() if line == "---"] == ["---", "---"]
    assert yaml.safe_load(card.split("---\n")[1])["library_name"] == "transformers"
    assert "<script>" not in card.replace("\\<", "")
    assert "\n# \\`" not in card


def test_9_the_card_names_no_folder_and_no_machine(run: Run) -> None:
    card = (run.path / "README.md").read_text()
    assert str(run.path.parent.parent) not in card
    assert os.uname().nodename not in card


def files(folder: Path) -> Iterator[str]:
    """The files in a folder, by their paths in it; the number of a step is left out."""
    return (str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_10_labels_and_ids_name_no_files(run: Run) -> None:
    kinds = {"safetensors", "json", "jsonl", "yaml", "md", "lock", "html"}
    assert not [name for name in files(run.path) if name.rsplit(".", 1)[-1] not in kinds]
    assert not [name for name in files(run.path.parent.parent) if "escaped" in name]
    assert {path.name for path in run.path.parent.iterdir()} == {"run"}
    assert {path.name for path in run.path.parent.parent.iterdir()} == {"a", "data", "tiny.yaml"}


def foreign(folder: Path) -> Path:
    """A folder that belongs to another user."""
    if os.geteuid() != 0:
        return Path("/usr")
    folder.mkdir()
    os.chown(folder, SOMEBODY, SOMEBODY)
    return folder


def test_10_an_output_that_is_a_link_to_anothers_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(foreign(tmp_path / "other"))
    with pytest.raises(InputError, match="leads to another user's folder; choose another --output"):
        Run(tmp_path / "run").check(overwrite=False)


@as_root
def test_10_an_output_behind_anothers_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    os.lchown(tmp_path / "link", SOMEBODY, SOMEBODY)
    with pytest.raises(
        InputError, match=f"leads through the symbolic link {tmp_path}/link, which is another"
    ):
        Run(tmp_path / "link" / "runs" / "a").check(overwrite=False)


def test_10_scores_are_not_written_through_anothers_link(run: Run, tmp_path: Path) -> None:
    (tmp_path / "scores").symlink_to(foreign(tmp_path / "other"))
    with pytest.raises(InputError, match="leads to another user's folder"):
        workflow.evaluate(run.path, output=tmp_path / "scores")


def test_10_a_link_of_our_own_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "disk")
    check_links(tmp_path / "runs")
    check_links(tmp_path / "runs" / "a")


class Peeking(dict[str, Any]):
    """Tensors that note, when they are written, which rights the folders around them have."""

    def __init__(self, folder: Path) -> None:
        import torch

        super().__init__(weight=torch.zeros(2))
        self.folder, self.seen = folder, dict[str, int]()

    def items(self) -> Any:
        self.seen |= {path.name: path.stat().st_mode & 0o777 for path in self.folder.iterdir()}
        return super().items()


def test_10_what_is_being_written_is_ours_alone_and_inside_the_run(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    tensors = Peeking(tmp_path)
    saved = checkpoints.save(tmp_path, 1, {"model": tensors}, {})
    assert tensors.seen == {f".tmp-step-00000001-{os.getpid()}": 0o700}
    assert saved.path.stat().st_mode & 0o777 == 0o755


def test_10_what_is_written_can_be_read_by_whom_the_run_can_be_read_by(run: Run) -> None:
    rights = run.path.stat().st_mode & 0o777
    assert {path.stat().st_mode & 0o777 for path in (run.model, *run.checkpoints.iterdir())} == {rights}


@pytest.mark.slow
def test_10_nothing_is_left_in_the_systems_temporary_folder(watch: Watch, used: dict[str, list[str]]) -> None:
    assert list(watch.temporary.iterdir()) == []


def test_10_pictures_beyond_memory_go_to_a_file_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    block = new_block(1 << 16)
    block[:] = 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("side", [10_000, 30_000])
def test_11_a_picture_with_too_many_pixels_is_refused_where_warnings_are_none(side: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # as in a program
        with pytest.raises(ValueError, match=r"is too large to be decoded \(.*\); make it smaller"):
            read_image(bomb(side))


def test_11_a_bomb_in_a_pictures_text_is_refused() -> None:
    text = b"Comment\0\0" + zlib.compress(b"x" * (1 << 21))
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    picture = tiny.png([[0, 1], [2, 3]])
    start = picture.index(b"IDAT") - 4
    with pytest.raises(ValueError, match="cannot be decoded"):
        read_image(picture[:start] + chunk + picture[start:])


@pytest.mark.parametrize("kind", ["TGA", "ICO", "EPS", "PDF"])
def test_11_formats_that_are_not_listed_are_not_tried(kind: str) -> None:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, kind)
    with pytest.raises(ValueError, match="is no picture in a format that can be read"):
        read_image(file.getvalue())
    assert kind not in FORMATS


def test_11_a_field_without_end_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(f"text,label\na,b\n{'x' * (formats.MAX_FIELD + 1)},c\n")
    with pytest.raises(InputError, match=r"x\.csv:3: field larger than field limit \(10000000\)"):
        read(tmp_path / "x.csv", "utf-8", None)
