"""A recipe that came with a model is a stranger's: it runs no code and names nothing of this machine."""

from pathlib import Path

import pytest

from tunekit import recipe as recipes
from tunekit.errors import InputError
from tunekit.recipe import HubSection, Recipe

HEAD = "task: text-classification\nmodel: some/model\n"


def load(folder: Path, text: str, *overrides: str, model: Path | None = None) -> Recipe:
    (folder / "recipe.yaml").write_text(text)
    return recipes.load_foreign(folder / "recipe.yaml", overrides, model=model)


def problems(folder: Path, text: str, *overrides: str, model: Path | None = None) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(folder, text, *overrides, model=model)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def test_names_of_the_hub_are_taken_as_they_are(tmp_path: Path) -> None:
    found = load(tmp_path, f"{HEAD}data: some/rows@v1\n")
    assert (found.model.name, found.data.path, found.data.revision) == ("some/model", "some/rows", "v1")


@pytest.mark.parametrize(
    "path", ["rows.csv", "/etc/passwd", "../rows/train.csv", "~/rows", "a/b/c.csv", "./x"]
)
def test_a_path_of_data_is_only_a_name(tmp_path: Path, path: str) -> None:
    assert problems(tmp_path, f"{HEAD}data: {path}\n") == [
        f"recipe.yaml:3: data.path {path!r} was on the machine of whoever made the recipe; give data=PATH, "
        "where it is here"
    ]


def test_a_path_of_a_model_is_only_a_name(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "task: text-classification\nmodel: /models/mine\ndata: some/rows\n")
    assert (
        "model.name '/models/mine' was on the machine of whoever made the recipe; give model=PATH" in problem
    )


def test_the_model_that_a_recipe_came_with_takes_the_place_of_its_own(tmp_path: Path) -> None:
    text = "task: text-classification\nmodel: /models/mine\ndata: some/rows\n"
    assert load(tmp_path, text, model=tmp_path).model.name == str(tmp_path)


def test_a_path_here_that_is_called_like_the_data_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some" / "rows").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    (problem,) = problems(tmp_path, f"{HEAD}data: some/rows\n")
    assert "data.path 'some/rows' is of the Hub, and a path here is called the same" in problem


def test_data_that_the_user_gives_keeps_the_splits_and_columns_of_the_recipe(tmp_path: Path) -> None:
    text = f"{HEAD}data: {{path: rows, splits: {{train: /tmp/a.csv}}, columns: {{text: review}}}}\n"
    found = load(tmp_path, text, f"data={tmp_path}")
    assert found.data.path == str(tmp_path)
    assert found.data.splits == {"train": "a.csv"}
    assert found.data.columns == {"text": "review"}


def test_other_data_than_that_of_the_hub_brings_its_own_splits(tmp_path: Path) -> None:
    text = f"{HEAD}data: {{path: some/rows, splits: {{train: train}}}}\n"
    assert load(tmp_path, text, f"data={tmp_path}").data.splits is None


def test_a_metric_of_a_recipe_is_never_run(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit")
    text = f"{HEAD}data: some/rows\nmetrics: [{tmp_path}/evil.py]\n"
    found = problems(tmp_path, text)
    assert any("'evil.py' is code of whoever made the recipe, which is never run" in each for each in found)


def test_metrics_that_the_user_gives_take_the_place_of_code(tmp_path: Path) -> None:
    text = f"{HEAD}data: some/rows\nmetrics: [evil.py]\n"
    assert load(tmp_path, text, "metrics=[mcc]").metrics == ["mcc"]


def test_a_card_of_a_recipe_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, f"{HEAD}data: some/rows\nhub: {{card: /etc/passwd}}\n")
    assert "hub.card '/etc/passwd' names a file of this machine; remove it" in problem


def test_where_a_recipe_was_pushed_is_forgotten(tmp_path: Path) -> None:
    text = f"{HEAD}data: some/rows\nhub: {{repo: ada/tuned, private: false}}\n"
    assert load(tmp_path, text).hub == HubSection()


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path, "task: text-classification\nmodel: m\ndata: d\nmetrics: [x.py]\ntrain: {x: 1}\n"
    )
    assert len(found) >= 4
