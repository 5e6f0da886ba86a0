"""Recipes hold neither bombs nor tokens, and a token is found in nothing that is printed or written.

Line 6 (safe loader, duplicate keys, tags, aliases, size, depth) is in `tests/recipe/test_reading.py`, and for
the command in `tests/test_bad_input.py`.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tunekit import tasks
from tunekit.console import out, redact
from tunekit.errors import InputError
from tunekit.recipe import DataSection, Recipe, load
from tunekit.recipe.secrets import KEYS

TASK = "text-classification"
PLANTED = "hf_planted0planted0planted0planted0"
GIVEN = "hf_given1given1given1given1given1gi"  # on the command line only
PASSWORD = "correct horse battery staple"
CANARY = "canary-of-the-environment"  # not secret, and nobody's business

MakeCheckpoint = Callable[..., Path]
MakeData = Callable[[str], Path]


def run(environment: Mapping[str, str], *arguments: str | Path, code: int) -> str:
    """What a command prints on both streams; it must end with the code."""
    done = subprocess.run(
        [sys.executable, "-m", "tunekit", *map(str, arguments)],
        input="a good film\n",
        capture_output=True,
        text=True,
        check=False,
        env=dict(environment),
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with secrets, and with folders of its own for all that libraries may write."""
    folder = tmp_path_factory.mktemp("planted")
    for name in ("home", "temporary"):
        (folder / name).mkdir()
    own = {"HOME": str(folder), "HF_HOME": str(folder / "home"), "TMPDIR": str(folder / "temporary")}
    secrets = {"HF_TOKEN": PLANTED, "TRACKER_PASSWORD": PASSWORD, "TUNEKIT_CANARY": CANARY}
    return os.environ | own | secrets


@pytest.fixture(scope="module")
def recipe(environment: dict[str, str], checkpoint: MakeCheckpoint, data: MakeData) -> Path:
    """A recipe beside which everything is written."""
    file = Path(environment["HOME"]) / "tiny.yaml"
    return tiny.recipe(file, TASK, checkpoint("bert"), data(TASK), steps=2)


@pytest.fixture(scope="module")
def said(environment: dict[str, str], recipe: Path) -> list[str]:
    """What commands say that succeed or fail, with and without --debug, with tokens all around them."""
    folder = recipe.parent
    finished = folder / "run"
    return [
        run(environment, "finetune", recipe, "--output", finished, "--debug", code=0),
        run(environment, "evaluate", finished, "--debug", code=0),
        run(environment, "predict", finished, "--output", folder / "answers.jsonl", code=0),
        run(environment, "finetune", recipe, f"model.token={GIVEN}", "--debug", code=2),
        run(environment, "finetune", recipe, f"data.path={GIVEN}", code=2),
        run(environment, "finetune", recipe, GIVEN, f"hub={{token: '{PASSWORD}'}}", "--json", code=2),
        run(environment, "finetune", GIVEN, "--debug", code=2),
        run(environment, "evaluate", finished, f"data.config={GIVEN}", "--debug", code=2),
        run(environment, "evaluate", f"{folder}/{PLANTED}", code=2),
        run(environment, "predict", finished, "--column", GIVEN, "--debug", code=2),
        run(environment, "predict", finished, f"--{GIVEN}", code=2),
        run(
            environment | {"HF_HUB_DOWNLOAD_TIMEOUT": GIVEN}, "finetune", recipe, "--debug", code=1
        ),  # a crash that quotes it
    ]


@pytest.mark.slow
@pytest.mark.parametrize("secret", [PLANTED, GIVEN, PASSWORD, CANARY])
def test_7_no_secret_is_printed(said: list[str], secret: str) -> None:
    assert [text for text in said if secret in text] == []


@pytest.mark.slow
@pytest.mark.parametrize("secret", [PLANTED, GIVEN, PASSWORD, CANARY])
def test_7_no_secret_is_in_any_file(said: list[str], recipe: Path, secret: str) -> None:
    files = [file for file in recipe.parent.rglob("*") if file.is_file()]
    assert {"run.json", "recipe.yaml", "log.jsonl", "README.md", "answers.jsonl"} <= {f.name for f in files}
    assert [file for file in files if secret.encode() in file.read_bytes()] == []


@pytest.mark.slow
def test_7_tracebacks_are_shown_without_the_secrets_in_them(said: list[str]) -> None:
    crash = said[-1]
    assert "Traceback (most recent call last)" in crash
    assert "invalid literal for int() with base 10: '***'" in crash


def refusals(recipe: Path | str, *overrides: str) -> list[str]:
    """What is wrong with a recipe; no message repeats a secret."""
    with pytest.raises(InputError) as caught:
        load(recipe, overrides)
    assert GIVEN not in str(caught.value)
    assert PASSWORD not in str(caught.value)
    return caught.value.problems


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (f"hub: {{token: {PASSWORD}}}", "hub.token"),
        (f"hub:  {{API-Key: {PASSWORD}}}", "hub.API-Key"),
        (f"password: {PASSWORD}", "password"),
        (f"model: {GIVEN}", "model.name"),
        (f"model: {{name: x, revision: {GIVEN}}}", "model.revision"),
        (f"metrics: [accuracy, {GIVEN}]", "metrics"),
        (f"data: {{path: 'https://me:{GIVEN}@hub/x'}}", "data.path"),
        (f"train: {{{GIVEN}: 1}}", "train.***"),
    ],
)
def test_7_a_token_in_a_recipe_is_refused_with_its_line_and_advice(
    tmp_path: Path, line: str, place: str
) -> None:
    (tmp_path / "r.yaml").write_text(f"task: {TASK}\n{line}\n")
    assert refusals(tmp_path / "r.yaml") == [
        f"{tmp_path}/r.yaml:2: {place} looks like a token or password; a recipe is copied into every run: "
        "remove it, and set the environment variable HF_TOKEN, or run hf auth login"
    ]


@pytest.mark.parametrize(
    ("argument", "place"),
    [
        (f"token={PASSWORD}", "token"),
        (f"hub.token=[{PASSWORD}", "hub.token"),
        (f"model={GIVEN}", "model"),
        (f"hub={{a: {{secret: {PASSWORD}}}}}", "hub.a.secret"),
        (f"{GIVEN}=1", "***"),
    ],
)
def test_7_a_token_in_an_override_is_refused_with_advice(argument: str, place: str) -> None:
    (problem,) = refusals("sentiment", argument)
    assert problem.startswith(f"on the command line: {place} looks like a token or password; ")


def test_7_a_token_that_only_the_environment_knows_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_API_KEY", PASSWORD)
    (problem,) = refusals("sentiment", f"data.path={PASSWORD}")
    assert "data.path looks like a token or password" in problem


def test_7_a_recipe_made_in_python_is_held_to_the_same() -> None:
    good = load("sentiment", ["data=x"])
    with pytest.raises(InputError, match=r"the recipe: data\.path looks like a token") as caught:
        Recipe.model_validate(dict(good) | {"data": {"path": GIVEN}})
    assert GIVEN not in str(caught.value)


def test_7_what_is_wrong_with_a_section_does_not_repeat_its_values() -> None:
    with pytest.raises(ValueError, match="Extra inputs are not permitted") as caught:
        DataSection.model_validate({"path": "x", "token": PASSWORD})
    assert PASSWORD not in str(caught.value)


def test_7_a_column_may_be_called_token() -> None:
    columns = {"words": "token", "tags": "secret"}
    overrides = [f"data.columns.{role}={column}" for role, column in columns.items()]
    assert load("ner", ["data=x", *overrides]).data.columns == columns


def options() -> Iterator[str]:
    """Every key that a recipe may have."""
    for name, field in Recipe.model_fields.items():
        yield name
        yield from getattr(field.annotation, "model_fields", {})
    for name in tasks.names():
        yield from tasks.find(name).Options.model_fields


def test_7_no_key_of_a_recipe_is_taken_for_a_secret() -> None:
    assert not set(options()) & KEYS


@pytest.mark.parametrize(
    "token",
    [
        GIVEN,
        "api_org_abcdefghijklmnopqrst",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "github_pat_abcdefghijklmnopqrst_0123",
        "sk-proj-abcdefghijklmnopqrst",
        "sk-abcdefghijklmnopqrst0123",
    ],
)
def test_7_what_looks_like_a_token_is_not_shown(token: str) -> None:
    assert redact(f"key_{token}") == "key_***"
    assert redact(f"at https://me:{token}@hub, {token!r}") == "at https://me:***@hub, '***'"


@pytest.mark.parametrize(
    "text",
    [
        "hf_datasets/reviews.csv",
        "hf-internal-testing/tiny",
        "0" * 64,
        "sk-learn-text-classification-models",
        "a token",
    ],
)
def test_7_what_does_not_look_like_a_token_is_shown(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("tell", ["say", "warn", "error"])
def test_7_every_way_to_speak_hides_secrets(tell: str, capsys: pytest.CaptureFixture[str]) -> None:
    getattr(out, tell)(f"the token is {GIVEN}")
    assert capsys.readouterr().err.endswith("the token is ***\n")


@pytest.mark.parametrize("as_json", [True, False])
def test_7_results_hide_secrets(as_json: bool, capsys: pytest.CaptureFixture[Any]) -> None:
    out.json = as_json
    out.result({"run": GIVEN}, GIVEN)
    printed = capsys.readouterr().out
    assert "***" in printed
    assert GIVEN not in printed
