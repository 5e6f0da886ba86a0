"""JSON Schema of a recipe, for editors: the sections, and each task with its own options."""

from typing import Any

from tunekit import tasks
from tunekit.recipe.sections import Recipe


def schema() -> dict[str, Any]:
    """The schema as plain data; `tunekit schema` prints it."""
    document = Recipe.model_json_schema()
    definitions = document["$defs"]
    del definitions["TaskSection"]
    definitions.pop("BaseModel", None)
    document["properties"]["task"] = {"anyOf": [{"enum": tasks.names()}, *map(task_schema, tasks.names())]}
    for key, main in (("model", "name"), ("data", "path"), ("adapter", "kind")):
        section = document["properties"][key]
        short = {"type": "string", "description": f"short for {key}: {{{main}: ...}}"}
        document["properties"][key] = {"anyOf": [short, section]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document, "title": "tunekit recipe"}


def task_schema(name: str) -> dict[str, Any]:
    """A task with its options, as an object."""
    options = tasks.find(name).Options.model_json_schema()
    properties = {"name": {"const": name}, **options["properties"]}
    return {"type": "object", "properties": properties, "required": ["name"], "additionalProperties": False}
