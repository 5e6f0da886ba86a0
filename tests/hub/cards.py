"""What a Hub reads in a repository's card, and what it refuses there."""

import re
from typing import Any

import yaml

from tests.hub.messages import Request, Response, reply
from tests.hub.storage import Commit

FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(\r?\n|\Z)", re.DOTALL)


def front(text: str) -> Any:
    """The metadata between the marks at the start of a card; an empty mapping where there are none.

    Raises:
        yaml.YAMLError: they cannot be read.
    """
    found = FRONT.match(text)
    return (yaml.safe_load(found[1]) or {}) if found else {}


def metadata(commit: Commit) -> dict[str, Any]:
    """The metadata of a commit's card, as JSON can hold them."""
    card = commit.files.get("README.md")
    try:
        found = front(card.content.decode()) if card else {}
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}
    return plain(found) if isinstance(found, dict) else {}


def plain(value: Any) -> Any:
    """A value with what JSON does not know, such as a date, as text."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def tags(card: dict[str, Any]) -> list[str]:
    """The tags that the Hub finds a repository by."""
    found = [str(tag) for tag in many(card.get("tags"))]
    found += [str(card[name]) for name in ("library_name", "pipeline_tag") if card.get(name)]
    for name, label in (("license", "license"), ("datasets", "dataset"), ("base_model", "base_model")):
        found += [f"{label}:{each}" for each in many(card.get(name))]
    return list(dict.fromkeys(found))


def many(value: Any) -> list[Any]:
    """A value that may be one, several or none."""
    return value if isinstance(value, list) else [] if value is None else [value]


def evaluations(commit: Commit) -> list[dict[str, Any]]:
    """The results in `.eval_results/`."""
    names = [name for name in sorted(commit.files) if re.fullmatch(r"\.eval_results/.+\.yaml", name)]
    return [result for name in names for result in results(name, commit.files[name].content)]


def results(name: str, content: bytes) -> list[dict[str, Any]]:
    """The results in a file, or what is wrong with it."""
    try:
        found = yaml.safe_load(content)
    except yaml.YAMLError as error:
        return [{"filename": name, "error": str(error)}]
    return [{"filename": name, "data": plain(result)} for result in many(found)]


def validate(request: Request) -> Response:
    """Say what is wrong with a card's metadata."""
    wrong = list(complaints(str(request.json().get("content", ""))))
    answer: dict[str, Any] = {"errors": [{"message": message} for message in wrong], "warnings": []}
    if wrong:
        answer["error"] = wrong[0]
    return reply(answer, 400 if wrong else 200)


def complaints(text: str) -> list[str]:
    """What is wrong with a card's metadata."""
    try:
        card = front(text)
    except yaml.YAMLError as error:
        return [f"YAML Metadata Error: {error}"]
    if not isinstance(card, dict):
        return ["YAML Metadata Error: it should be a mapping"]
    wrong = [f'"{name}" must be a string' for name in LONE if not isinstance(card.get(name, ""), str)]
    wrong += [
        f'"{name}" must be a string or a list of strings' for name in LISTS if not words(card.get(name))
    ]
    return wrong + [f'"model-index" {problem}' for problem in wrong_index(card.get("model-index"))]


LONE = ("library_name", "pipeline_tag", "base_model_relation", "license_name")
LISTS = ("license", "tags", "datasets", "language", "metrics", "base_model")


def words(value: Any) -> bool:
    """Whether a value is a string, several or nothing."""
    return all(isinstance(each, str) and each for each in many(value))


def wrong_index(index: Any) -> list[str]:
    """What is wrong with a `model-index`."""
    if index is None:
        return []
    if not isinstance(index, list) or not all(isinstance(model, dict) for model in index):
        return ["must be a list of models"]
    if not all(isinstance(model.get("name"), str) for model in index):
        return ["must name each model"]
    results = [result for model in index for result in many(model.get("results"))]
    return [problem for result in results for problem in wrong_result(result)]


def wrong_result(result: Any) -> list[str]:
    """What is wrong with one result of a `model-index`."""
    if not isinstance(result, dict):
        return ["must hold mappings"]
    needed = {"task": ["type"], "dataset": ["type", "name"]}
    found = [
        f"needs {part}.{key}"
        for part, keys in needed.items()
        for key in keys
        if not isinstance((result.get(part) or {}).get(key), str)
    ]
    metrics = many(result.get("metrics"))
    if not metrics or not all(
        isinstance(each, dict) and {"type", "value"} <= each.keys() for each in metrics
    ):
        found.append("needs metrics with type and value")
    return found
