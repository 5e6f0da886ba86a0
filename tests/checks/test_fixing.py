"""`--fix` writes the data without leaks and duplicates, and nothing else is lost."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.checks import planting
from tests.checks.conftest import TASK
from tunekit import examination
from tunekit.checks import Report
from tunekit.errors import InputError

Examine = Callable[..., Report]
Faulty = tuple[Path, dict[str, set[str]]]


@pytest.fixture(scope="module")
def fixed(faulty: Faulty, model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """The faulty data written anew, and the report."""
    folder = tmp_path_factory.mktemp("fix")
    file = tiny.recipe(folder / "recipe.yaml", TASK, model, faulty[0])
    return folder / "fixed", examination.examine(file, step=False, fix=folder / "fixed")


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_data_that_were_fixed_pass_but_for_conflicts(fixed: tuple[Path, Report], examine: Examine) -> None:
    report = examine(fixed[0])
    assert {finding.name for finding in report.of("warning")} == {"conflicting labels"}


def test_scored_splits_stay_as_they_are(fixed: tuple[Path, Report], faulty: Faulty) -> None:
    for split in ("validation", "test"):
        assert read(fixed[0] / f"{split}.jsonl") == read(faulty[0] / f"{split}.jsonl")


def test_rows_that_stay_keep_all_their_columns(fixed: tuple[Path, Report], faulty: Faulty) -> None:
    before = {row["id"]: row for row in read(faulty[0] / "train.jsonl")}
    assert all(row == before[row["id"]] for row in read(fixed[0] / "train.jsonl"))


def test_what_was_removed_and_why_is_told(fixed: tuple[Path, Report], faulty: Faulty) -> None:
    report, (_, known) = fixed[1], faulty
    assert report.fixed is not None
    counts = report.fixed.document()["removed"]
    assert counts["leaks"] == len(known["leak"]) + len(known["leak of validation"])
    assert counts["near leaks"] == pytest.approx(len(known["near leak"]), abs=1)
    assert counts["duplicates"] == len(known["duplicates"])
    assert f"20 for duplicates; listed in {fixed[0]}/removed.jsonl" in report.text()


def test_the_list_of_what_was_removed_names_every_row(fixed: tuple[Path, Report]) -> None:
    report = fixed[1]
    assert report.fixed is not None
    listed = {row["row"]: row["reason"] for row in read(fixed[0] / "removed.jsonl")}
    assert listed == report.fixed.removed


def test_conflicts_and_near_duplicates_go_on_request(
    faulty: Faulty, examine: Examine, tmp_path: Path
) -> None:
    examine(faulty[0], fix=tmp_path / "fixed", also=["conflicts", "near-duplicates"])
    report = examine(tmp_path / "fixed")
    assert not report.of("warning")
    assert "near duplicates" not in {f.name for f in report.of("note") if f.text.startswith("train")}


def test_clean_data_lose_nothing(clean: Path, examine: Examine, tmp_path: Path) -> None:
    report = examine(clean, fix=tmp_path / "fixed")
    assert report.fixed is not None
    assert report.fixed.document() == {
        "folder": str(tmp_path / "fixed"),
        "rows": {"train": 400, "validation": 100, "test": 100},
        "removed": {},
    }


def test_a_validation_split_that_is_cut_from_train_is_not_frozen(examine: Examine, tmp_path: Path) -> None:
    report = examine({"train": planting.reviews(60)}, "data.limit={train: 20}", fix=tmp_path / "fixed")
    assert report.fixed is not None
    assert report.fixed.rows == {"train": 60}


def test_columns_that_the_recipe_names_are_given_again(examine: Examine, tmp_path: Path) -> None:
    rows = [{"body": row["text"], "stars": row["label"]} for row in planting.reviews(60)]
    report = examine({"train": rows}, "data.columns={text: body, label: stars}", fix=tmp_path / "fixed")
    assert (
        f"""data={tmp_path / "fixed"} 'data.columns={{"text": "body", "label": "stars"}}'""" in report.text()
    )


def test_a_file_in_another_encoding_is_written_in_it(model: Path, tmp_path: Path) -> None:
    lines = [f"{row['text']} \u00e9t\u00e9,{row['label']}" for row in planting.reviews(60)]
    lines = [line.replace(" , ", " ") for line in lines]
    data = tmp_path / "data.csv"
    data.write_text("\n".join(["text,label", *lines]), encoding="latin-1")
    file = tiny.recipe(tmp_path / "recipe.yaml", TASK, model, data)
    report = examination.examine(file, "data.encoding=latin-1", step=False, fix=tmp_path / "fixed")
    assert not report.of("error")
    again = examination.examine(file, "data.encoding=latin-1", f"data={tmp_path / 'fixed'}", step=False)
    assert "damaged text" not in {finding.name for finding in again.findings}


def test_names_of_labels_stay_names(examine: Examine, tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    rows = planting.reviews(60)
    content = {"text": [row["text"] for row in rows], "label": [n % 2 for n in range(60)]}
    features = Features({"text": Value("string"), "label": ClassLabel(names=["bad", "good"])})
    Dataset.from_dict(content, features=features).to_parquet(tmp_path / "train.parquet")
    examine(tmp_path / "train.parquet", fix=tmp_path / "fixed")
    assert {row["label"] for row in read(tmp_path / "fixed" / "train.jsonl")} == {"bad", "good"}


def test_a_label_that_would_lose_its_last_row_is_an_error(examine: Examine, tmp_path: Path) -> None:
    data = planting.splits(40, 10)
    data["train"][3]["label"] = "mixed"
    data["test"][0] = planting.copy(data["train"][3], "same")
    report = examine(data, fix=tmp_path / "fixed")
    assert report.code == 2
    assert "no training row of label mixed would be left" in " ".join(report.text().split())
    assert not (tmp_path / "fixed").exists()


def test_a_folder_that_holds_something_is_refused_at_once(
    examine: Examine, clean: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(InputError, match="not an empty folder"):
        examine(clean, fix=tmp_path / "mine")


@pytest.mark.parametrize(("also", "fix"), [(["conflict"], "new"), (["conflicts"], None)])
def test_what_cannot_be_left_out_is_refused(
    also: list[str], fix: str | None, examine: Examine, clean: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="--also"):
        examine(clean, fix=tmp_path / fix if fix else None, also=also)
