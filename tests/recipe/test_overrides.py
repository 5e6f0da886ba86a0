"""`KEY=VALUE` arguments replace keys, drop what belonged to them, and are checked like the file."""

from pathlib import Path

import pytest

from tunekit import recipe as recipes
from tunekit.errors import InputError
from tunekit.recipe import Recipe

TEXT = """\
task: text-classification
model: {name: some/model, revision: abc}
data:
  path: some/data
  config: en
  revision: def
  splits: {train: a, test: b}
  columns: {text: x, label: y}
train:
  epochs: 2
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "r.yaml").write_text(TEXT)
    return tmp_path / "r.yaml"


def problems(recipe: Path, *overrides: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        recipes.load(recipe, overrides)
    return [problem.replace(str(recipe), "r.yaml") for problem in caught.value.problems]


def said(recipe: Path, *overrides: str) -> tuple[Recipe, list[str]]:
    """The recipe, and what was said about it."""
    lines: list[str] = []
    return recipes.load(recipe, overrides, lines.append), lines


def test_a_nested_key_is_set(recipe: Path) -> None:
    assert recipes.load(recipe, ["train.learning_rate=5e-5"]).train.learning_rate == 5e-5


def test_a_value_is_yaml(recipe: Path) -> None:
    loaded = recipes.load(recipe, ["data.limit={train: 10}", "train.early_stopping=null"])
    assert (loaded.data.limit, loaded.train.early_stopping) == ({"train": 10}, None)


def test_a_value_called_no_is_a_string(recipe: Path) -> None:
    assert recipes.load(recipe, ["data.columns.text=no"]).data.columns == {"text": "no", "label": "y"}


@pytest.mark.parametrize("sign", ["|", ";", "\\t"])
def test_a_separator_is_given_as_it_is(recipe: Path, sign: str) -> None:
    assert recipes.load(recipe, [f"data.separator={sign}"]).data.separator == sign.replace("\\t", "\t")


def test_a_value_may_hold_an_equals_sign(recipe: Path) -> None:
    assert recipes.load(recipe, ["model=./a=b"]).model.name == "./a=b"


@pytest.mark.parametrize("key", ["data", "data.path"])
def test_other_data_drops_what_belonged_to_the_former(recipe: Path, key: str) -> None:
    loaded, lines = said(recipe, f"{key}=rows.csv")
    kept = loaded.data.path, loaded.data.splits, loaded.data.columns, loaded.data.config, loaded.data.revision
    assert kept == ("rows.csv", None, None, None, None)
    assert lines == [
        f"{key}=rows.csv drops data.splits, data.columns, data.config, data.revision of the recipe, "
        "which belong to the former data"
    ]


def test_what_is_given_for_the_other_data_stays(recipe: Path) -> None:
    loaded, lines = said(recipe, "data=rows.csv", "data.columns={text: t}", "data.splits={train: c}")
    assert (loaded.data.columns, loaded.data.splits) == ({"text": "t"}, {"train": "c"})
    assert "data.columns" not in lines[0]


def test_another_model_drops_its_revision(recipe: Path) -> None:
    loaded, lines = said(recipe, "model=other/model")
    assert loaded.model.revision is None
    assert lines == ["model=other/model drops model.revision of the recipe, which belong to the former model"]


def test_steps_replace_epochs(recipe: Path) -> None:
    loaded = recipes.load(recipe, ["train.steps=7"])
    assert (loaded.train.steps, loaded.train.epochs) == (7, None)


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("train.epochs", "'train.epochs' is no KEY=VALUE; write for example train.epochs=5"),
        ("=3", "'=3' is no KEY=VALUE; write for example train.epochs=5"),
        ("train..epochs=3", "'train..epochs=3' is no KEY=VALUE; write for example train.epochs=5"),
        ("train.epochs=soon", "train.epochs=soon: train.epochs is soon; give a finite number"),
        ("train.batch_size=0", "train.batch_size=0: train.batch_size is 0; give a number of at least 1"),
        (
            "train.learning_rate=.nan",
            "train.learning_rate=.nan: train.learning_rate is .nan; give a finite number",
        ),
        ("train.epochs= *a", "train.epochs= *a: aliases (*a) are not supported; write the value out"),
        ("train.seed={a: 1, a: 2}", "train.seed={a: 1, a: 2}: key 'a' is already given; remove one"),
        (
            "model.name.x=3",
            "model.name.x=3: 'name' has no keys of its own; it is some/model; correct the key",
        ),
        ("model=", "model=: model.name is empty; give a word or a text"),
        (
            "train.precision=16",
            "train.precision=16: train.precision is 16; did you mean 'fp16'?; "
            "choose from auto, bf16, fp16, fp32",
        ),
    ],
)
def test_a_wrong_argument_is_named(recipe: Path, argument: str, problem: str) -> None:
    assert problem in problems(recipe, argument)


def test_an_unknown_key_of_an_argument_is_named_with_the_nearest(recipe: Path) -> None:
    (problem,) = problems(recipe, "trian.epochs=3")
    assert problem.startswith("trian.epochs=3: trian is an unknown key; did you mean 'train'?")


def test_an_argument_given_twice_is_refused(recipe: Path) -> None:
    (problem,) = problems(recipe, "train.epochs=3", "train.epochs=4")
    assert problem == "train.epochs=4: train.epochs=3 is given too; remove one of them"


def test_a_short_and_a_long_name_are_the_same_key(recipe: Path) -> None:
    (problem,) = problems(recipe, "model=a/b", "model.name=c/d")
    assert problem == "model.name=c/d: model=a/b is given too; remove one of them"


def test_epochs_and_steps_together_are_refused(recipe: Path) -> None:
    (problem,) = problems(recipe, "train.epochs=3", "train.steps=4")
    assert problem.endswith("train: epochs and steps are both given; remove one")


def test_broken_yaml_in_an_argument_is_named_by_the_argument(recipe: Path) -> None:
    (problem,) = problems(recipe, "train.epochs=[1")
    assert problem.startswith("train.epochs=[1: ")
    assert problem.endswith("correct the YAML there")


def test_a_replaced_section_is_no_longer_blamed_on_the_file(recipe: Path) -> None:
    (problem,) = problems(recipe, "data={path: x, columns: {txt: y}}")
    assert problem.startswith("data={path: x, columns: {txt: y}}: data.columns.txt is no role")


def test_problems_of_arguments_and_of_the_file_come_together(recipe: Path) -> None:
    recipe.write_text(TEXT + "  epochs: 3\nlearning_rate: 1\n")
    found = problems(recipe, "nonsense", "train.seed=x", "train.keep=-1")
    assert sorted(problem.split(":")[0] for problem in found) == [
        "'nonsense' is no KEY=VALUE; write for example train.epochs=5",
        "r.yaml",
        "r.yaml",
        "train.keep=-1",
        "train.seed=x",
    ]


def test_a_misspelt_shipped_recipe_is_told_the_nearest() -> None:
    with pytest.raises(
        InputError, match=r"^there is no recipe 'sentimnt', .* did you mean 'sentiment'\?; give "
    ):
        recipes.find("sentimnt")


def test_a_misspelt_recipe_file_is_told_the_nearest(recipe: Path) -> None:
    (recipe.parent / "reviews.yaml").write_text(TEXT)
    with pytest.raises(InputError, match=r"did you mean 'reviews\.yaml'\?; give a file, or one of "):
        recipes.find(recipe.parent / "reveiws.yaml")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", ""])
def test_a_name_that_no_system_takes_is_no_recipe(name: str) -> None:
    with pytest.raises(InputError):
        recipes.load(name)


def test_the_resolved_recipe_loads_as_itself(recipe: Path) -> None:
    loaded = recipes.load(recipe, ["train.learning_rate=5e-5"])
    recipe.write_text(loaded.to_yaml())
    assert recipes.load(recipe) == loaded


def test_a_model_may_be_named_with_its_revision(recipe: Path) -> None:
    loaded, lines = said(recipe, "model=other/model@refs/pr/3")
    assert (loaded.model.name, loaded.model.revision) == ("other/model", "refs/pr/3")
    assert lines == [
        "model=other/model@refs/pr/3 drops model.revision of the recipe, which belong to the former model"
    ]


def test_data_may_be_named_with_its_revision(recipe: Path) -> None:
    loaded, _ = said(recipe, "data=other/data@v1")
    assert (loaded.data.path, loaded.data.revision) == ("other/data", "v1")


def test_a_revision_that_is_given_twice_alike_is_taken(recipe: Path) -> None:
    assert recipes.load(recipe, ["model=a/b@v1", "model.revision=v1"]).model.revision == "v1"


def test_two_revisions_are_refused(recipe: Path) -> None:
    (problem,) = problems(recipe, "model=a/b@v1", "model.revision=v2")
    assert problem.endswith("name is a/b@v1, and revision is v2; remove one of the revisions")


def test_a_path_with_an_at_sign_is_a_path(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b@c").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert recipes.load(recipe, ["model=a/b@c"]).model.name == "a/b@c"
