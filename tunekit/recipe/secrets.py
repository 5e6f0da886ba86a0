"""Tokens and passwords have no place in a recipe: it is copied into the run, its record and its card."""

from collections.abc import Iterator
from typing import Any

from tunekit.console import redact
from tunekit.recipe.reading import Place

KEYS = {  # under which others keep secrets; no section or task has an option of such a name
    *("token", "hf_token", "api_token", "auth_token", "access_token", "use_auth_token"),
    *("api_key", "apikey", "wandb_api_key", "secret", "password", "passwd", "credentials"),
}
COLUMNS = ("data", "columns")  # whose keys are roles
ADVICE = (
    "a recipe is copied into every run: remove it, and set the environment variable HF_TOKEN, "
    "or run hf auth login"
)


def is_secret(place: Place, value: Any) -> bool:
    """Whether a key is one under which secrets are kept, or it or its value looks like one."""
    key = place[-1].strip().lower().replace("-", "_")
    words = [place[-1]] if isinstance(value, dict) else [place[-1], str(value)]
    return (key in KEYS and place[:-1] != COLUMNS) or any(redact(word) != word for word in words)


def refusal(where: str, place: Place) -> str:
    """Say that a key holds a secret, without the secret."""
    return f"{where}: {redact('.'.join(place))} looks like a token or password; {ADVICE}"


def secrets_in(values: Any, place: Place = ()) -> Iterator[Place]:
    """The places of the secrets in plain data."""
    if place and is_secret(place, values):
        yield place
    elif isinstance(values, dict):
        for key, value in values.items():
            yield from secrets_in(value, (*place, key))
