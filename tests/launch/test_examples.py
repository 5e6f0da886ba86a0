"""The files that docs/scale.md offers: they parse, and the table on paper is what its script prints."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tunekit import cli

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
SCRIPTS, DOCUMENTS = sorted(EXAMPLES.glob("*.sh")), sorted(EXAMPLES.glob("*.yaml"))


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_has_the_syntax_of_bash(path: Path) -> None:
    done = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_is_yaml(path: Path) -> None:
    assert {"resources", "spec"} & set(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("path", [*SCRIPTS, *DOCUMENTS], ids=lambda path: path.name)
def test_an_example_uses_options_that_exist(path: Path) -> None:
    text = path.read_text()
    assert "tunekit finetune" in text or "tunekit, finetune" in text
    words = text.split("tunekit finetune")[-1].splitlines()[0].split()
    options = {name for p in finetune_options() for name in p}
    assert [word for word in words if word.startswith("--") and word not in options] == []


def finetune_options() -> list[list[str]]:
    """The options of `tunekit finetune`."""
    import typer

    command = typer.main.get_command(cli.app).commands["finetune"]  # type: ignore[attr-defined]
    return [each.opts for each in command.params]


def test_the_table_on_paper_is_the_scripts_own() -> None:
    script = ROOT / "benchmarks" / "on_paper.py"
    printed = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout
    assert printed.strip() in (ROOT / "docs" / "scale.md").read_text()


def test_the_sizes_on_paper_are_those_of_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import on_paper

    published = {
        on_paper.BERT: 335.1e6,
        on_paper.T5: 2.8516e9,
        on_paper.DECODER: 6.7384e9,
    }  # with norms, biases
    for model, weights in published.items():
        assert model.weights == pytest.approx(weights, rel=0.005)
