"""The architecture: imports go only downward, and functions and modules stay small."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

import tunekit

ROOT = Path(tunekit.__file__).parent
RANKS = {
    **dict.fromkeys(["errors", "console", "environment", "metrics", "stats"], 0),
    "network": 1,
    "tasks": 1,
    **dict.fromkeys(["recipe", "snapshots"], 2),
    "data": 3,
    **dict.fromkeys(["fast", "models"], 4),
    "evaluation": 5,
    **dict.fromkeys(["checkpoint", "comparison", "identity", "optim", "run"], 6),
    **dict.fromkeys(["card", "engine", "proof", "report", "tracking"], 7),
    **dict.fromkeys(
        ["checks", "embedding", "hub", "init", "prepare", "rescore", "before", "finish", "launch"], 8
    ),
    **dict.fromkeys(["doctor", "examination", "workflow"], 9),
    **dict.fromkeys(["reproduction", "seeds"], 10),
    **dict.fromkeys(["cli", "__init__"], 11),
    "__main__": 12,
}
FILES = sorted(ROOT.rglob("*.py"))
HEAVY = {
    "torch",
    "transformers",
    "datasets",
    "accelerate",
    "evaluate",
    "peft",
    "sklearn",
    "scipy",
    "seqeval",
    "PIL",
    "jinja2",
    "huggingface_hub",
    "matplotlib",
    "cleanlab",
    "sacrebleu",
    "ray",
}


def place(path: Path) -> str:
    """The module or folder that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules and folders of tunekit that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "tunekit":
            yield from (alias.name for alias in node.names if alias.name in RANKS)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tunekit."):
            yield str(node.module).split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("tunekit."))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_only_downward(path: Path) -> None:
    here = place(path)
    upward = [
        name for name in imported(ast.parse(path.read_text())) if name != here and RANKS[name] >= RANKS[here]
    ]
    assert not upward


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_nothing_heavy(path: Path) -> None:
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).split(".")[0])
    assert not names & HEAVY


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_stays_under_300_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 300


def lengths() -> list[tuple[int, str]]:
    """The lines of every function, and its place."""
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    return [
        ((node.end_lineno or 0) - node.lineno + 1, f"{path.name}:{node.name}")
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, functions)
    ]


def test_no_function_is_longer_than_60_lines() -> None:
    assert max(lengths())[0] <= 60


def test_the_median_function_is_shorter_than_12_lines() -> None:
    assert statistics.median(length for length, _ in lengths()) < 12
