"""Nothing in the code can run what others give; versions with known holes cannot be installed beside it."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import tunekit

ROOT = Path(tunekit.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
REVIVERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
SAFE_OF = {"yaml": {"compose", "parse", "safe_dump"}, "evaluate": {"combine", "MetricInfo"}}
CHOSEN = {  # arguments of from_pretrained, and what is unpacked into them; none is read from a checkpoint
    *("config", "dtype", "ignore_mismatched_sizes", "output_loading_info", "revision", "trust_remote_code"),
    *("checkpoint.origin()", "words", "kind.processor_options"),
    "{'attn_implementation': attention} if attention else {}",
    "quantized(bits, auto, config) if bits else {}",  # bits are the recipe's
}
SHELLS = ("system", "popen", "exec", "spawn", "startfile")  # as functions of os begin


def calls(path: Path) -> Iterator[ast.Call]:
    """Every call in a file."""
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def modules(path: Path) -> dict[str, str]:
    """The modules that a file imports whole, by the name they have there."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import)]
    return {alias.asname or alias.name: alias.name for node in nodes for alias in node.names}


def settings(call: ast.Call) -> dict[str | None, str]:
    """The keyword arguments of a call as they are written."""
    return {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_1_no_module_revives_objects_or_runs_text(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    whole = {alias.name.split(".")[0] for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    parts = {(n.module or "").split(".")[0] for n in nodes if isinstance(n, ast.ImportFrom)}
    assert not (whole | parts) & REVIVERS
    assert not parts & SAFE_OF.keys()  # imported whole, so that their calls can be told
    assert not {ast.unparse(call.func) for call in calls(path)} & BUILTINS


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_1_only_safe_functions_are_called_of_modules_with_unsafe_ones(path: Path) -> None:
    names = modules(path)
    for call in calls(path):
        owner, _, function = ast.unparse(call.func).partition(".")
        module = names.get(owner, "")
        assert module not in SAFE_OF or function.split("(")[0] in SAFE_OF[module]
        assert module != "os" or not function.startswith(SHELLS)
        assert settings(call).get("shell", "False") == "False"
        assert settings(call).get("allow_pickle", "False") == "False"
        assert settings(call).get("Loader", "yaml.SafeLoader") == "yaml.SafeLoader"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_1_torch_loads_weights_only(path: Path) -> None:
    for call in calls(path):
        if ast.unparse(call.func) == "torch.load":
            assert settings(call).get("weights_only") == "True"


def test_1_only_a_metric_that_the_user_names_is_run() -> None:
    assert [name_of(path) for path in FILES if "exec_module" in path.read_text()] == ["evaluation.py"]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_2_code_that_comes_with_a_model_is_refused_literally(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
            assert ast.unparse(node.value) == "False"
        if isinstance(node, ast.Dict):
            given = dict(zip(map(ast.unparse, filter(None, node.keys)), node.values, strict=False))
            assert ast.unparse(given.get("'trust_remote_code'", ast.Constant(False))) == "False"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_2_every_loading_of_a_model_says_so(path: Path) -> None:
    for call in calls(path):
        if ast.unparse(call.func).endswith((".from_pretrained", ".from_config")):
            unpacked = [ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg is None]
            assert "trust_remote_code" in settings(call) or "checkpoint.origin()" in unpacked


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_3_what_is_asked_of_a_checkpoint_is_chosen_here(path: Path) -> None:
    for call in calls(path):
        if ast.unparse(call.func).endswith(".from_pretrained"):
            words = {keyword.arg or ast.unparse(keyword.value) for keyword in call.keywords}
            assert words <= CHOSEN


@pytest.mark.parametrize(
    ("package", "version"),
    [("torch", "2.10"), ("transformers", "5.3"), ("datasets", "4.0"), ("pillow", "11")],
)
def test_4_versions_with_known_holes_cannot_be_installed(package: str, version: str) -> None:
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
    needed = {Requirement(text).name: Requirement(text).specifier for text in project["dependencies"]}
    floors = [Version(part.version) for part in needed[package] if part.operator == ">="]
    assert floors and floors[0] >= Version(version)
