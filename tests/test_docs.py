"""What the documentation shows works as shown."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tunekit.tasks
from tests import tiny
from tunekit import cli, tasks, workflow
from tunekit import recipe as recipes

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]
COMMANDS = {command.__name__ for command in cli.COMMANDS}


def commands() -> list[tuple[str, list[str]]]:
    """Every tunekit command in the pages, with its words."""
    import shlex

    found = []
    for page in PAGES:
        for block in re.findall(r"(?:^|\n)(?: {4}|\$ |`)tunekit ([^\n`]+)", page.read_text()):
            found.append((page.name, shlex.split(block.split(" #")[0])))
    return found


def test_the_pages_show_commands() -> None:
    assert len(commands()) >= 8


def shown(value: str | list[str]) -> str:
    """A page's name or a command, for a test's name."""
    return " ".join(value) if isinstance(value, list) else value


def with_shipped_recipes() -> list[list[str]]:
    """The finetune commands whose recipe is a shipped one."""
    finetunes = [words for _, words in commands() if words[0] == "finetune" and len(words) > 1]
    return [words for words in finetunes if words[1] in recipes.shipped()]


@pytest.mark.parametrize(("page", "words"), commands(), ids=shown)
def test_every_command_shown_exists(page: str, words: list[str]) -> None:
    assert words[0] in COMMANDS, page


@pytest.mark.parametrize("words", with_shipped_recipes(), ids=" ".join)
def test_every_finetune_command_shown_has_a_right_recipe(words: list[str]) -> None:
    overrides = [word for word in words[2:] if "=" in word and not word.startswith("--")]
    recipes.load(words[1], overrides)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_the_readme_names_every_folder() -> None:
    text = (ROOT / "README.md").read_text()
    folders = [p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith(".")]
    made = {"quickstart", "runs", "evaluations", "build", "dist"}
    assert [name for name in folders if f"`{name}/`" not in text and name not in made] == []


@pytest.fixture
def new_task(tmp_path: Path) -> Iterator[str]:
    """The task of write-a-task.md, saved as the page says but in another folder."""
    page = (ROOT / "docs" / "write-a-task.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "text_pair.py").write_text(code)
    tunekit.tasks.__path__.append(str(tmp_path))
    yield "text-pair"
    tunekit.tasks.__path__.remove(str(tmp_path))
    sys.modules.pop("tunekit.tasks.text_pair", None)


def test_the_task_of_the_guide_works_as_written(new_task: str, checkpoint: object, tmp_path: Path) -> None:
    rows = [
        {"premise": f"{a} went to {b}", "hypothesis": f"{a} was in {c}", "label": "yes" if b == c else "no"}
        for a in ("Ada", "Bob")
        for b in ("Paris", "Rome")
        for c in ("Paris", "Rome")
    ]
    data = tiny.write_jsonl(tmp_path / "pairs.jsonl", rows * 6)
    model = checkpoint("bert")  # type: ignore[operator]
    file = tiny.recipe(tmp_path / "pair.yaml", new_task, model, data, epochs=2)
    assert new_task in tasks.names()
    run = workflow.finetune(file, output=tmp_path / "run")
    assert run.metrics()["validation"]["accuracy"]["n"] == 4
