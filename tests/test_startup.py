"""What answers at once: help, lists, the schema, and errors in recipes, all without the heavy libraries."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny

HEAVY = (
    "torch",
    "transformers",
    "datasets",
    "accelerate",
    "evaluate",
    "peft",
    "scipy",
    "sklearn",
    "pandas",
    "PIL",
)
SCRIPT = """
import sys
sys.argv = ["tunekit", *sys.argv[1:]]
from tunekit.cli import main
try:
    main()
except SystemExit as stop:
    code = stop.code
print("loaded:", *[name for name in {heavy} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a fresh process that tells which heavy modules were loaded."""
    script = SCRIPT.format(heavy=HEAVY)
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["finetune", "--help"],
        ["init", "--help"],
        ["tasks"],
        ["recipes"],
        ["recipes", "ner"],
        ["schema"],
    ],
    ids=" ".join,
)
def test_help_and_lists_load_nothing_heavy(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 0
    assert done.stdout
    assert done.stderr.endswith("loaded:\n")


def test_a_wrong_recipe_is_refused_without_loading_anything_heavy() -> None:
    done = run("finetune", "sentiment", "train.epoch=3")
    assert done.returncode == 2
    assert "did you mean 'epochs'?" in done.stderr
    assert done.stderr.endswith("loaded:\n")


def test_a_recipe_for_local_text_is_written_without_loading_anything_heavy(
    data: Callable[[str], Path], tmp_path: Path
) -> None:
    done = run("init", str(data("text-classification")), "--output", str(tmp_path / "recipe.yaml"))
    assert done.returncode == 0
    assert done.stderr.endswith("loaded:\n")


def test_a_dry_run_on_local_text_does_not_load_what_reads_the_hubs_data(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path: Path
) -> None:
    name = "text-classification"
    recipe = tiny.recipe(tmp_path / "recipe.yaml", name, checkpoint("bert"), data(name))
    done = run("finetune", str(recipe), "--dry-run", "--output", str(tmp_path / "run"))
    assert done.returncode == 0
    assert "datasets" not in done.stderr.rpartition("loaded:")[2].split()


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tunekit", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "finetune" in done.stdout


def test_an_unknown_command_exits_2_without_a_traceback() -> None:
    done = run("finetun")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_public_names_are_those_that_are_listed() -> None:
    import tunekit

    assert tunekit.__all__ == sorted(tunekit.__all__)
    assert all(getattr(tunekit, name) for name in tunekit.__all__)
