"""Pictures of every make are read rightly, and damaged ones are refused with what is wrong."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import tiny, tiny_models
from tests.building import make_task
from tunekit import tasks
from tunekit.data.files import from_dataset, read
from tunekit.data.images import is_image, read_image, source_of
from tunekit.data.keeping import Shelf
from tunekit.data.load import Data, load, load_split
from tunekit.data.streams import stream
from tunekit.errors import InputError
from tunekit.recipe import DataSection

KIND = tasks.find("image-classification")


def saved(image: Any, kind: str = "PNG", **settings: Any) -> bytes:
    """The bytes of a picture's file."""
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def colours(content: bytes) -> Any:
    """The pixels that are read from a file, shape (height, width, 3)."""
    image = read_image(content)
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


RAMP = np.linspace(0, 255, 64).astype(np.uint8).reshape(8, 8)


def test_grey_becomes_equal_parts_of_all_colours() -> None:
    assert (colours(saved(Image.fromarray(RAMP))) == RAMP[..., None]).all()


def test_grey_of_16_bits_keeps_its_shades() -> None:
    wide = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    found = colours(saved(Image.fromarray(wide)))
    assert np.abs(found - wide[..., None] / 257).max() <= 0.5


def test_big_endian_grey_of_16_bits_keeps_its_shades() -> None:
    wide = np.linspace(0, 65535, 64).astype(">u2").reshape(8, 8)
    header = b"P5 8 8 65535\n"
    found = colours(header + wide.tobytes())
    assert np.abs(found - wide.astype(int)[..., None] / 257).max() <= 0.5


def test_grey_beyond_16_bits_is_refused() -> None:
    picture = Image.fromarray(np.full((4, 4), 70_000, np.int32))
    with pytest.raises(ValueError, match="grey from 70000 to 70000 is outside 0 to 65535"):
        read_image(saved(picture, "TIFF"))


def test_a_palette_becomes_its_colours() -> None:
    picture = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    picture.putpalette([255, 0, 0, 0, 0, 255])
    assert colours(saved(picture)).tolist() == [[[255, 0, 0], [0, 0, 255]], [[0, 0, 255], [255, 0, 0]]]


def test_transparency_lies_over_white() -> None:
    half = Image.new("RGBA", (2, 2), (200, 0, 0, 0))
    half.putpixel((0, 0), (200, 0, 0, 255))
    found = colours(saved(half))
    assert found[0, 0].tolist() == [200, 0, 0]
    assert found[1, 1].tolist() == [255, 255, 255]


def test_a_transparent_colour_of_a_palette_lies_over_white() -> None:
    picture = Image.new("P", (2, 2), 0)
    picture.putpalette([0, 0, 0, 0, 0, 255])
    assert (colours(saved(picture, transparency=0)) == 255).all()


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_the_colours_of_ink_become_those_of_light(kind: str) -> None:
    found = colours(saved(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), kind))
    assert np.abs(found - [0, 255, 255]).max() <= 2


def test_a_picture_is_turned_as_its_camera_was_held() -> None:
    picture = Image.fromarray(np.repeat(RAMP[..., None], 3, axis=2))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    found = colours(saved(picture, exif=exif))
    assert (found == np.rot90(np.asarray(picture), -1)).all()


def test_an_animation_is_its_first_frame() -> None:
    first, second = (Image.new("RGB", (4, 4), colour) for colour in ("red", "blue"))
    content = saved(first, "GIF", save_all=True, append_images=[second])
    assert (colours(content) == [255, 0, 0]).all()


def test_a_truncated_picture_is_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = tiny.png(noise)
    with pytest.raises(ValueError, match="cannot be decoded"):
        read_image(content[: len(content) // 2])


def test_a_text_is_no_picture() -> None:
    with pytest.raises(ValueError, match="is no picture in a format that can be read"):
        read_image(b"not a picture")


def test_postscript_is_not_handed_to_another_program() -> None:
    with pytest.raises(ValueError, match="is no picture in a format that can be read"):
        read_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")


def bomb(side: int) -> bytes:
    """A PNG file that says it has so many pixels on each side, and holds none."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_from_its_header() -> None:
    with pytest.raises(ValueError, match=r"is too large to be decoded \(.*2500000000 pixels"):
        read_image(bomb(50_000))


def test_a_thin_line_is_refused_from_its_header() -> None:
    with pytest.raises(ValueError, match=r"cannot be decoded \(101 x 1 pixels are a line\)"):
        read_image(saved(Image.new("RGB", (101, 1))))


def test_a_value_is_a_picture_by_its_bytes_or_its_path() -> None:
    values = (b"..", "a/b.PNG", {"bytes": b"..", "path": None}, {"bytes": None, "path": "a.jpg"})
    assert all(is_image(value) for value in values)
    assert not any(is_image(value) for value in ("a text", 3, {"bytes": None, "path": None}, {}))


def test_relative_paths_start_in_the_folder_of_the_list(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    assert source_of("a.png", tmp_path) == str(tmp_path / "a.png")


def test_a_missing_picture_is_named_with_the_folder_it_should_be_in(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"'b.png' is no file; relative paths start in {tmp_path}"):
        source_of("b.png", tmp_path)


def test_a_single_pixel_is_a_picture(processor: Any) -> None:
    assert (KIND.keep(processor, "image", Image.new("RGB", (1, 1), "red"))[0] == 255).all()


@pytest.mark.parametrize("memory", [10_000, 700, 0])
def test_a_shelf_keeps_numbers_in_memory_or_on_disk(memory: int) -> None:
    shelf = Shelf(memory, block=512)
    given = [np.random.default_rng(i).normal(size=(3, i + 1)).astype(np.float32) for i in range(20)]
    kept = [shelf.put(array) for array in given]
    assert all((a == b).all() and a.dtype == b.dtype for a, b in zip(given, kept, strict=True))
    assert sum(a is b for a, b in zip(given, kept, strict=True)) == {10_000: 20, 700: 10, 0: 0}[memory]


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The processor of a tiny model."""
    return make_task("image-classification", tiny_models.vit(tmp_path_factory.mktemp("vit")), []).processor


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures in class folders: six for training and two for the test."""
    for i, row in enumerate(tiny.pictures(8)):
        put(tmp_path / ("train" if i < 6 else "test") / row["label"] / f"{i}.png", row["image"])
    return tmp_path


def put(path: Path, content: bytes) -> Path:
    """Write a file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def read_all(path: Path, processor: Any, **settings: Any) -> Data:
    """The rows of a source."""
    settings = {"validation_share": 0} | settings
    return load(DataSection(path=str(path), **settings), KIND, KIND.Options(), 0, processor)


def problems(path: Path, processor: Any = None, **settings: Any) -> list[str]:
    """What is wrong with a source, without its own path."""
    with pytest.raises(InputError) as caught:
        read_all(path, processor, **settings)
    return [problem.replace(str(path), "DIR") for problem in caught.value.problems]


def test_folders_of_splits_hold_folders_of_classes(folder: Path, processor: Any) -> None:
    data = read_all(folder, processor)
    assert [row["id"] for row in data.splits["test"]] == ["test/blue/6.png", "test/red/7.png"]
    assert [row["label"] for row in data.splits["train"]] == ["blue"] * 3 + ["red"] * 3
    assert data.labels == ["blue", "red"]


def test_pictures_are_kept_as_the_processor_resizes_them(folder: Path, processor: Any) -> None:
    for row in read_all(folder, processor).splits["train"]:
        picture = Image.open(folder / row["id"])
        own = processor(images=picture, do_rescale=False, do_normalize=False, return_tensors="np")
        assert row["image"].dtype == np.uint8
        assert (row["image"] == own["pixel_values"][0]).all()


def test_class_folders_alone_are_training_rows(folder: Path, processor: Any) -> None:
    assert {split: len(rows) for split, rows in read_all(folder / "train", processor).splits.items()} == {
        "train": 6
    }


def test_folders_of_splits_may_have_other_names(folder: Path, processor: Any) -> None:
    (folder / "train").rename(folder / "for-learning")
    (folder / "test").rename(folder / "held-out")
    data = read_all(folder, processor, splits={"train": "for-learning", "test": "held-out"})
    assert {split: len(rows) for split, rows in data.splits.items()} == {"train": 6, "test": 2}


def test_a_split_folder_that_is_not_there_is_named_with_the_nearest(folder: Path) -> None:
    (problem,) = problems(folder, splits={"train": "trian"})
    assert problem == (
        "data.splits.train 'trian' is no folder in DIR; did you mean 'train'?; "
        "there are test, train: correct its name"
    )


def test_what_systems_leave_in_folders_is_no_row(folder: Path, processor: Any) -> None:
    for name in (".DS_Store", "Thumbs.db"):
        put(folder / "train" / "red" / name, b"x")
    put(folder / "README.txt", b"what these pictures are")
    assert len(read_all(folder, processor).splits["train"]) == 6


def test_pictures_without_class_folders_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.png", tiny.png(RAMP))
    (problem,) = problems(tmp_path)
    assert problem.startswith("DIR has no class folders (1 picture directly in it: a.png); put each picture")


def test_a_class_may_be_called_as_a_split(tmp_path: Path, processor: Any) -> None:
    for name in ("train", "car", "bus"):
        put(tmp_path / name / "a.png", tiny.png(RAMP))
    assert read_all(tmp_path, processor).labels == ["bus", "car", "train"]


def test_a_split_without_classes_is_told_that_its_name_makes_it_one(tmp_path: Path) -> None:
    put(tmp_path / "train" / "a.png", tiny.png(RAMP))
    put(tmp_path / "car" / "a.png", tiny.png(RAMP))
    (problem,) = problems(tmp_path)
    assert (
        "DIR/train has no class folders (1 picture directly in it: a.png), and its name makes it" in problem
    )


def test_a_picture_beside_the_class_folders_is_refused(folder: Path) -> None:
    put(folder / "train" / "stray.png", tiny.png(RAMP))
    (problem,) = problems(folder)
    assert problem.startswith("DIR/train has 1 picture outside its class folders (stray.png); put each")


def test_an_empty_class_folder_is_refused(folder: Path) -> None:
    (folder / "train" / "green").mkdir()
    assert problems(folder) == ["class folder DIR/train/green has no pictures; add some, or remove it"]


def test_a_single_class_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "red" / "a.png", tiny.png(RAMP))
    (problem,) = problems(tmp_path)
    assert problem.startswith("training has no label but red")


def test_every_broken_picture_is_named(folder: Path, processor: Any) -> None:
    put(folder / "train" / "red" / "1.png", b"broken")
    put(folder / "test" / "blue" / "6.png", bomb(50_000))
    first, second = problems(folder, processor)
    assert first.startswith("DIR/train row 3: image DIR/train/red/1.png is no picture in a format")
    assert first.endswith("; correct the row, or set data.bad_rows=skip")
    assert second.startswith("DIR/test row 0: image DIR/test/blue/6.png is too large to be decoded")


def test_broken_pictures_are_skipped_on_request_and_listed(folder: Path, processor: Any) -> None:
    put(folder / "train" / "red" / "1.png", b"broken")
    data = read_all(folder, processor, bad_rows="skip")
    assert [row["id"] for row in data.splits["train"] if row["label"] == "red"] == [
        "train/red/3.png",
        "train/red/5.png",
    ]
    assert len(data.skipped) == 1


def test_a_split_with_broken_pictures_alone_is_refused(folder: Path, processor: Any) -> None:
    for path in (folder / "test").rglob("*.png"):
        path.write_bytes(b"broken")
    (problem,) = problems(folder, processor, bad_rows="skip")
    assert problem.startswith("the test split has no rows that can be used (")


def test_a_list_names_files_beside_it(folder: Path, processor: Any) -> None:
    table = "file_name,label\nred/1.png,red\nblue/0.png,blue\n"
    (folder / "train" / "list.csv").write_text(table)
    data = read_all(folder / "train" / "list.csv", processor)
    assert [row["label"] for row in data.splits["train"]] == ["red", "blue"]


def test_metadata_in_a_folder_takes_the_place_of_class_folders(folder: Path, processor: Any) -> None:
    rows = [{"file_name": f"{name}/{i}.png", "label": f"is {name}"} for i, name in ((1, "red"), (0, "blue"))]
    tiny.write_jsonl(folder / "train" / "metadata.jsonl", rows)
    data = read_all(folder, processor)
    assert data.labels == ["is blue", "is red"]


def test_a_file_that_is_not_there_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("image,label\na.png,red\n")
    (problem,) = problems(tmp_path / "list.csv")
    assert problem.startswith("DIR:2: image 'a.png' is no file; relative paths start in ")


def test_parquet_holds_pictures_as_bytes_with_named_labels(tmp_path: Path, processor: Any) -> None:
    import datasets

    rows = tiny.pictures(4)
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["blue", "red"])}
    )
    columns = {"image": [{"bytes": row["image"], "path": None} for row in rows], "label": [0, 1, 0, 1]}
    datasets.Dataset.from_dict(columns, features=features).to_parquet(tmp_path / "rows.parquet")
    data = read_all(tmp_path / "rows.parquet", processor)
    assert [row["label"] for row in data.splits["train"]] == ["blue", "red", "blue", "red"]
    own = processor(images=Image.open(io.BytesIO(rows[2]["image"])), do_rescale=False, do_normalize=False)
    assert (data.splits["train"][2]["image"] == own["pixel_values"][0]).all()


def test_pictures_of_a_data_set_stay_encoded_until_they_are_kept() -> None:
    import datasets

    content = tiny.png(RAMP)
    dataset = datasets.Dataset.from_dict({"image": [{"bytes": content, "path": None}]})
    table = from_dataset(dataset.cast_column("image", datasets.Image()), "rows")
    assert table.columns["image"][0] == {"bytes": content, "path": None}


def test_a_broken_picture_in_parquet_is_named_with_its_row(tmp_path: Path, processor: Any) -> None:
    import datasets

    images = [{"bytes": row["image"], "path": None} for row in tiny.pictures(3)]
    images[1]["bytes"] = b"broken"
    columns = {"image": images, "label": ["a", "b", "b"]}
    datasets.Dataset.from_dict(columns).to_parquet(tmp_path / "rows.parquet")
    (problem,) = problems(tmp_path / "rows.parquet", processor)
    assert problem.startswith("DIR row 1: image is no picture in a format")


def test_the_fingerprint_follows_the_pixels_and_not_the_place(folder: Path, processor: Any) -> None:
    before = read_all(folder, processor).prints
    moved = folder.rename(folder.with_name("moved"))
    assert read_all(moved, processor).prints == before
    put(moved / "test" / "red" / "7.png", tiny.png(RAMP))
    after = read_all(moved, processor).prints
    assert after["train"] == before["train"]
    assert after["test"] != before["test"]


def test_a_trained_model_scores_a_folder_of_classes(folder: Path, processor: Any) -> None:
    task = KIND(KIND.Options(), processor, ["blue", "red"])
    name, data = load_split(DataSection(path=str(folder)), task, None)
    assert name == "test"
    assert data.splits["test"][0]["image"].shape == (3, tiny_models.SIDE, tiny_models.SIDE)


def asked(source: Path | str, processor: Any) -> list[Any]:
    """The ids of the rows that a source asks for."""
    rows = [row for chunk in stream(str(source), KIND(KIND.Options(), processor)) for row in chunk]
    assert all(row["image"].shape == (3, tiny_models.SIDE, tiny_models.SIDE) for row in rows)
    return [row["id"] for row in rows]


def test_a_picture_can_be_asked_for(folder: Path, processor: Any) -> None:
    path = folder / "test" / "red" / "7.png"
    assert asked(path, processor) == [str(path)]


def test_a_folder_of_pictures_can_be_asked_for(folder: Path, processor: Any) -> None:
    put(folder / "test" / "red" / "._7.png", b"what another system leaves")
    found = asked(folder / "test", processor)
    assert found == [str(folder / "test" / name) for name in ("blue/6.png", "red/7.png")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.txt", "red/7.png\nblue/6.png\n"),
        ("list.csv", "image\nred/7.png\nblue/6.png\n"),
        ("list.jsonl", '{"image": "red/7.png"}\n{"image": "blue/6.png"}\n'),
    ],
)
def test_a_list_of_pictures_can_be_asked_for(folder: Path, processor: Any, name: str, content: str) -> None:
    (folder / "test" / name).write_text(content)
    assert asked(folder / "test" / name, processor) == ["red/7.png", "blue/6.png"]


def test_the_ids_of_a_list_are_kept(folder: Path, processor: Any) -> None:
    (folder / "test" / "list.csv").write_text("id,image\na,red/7.png\nb,blue/6.png\n")
    assert asked(folder / "test" / "list.csv", processor) == ["a", "b"]


def test_paths_can_come_from_standard_input(
    folder: Path, processor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"test/red/7.png\n")))
    assert asked("-", processor) == ["test/red/7.png"]


def test_a_broken_picture_that_is_asked_for_is_named(folder: Path, processor: Any) -> None:
    put(folder / "test" / "red" / "7.png", b"broken")
    with pytest.raises(InputError, match=r"row 1: image .*7\.png is no picture in a format"):
        asked(folder / "test", processor)


def test_a_folder_without_pictures_cannot_be_asked_for(tmp_path: Path, processor: Any) -> None:
    with pytest.raises(InputError, match="holds no pictures"):
        asked(tmp_path, processor)


def test_a_folder_of_pictures_has_no_rows_for_a_task_about_texts(folder: Path) -> None:
    text = tasks.find("text-classification")
    with pytest.raises(InputError, match="has no column for text, which is a text"):
        load(DataSection(path=str(folder)), text, text.Options(), 0)


def test_a_parquet_file_knows_its_folder(tmp_path: Path) -> None:
    import datasets

    (tmp_path / "a.png").write_bytes(tiny.png(RAMP))
    datasets.Dataset.from_dict({"image": ["a.png"]}).to_parquet(tmp_path / "rows.parquet")
    table = read(tmp_path / "rows.parquet", "utf-8", None)
    assert source_of(table.columns["image"][0], table.folder) == str(tmp_path / "a.png")
