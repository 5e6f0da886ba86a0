"""The shipped recipes, and the schema that editors read."""

import json
import re
from pathlib import Path

import pytest

from tunekit import tasks
from tunekit.data import columns
from tunekit.recipe import load, shipped
from tunekit.recipe.schema import schema

RECIPES = Path(__file__).parent.parent / "recipes"


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_recipe_loads(name: str) -> None:
    recipe = load(name)
    assert recipe.data.path.count("/") == 1


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_recipe_begins_with_its_schema_what_it_is_and_its_command(name: str) -> None:
    lines = shipped()[name].read_text().splitlines()
    assert lines[0] == "# yaml-language-server: $schema=recipe.schema.json"
    assert len(lines[2]) > 20
    assert any(line.strip("# ") == f"tunekit finetune {name}" for line in lines)


def facts(name: str, what: str) -> set[str]:
    """What a recipe's comment says that its data set has: Columns or Splits."""
    (line,) = re.findall(rf"^# .*\b{what}: (.+?)\.(?:\s|$)", shipped()[name].read_text(), re.MULTILINE)
    return set(line.split(", "))


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_recipe_uses_columns_and_splits_that_its_data_set_has(name: str) -> None:
    data = load(name).data
    assert set((data.columns or {}).values()) <= facts(name, "Columns")
    assert {split for split in (data.splits or {}).values() if split} <= facts(name, "Splits")


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_recipe_names_a_column_for_every_role_that_is_needed(name: str) -> None:
    recipe = load(name)
    roles = columns.roles_of(tasks.find(recipe.task.name), recipe.task.options, targets=True)
    named = set(recipe.data.columns or {})
    needed = {role for role, spec in roles.items() if spec.needed and spec.instead_of is None}
    stand_ins = {spec.instead_of for role, spec in roles.items() if role in named}
    assert needed - stand_ins <= named


def test_there_are_recipes_for_every_task() -> None:
    assert {load(name).task.name for name in shipped()} == set(tasks.names())


def test_the_schema_file_is_the_schema_of_the_code() -> None:
    assert json.loads((RECIPES / "recipe.schema.json").read_text()) == schema()


def test_the_schema_describes_every_setting() -> None:
    for section in ("ModelSection", "DataSection", "TrainSection"):
        properties = schema()["$defs"][section]["properties"]
        assert all("description" in setting for setting in properties.values())


def test_the_schema_knows_every_task_and_its_options() -> None:
    choices = schema()["properties"]["task"]["anyOf"]
    assert choices[0]["enum"] == tasks.names()
    assert [choice["properties"]["name"]["const"] for choice in choices[1:]] == tasks.names()
