"""The recipe's hub section: names, benchmarks, and what the command line changes of it."""

from pathlib import Path

import pytest

from tunekit.errors import InputError
from tunekit.recipe import HubSection, Recipe, load

TEXT = "task: text-classification\nmodel: ada/model\ndata: ada/rows\n"


def read(folder: Path, *overrides: str, text: str = TEXT) -> Recipe:
    """A recipe of that text."""
    file = folder / "recipe.yaml"
    file.write_text(text)
    return load(file, overrides)


def test_a_repository_alone_stands_for_the_section(tmp_path: Path) -> None:
    assert read(tmp_path, text=f"{TEXT}hub: ada/tuned\n").hub == HubSection(repo="ada/tuned")


def test_a_push_is_private_unless_said_otherwise(tmp_path: Path) -> None:
    assert read(tmp_path, "hub=ada/tuned").hub.private


@pytest.mark.parametrize("name", ["tuned", "ada/two words", "ada/a--b", "-ada/x", "ada/x.git", "a/b/c"])
def test_a_name_that_no_repository_can_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give user/name"):
        read(tmp_path, f"hub.repo={name}")


def test_where_a_run_is_pushed_to_does_not_make_it_another(tmp_path: Path) -> None:
    assert read(tmp_path).fingerprint == read(tmp_path, "hub=ada/tuned", "hub.private=false").fingerprint


def test_a_benchmark_of_a_metric_that_the_task_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'acuracy' is no metric of the task; did you mean 'accuracy'"):
        read(tmp_path, "hub.benchmark={dataset: org/bench, task_id: default, metric: acuracy}")


def test_what_is_given_changes_the_section() -> None:
    changed = HubSection(repo="ada/tuned").changed({"repo": None, "private": False, "revision": "v2"})
    assert changed == HubSection(repo="ada/tuned", private=False, revision="v2")


def test_a_wrong_name_that_is_given_is_refused() -> None:
    with pytest.raises(InputError, match="repo is 'tuned'; give user/name"):
        HubSection().changed({"repo": "tuned"})
