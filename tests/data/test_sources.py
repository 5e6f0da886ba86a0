"""Which files or splits make up train, validation and test, and what is said when one is not there."""

from pathlib import Path
from typing import Any

import pytest

from tunekit.data.sources import chosen, read_splits
from tunekit.errors import EnvironmentFailure, InputError
from tunekit.recipe import DataSection


def make(folder: Path, *names: str) -> Path:
    """A folder of csv files, each with one row that holds the file's name."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"text\n{name}\n")
    return folder


def found(path: Path, **settings: Any) -> dict[str, list[str]]:
    """The name of the files of each split."""
    tables = read_splits(DataSection(path=str(path), **settings))
    return {
        split: [text for table in group for text in table.columns["text"]] for split, group in tables.items()
    }


def problems(path: Path | str, root: Path, **settings: Any) -> list[str]:
    """What is wrong with a source, without the folder's name."""
    with pytest.raises(InputError) as caught:
        read_splits(DataSection(path=str(path), **settings))
    return [problem.replace(str(root), "DIR") for problem in caught.value.problems]


def test_a_file_is_the_train_split(tmp_path: Path) -> None:
    assert found(make(tmp_path, "rows.csv") / "rows.csv") == {"train": ["rows.csv"]}


def test_a_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    assert found(make(tmp_path, "ROWS.CSV") / "ROWS.CSV") == {"train": ["ROWS.CSV"]}


@pytest.mark.parametrize("name", ["validation.csv", "valid-0.csv", "val.csv", "dev.csv", "eval_1.csv"])
def test_a_folder_brings_its_own_splits(tmp_path: Path, name: str) -> None:
    folder = make(tmp_path, "test.csv", name, "train-0.csv", "train-1.csv")
    splits = found(folder)
    assert splits == {"train": ["train-0.csv", "train-1.csv"], "validation": [name], "test": ["test.csv"]}
    assert list(splits) == ["train", "validation", "test"]


def test_folders_may_be_called_after_splits(tmp_path: Path) -> None:
    assert found(make(tmp_path, "train/a.csv", "test/b.csv")) == {
        "train": ["train/a.csv"],
        "test": ["test/b.csv"],
    }


def test_files_without_split_names_are_all_train(tmp_path: Path) -> None:
    assert found(make(tmp_path, "a.csv", "b.csv")) == {"train": ["a.csv", "b.csv"]}


def test_hidden_files_and_folders_are_not_read(tmp_path: Path) -> None:
    folder = make(tmp_path, "train.csv", ".train.csv", ".ipynb_checkpoints/train-checkpoint.csv")
    assert found(folder) == {"train": ["train.csv"]}


def test_files_can_be_named_for_splits(tmp_path: Path) -> None:
    folder = make(tmp_path, "a.csv", "b.csv", "c.csv")
    assert found(folder, splits={"test": "c.csv", "train": "a.csv"}) == {
        "train": ["a.csv"],
        "test": ["c.csv"],
    }


def test_a_file_named_for_a_split_may_lie_beside_the_data(tmp_path: Path) -> None:
    path = make(tmp_path, "a.csv", "b.csv") / "a.csv"
    assert found(path, splits={"test": "b.csv"}) == {"train": ["a.csv"], "test": ["b.csv"]}


def test_a_split_can_be_left_out(tmp_path: Path) -> None:
    folder = make(tmp_path, "train.csv", "test.csv")
    assert list(found(folder, splits={"train": "train", "test": None})) == ["train"]


def test_every_file_that_is_missing_is_named_with_the_nearest(tmp_path: Path) -> None:
    folder = make(tmp_path, "train.csv", "heldout.csv")
    assert problems(folder, tmp_path, splits={"train": "trian.csv", "test": "helout.csv"}) == [
        "data.splits.train 'trian.csv' is no file in DIR; did you mean 'train.csv'?; correct its name",
        "data.splits.test 'helout.csv' is no file in DIR; did you mean 'heldout.csv'?; correct its name",
    ]


def test_a_missing_file_is_told_the_nearest(tmp_path: Path) -> None:
    make(tmp_path, "reviews.csv")
    (problem,) = problems(tmp_path / "reveiws.csv", tmp_path)
    assert problem.endswith("does not exist; did you mean 'reviews.csv'?; give a file, a folder or a Hub id")


@pytest.mark.parametrize(
    "path", ["a b", "https://example.org/x.csv", "~nobody/x.csv", "x\0y", "x" * 5000, "a/b/c"]
)
def test_what_cannot_be_a_hub_id_is_looked_for_here_only(tmp_path: Path, path: str) -> None:
    (problem,) = problems(path, tmp_path)
    assert problem.startswith("data.path ")
    assert "does not exist" in problem


def test_an_unknown_format_is_told_which_there_are(tmp_path: Path) -> None:
    make(tmp_path, "rows.xlsx")
    (problem,) = problems(tmp_path / "rows.xlsx", tmp_path)
    assert problem.startswith(
        "DIR/rows.xlsx has an unknown format '.xlsx'; convert it to one of .csv, .tsv, "
    )


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, tmp_path)
    assert problem.startswith("folder DIR has no data files; put one in it that ends in .csv")


def test_every_file_with_a_problem_is_named(tmp_path: Path) -> None:
    folder = make(tmp_path, "train.csv", "validation.csv", "test.csv")
    (folder / "train.csv").write_text("text\na,b\n")
    (folder / "validation.csv").write_bytes(b"text\n\xe9\n")
    (folder / "test.csv").write_text("")
    assert sorted(problem[:8] for problem in problems(folder, tmp_path)) == [
        "DIR/test",
        "DIR/trai",
        "DIR/vali",
    ]


@pytest.mark.parametrize("key", ["config", "revision"])
def test_settings_for_the_hub_are_refused_for_a_file(tmp_path: Path, key: str) -> None:
    path = make(tmp_path, "rows.csv") / "rows.csv"
    (problem,) = problems(path, tmp_path, **{key: "x"})
    assert problem == (
        f"data.{key} is 'x', but DIR/rows.csv is on this machine, not on the Hub; "
        f"remove data.{key}, or correct data.path"
    )


def test_a_hub_that_cannot_be_reached_is_a_failure_of_the_environment() -> None:
    with pytest.raises(
        EnvironmentFailure, match=r"'nobody/nothing' \(no file or folder here\) is not in the cache"
    ):
        read_splits(DataSection(path="nobody/nothing"))


def splits_in_memory(*names: str) -> Any:
    from datasets import Dataset, DatasetDict

    return DatasetDict({name: Dataset.from_dict({"text": [name]}) for name in names})


def test_the_usual_splits_of_a_hub_data_set_are_chosen() -> None:
    section = DataSection(path="a/b")
    tables = dict(chosen(splits_in_memory("train", "dev", "test", "unsupervised"), section, "a/b"))
    assert {split: table.source for split, (table,) in tables.items()} == {
        "train": "a/b [train]",
        "validation": "a/b [dev]",
        "test": "a/b [test]",
    }


def test_the_splits_that_a_recipe_names_are_chosen() -> None:
    section = DataSection(path="a/b", splits={"train": "unsupervised", "test": None})
    assert [name for name, _ in chosen(splits_in_memory("train", "unsupervised"), section, "a/b")] == [
        "train"
    ]


def test_a_split_that_a_hub_data_set_lacks_is_told_the_nearest() -> None:
    section = DataSection(path="a/b", splits={"train": "train", "test": "tset"})
    with pytest.raises(InputError) as caught:
        dict(chosen(splits_in_memory("train", "test"), section, "a/b"))
    assert str(caught.value) == (
        "data.splits.test 'tset' is no split of a/b; did you mean 'test'?; choose from train, test"
    )


def test_a_hub_data_set_without_usual_splits_is_told_to_name_them() -> None:
    with pytest.raises(
        InputError, match=r"a/b has no split .*; there are full: name one with data\.splits\.train"
    ):
        dict(chosen(splits_in_memory("full"), DataSection(path="a/b"), "a/b"))


def test_a_folder_that_datasets_saved_is_read(tmp_path: Path) -> None:
    splits_in_memory("train", "test").save_to_disk(str(tmp_path / "saved"))
    assert found(tmp_path / "saved") == {"train": ["train"], "test": ["test"]}


def test_a_single_split_that_datasets_saved_is_the_train_split(tmp_path: Path) -> None:
    splits_in_memory("any")["any"].save_to_disk(str(tmp_path / "saved"))
    assert found(tmp_path / "saved") == {"train": ["any"]}


@pytest.mark.parametrize(
    "name", ["train/state.json", "train/dataset_info.json", "train/data-00000-of-00001.arrow"]
)
@pytest.mark.parametrize("content", [b"{", None], ids=["damaged", "missing"])
def test_a_damaged_folder_that_datasets_saved_is_named(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    splits_in_memory("train").save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "saved" / name).unlink()
    if content:
        (tmp_path / "saved" / name).write_bytes(content)
    (problem,) = problems(tmp_path / "saved", tmp_path)
    assert problem.startswith("folder DIR/saved cannot be read as a data set that `datasets` saved: ")
    assert problem.endswith("; save it again")


def test_files_that_are_not_used_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make(tmp_path, "train.csv", "test.csv", "data.csv", "README.txt")
    found(folder)
    assert capsys.readouterr().err.startswith(
        f"not used: data.csv, as other files of {folder} are called train "
    )


def test_pictures_beside_a_file_that_cannot_be_read_are_spoken_of(tmp_path: Path) -> None:
    (tmp_path / "info.json").write_text('{"by": "Ada"}')
    (tmp_path / "a.png").touch()
    assert (
        "DIR also holds pictures, whose folders are taken for their classes only"
        in problems(tmp_path, tmp_path)[1]
    )
