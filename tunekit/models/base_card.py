"""What a checkpoint's own card says of its license and languages, for the cards of what is made from it."""

import re
from pathlib import Path
from typing import Any

from tunekit.errors import InputError
from tunekit.recipe.reading import Reading, read_mapping

CARRIED = ("license", "license_name", "license_link", "language")
CARD = "README.md"
MOST_BYTES = 1_000_000  # of a card that are read
LONGEST_VALUE = 300  # characters; what is longer is no license's name
METADATA = re.compile(r"\s*---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


def base_card_facts(folder: Path) -> dict[str, Any]:
    """License and languages as the card in a folder names them; what it does not say is absent."""
    card = folder / CARD
    if not card.is_file():
        return {}
    with card.open("rb") as file:
        text = file.read(MOST_BYTES).decode("utf-8-sig", errors="replace")
    metadata = METADATA.match(text)
    try:
        values, reading = read_mapping(Reading(wanted_lines(metadata[1] if metadata else ""), str(card)))
    except InputError:
        return {}
    sound = {key: sound_value(values.get(key)) for key in CARRIED} if not reading.problems else {}
    return {key: value for key, value in sound.items() if value}


def wanted_lines(metadata: str) -> str:
    """The lines of the keys that are wanted: others may hold thousands of results."""
    kept, wanted = list[str](), False
    for line in metadata.splitlines(keepends=True):
        if re.match(r"[^\s#-]", line):
            wanted = line.split(":")[0].strip(" '\"") in CARRIED
        if wanted:
            kept.append(line)
    return "".join(kept)


def sound_value(value: Any) -> str | list[str] | None:
    """A short text, or a list of such texts; None for anything else."""
    if isinstance(value, list):
        return [item for item in value if isinstance(item, str) and sound_value(item)]
    return value if isinstance(value, str) and len(value) <= LONGEST_VALUE else None
