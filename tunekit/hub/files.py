"""What of a run goes to the Hub: what is on the list, and nothing else."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from io import BytesIO
from pathlib import Path

from tunekit.card import benchmark_results, card, public_recipe
from tunekit.console import as_json, redact
from tunekit.errors import InputError, TunekitError, listing
from tunekit.hub.lock import LOCK, public_facts
from tunekit.recipe import HubSection, Recipe
from tunekit.run import Run

MODEL = (  # of RUN/model: what from_pretrained reads
    *("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "tunekit.json"),
    *("tokenizer*.json", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "*.model"),
    *("*.jinja", "preprocessor_config.json", "processor_config.json", "adapter_config.json"),
    *("modules.json", "1_Pooling/config.json", "sentence_bert_config.json"),
    "config_sentence_transformers.json",
)
BESIDE = ("README.md", "recipe.yaml", "metrics.json", LOCK)  # of a run
RESULTS = ".eval_results/"
PIECE = 1 << 20  # bytes read at once
SCANNED = 1_000_000  # bytes: longer texts are vocabularies


@dataclass(frozen=True)
class Item:
    """A file for the Hub."""

    path: str  # in the repository
    content: bytes | Path = field(repr=False)

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)

    @cached_property
    def digests(self) -> set[str]:
        """What the Hub may know it by: the sha256 of a large file, the git hash of another."""
        large, small = hashlib.sha256(), hashlib.sha1(f"blob {self.size}\0".encode(), usedforsecurity=False)
        for part in self.parts():
            large.update(part)
            small.update(part)
        return {large.hexdigest(), small.hexdigest()}

    def parts(self) -> Iterator[bytes]:
        """Its content, piece by piece."""
        with self.content.open("rb") if isinstance(self.content, Path) else BytesIO(self.content) as file:
            yield from iter(lambda: file.read(PIECE), b"")


def gather(run: Run, recipe: Recipe, section: HubSection) -> list[Item]:
    """The files of a finished run for a repository, with a card that is written for its name.

    Raises:
        InputError: the run is not finished, or a text of it holds what must not leave this machine.
    """
    if run.status != "finished" or not (run.finished_folder / "tunekit.json").is_file():
        raise InputError(
            f"run {run.path} is {run.status} and not finished; finish it with the command that began it, "
            "then push it"
        )
    alone = section.adapter or run.finished_folder == run.adapter
    if alone:
        check_adapter(run, recipe)
    folder = run.adapter if alone else run.model
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    items = [Item(name, path) for name, path in paths.items() if path.is_file() and listed(name, MODEL)]
    items += [Item(path, text.encode()) for path, text in texts(run, recipe, section).items()]
    for item in items:
        refuse_leaks(item, run)
    return items


def check_adapter(run: Run, recipe: Recipe) -> None:
    """Refuse to push the adapter of a run that has none, or whose checkpoint nobody else has.

    Raises:
        InputError: it is one of those.
    """
    if recipe.adapter is None or not run.adapter.is_dir():
        raise InputError(f"run {run.path} has no adapter; push its model, without --adapter")
    if run.facts["checkpoint"]["commit"] is None:
        raise InputError(
            f"the adapter of {run.path} is for a checkpoint in a folder here, which nobody else has; "
            f"{recipe.adapter.instead}"
        )


def texts(run: Run, recipe: Recipe, section: HubSection) -> dict[str, str]:
    """What is written for the Hub, by path."""
    found = {
        "README.md": card(run, recipe, repo=section.repo, alone=section.adapter),
        "recipe.yaml": public_recipe(run, recipe),
        "metrics.json": as_json(run.metrics(), indent=2) + "\n",
        LOCK: as_json(public_facts(run), indent=2) + "\n",
    }
    if section.benchmark:
        name = section.benchmark.dataset.replace("/", "-")
        found[f"{RESULTS}{name}.yaml"] = benchmark_results(run, section.benchmark)
    return found


def listed(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a name is on a list."""
    return any(fnmatch(name, pattern) for pattern in patterns)


def ours(path: str) -> bool:
    """Whether a path in a repository is one that pushes write."""
    return path.startswith(RESULTS) or listed(path, MODEL) or path in BESIDE


def refuse_leaks(item: Item, run: Run) -> None:
    """Refuse a text with a token, or with a path of this machine, in it.

    Raises:
        TunekitError: there is one.
    """
    if item.size > SCANNED or item.path.endswith(".safetensors"):
        return
    content = item.content.read_bytes() if isinstance(item.content, Path) else item.content
    text = content.decode("utf-8", errors="replace")
    places = {str(path) for path in (Path.home(), Path.cwd(), run.path.absolute()) if len(path.parts) > 2}
    leaks = [place for place in sorted(places) if f"{place}/" in text or f'{place}"' in text]
    if redact(text) != text:
        leaks.append("what looks like a token")
    if leaks:
        raise TunekitError(
            f"{item.path} holds {listing(leaks)}, which must not leave this machine; nothing was pushed: "
            "take it out, or report this"
        )
