"""What goes wrong while something is read from the Hub ends in one message that says what to do."""

import pytest

from tests.hub.clients import OTHER, TOKEN
from tests.hub.pushed import BASE, ROWS, TUNED, Told, World, layout, together
from tests.hub.storage import Blob

pytestmark = pytest.mark.slow

SAY = ["--input", "rows.txt"]
CASES = {  # name: command, exit code, what is said
    "missing": (["predict", "ada/none", *SAY], 2, "does not exist on the Hub, or is private"),
    "private": (["predict", "bob/private", *SAY], 2, "does not exist on the Hub, or is private"),
    "gated": (
        ["predict", "bob/gated", *SAY],
        3,
        "is gated; accept its terms at https://huggingface.co/bob/gated",
    ),
    "revision": (["predict", f"{TUNED}@v9", *SAY], 2, "has no revision 'v9'; choose from main"),
    "name": (["predict", "ada/a..b", *SAY], 2, "is no name that the Hub allows"),
    "forbidden": (["predict", "ada/forbidden", *SAY], 3, "the token has no rights to model 'ada/forbidden'"),
    "limited": (["predict", "ada/limited", *SAY], 3, "too many requests; try again in 7 seconds"),
    "failing": (["predict", "ada/failing", *SAY], 3, "(status 503); try again in some minutes"),
    "dropped": (["predict", "ada/dropped", *SAY], 3, "the Hub cannot be reached for model 'ada/dropped'"),
    "silent": (
        ["predict", "ada/silent", *SAY],
        3,
        "did not answer about model 'ada/silent' (no folder here) within",
    ),
    "foreign": (["predict", BASE, *SAY], 2, "was not made by tunekit"),
    "spoiled": (
        ["predict", "ada/spoiled", *SAY],
        3,
        "model.safetensors of model 'ada/spoiled' is damaged: its sha256",
    ),
    "base missing": (
        ["finetune", "tiny.yaml", "model=ada/none"],
        2,
        "model 'ada/none' (no folder here) does not",
    ),
    "base gated": (["finetune", "tiny.yaml", "model=bob/gated"], 3, "is gated; accept its terms"),
    "base revision": (
        ["finetune", "tiny.yaml", f"model={BASE}@v9"],
        2,
        "has no revision 'v9'; choose from main",
    ),
    "base without weights": (
        ["finetune", "tiny.yaml", "model=ada/empty"],
        2,
        "model 'ada/empty' lacks weights",
    ),
    "base adapter": (
        ["finetune", "tiny.yaml", "model=ada/adapter"],
        2,
        "is an adapter, not a whole checkpoint",
    ),
    "rows missing": (
        ["finetune", "tiny.yaml", "data=ada/none"],
        2,
        "data set 'ada/none' (no file or folder here)",
    ),
    "rows private": (
        ["finetune", "tiny.yaml", "data=bob/rows"],
        2,
        "does not exist on the Hub, or is private",
    ),
    "rows gated": (["finetune", "tiny.yaml", "data=bob/held"], 3, "https://huggingface.co/datasets/bob/held"),
    "rows revision": (
        ["finetune", "tiny.yaml", f"data={ROWS}@v9"],
        2,
        "has no revision 'v9'; choose from main",
    ),
    "rows configuration": (["finetune", "tiny.yaml", "data=ada/two"], 2, "set data.config"),
    "rows of a configuration": (["fetch", "tiny.yaml", "data=ada/two", "data.config=first"], 0, ""),
    "rows of configurations": (
        ["predict", TUNED, "--input", "ada/two"],
        2,
        "only data sets with one configuration",
    ),
    "rows with a script": (["finetune", "tiny.yaml", "data=ada/scripted"], 2, "such as refs/convert/parquet"),
    "rows empty": (["finetune", "tiny.yaml", "data=ada/bare"], 2, "cannot be read"),
    "rows silent": (
        ["finetune", "tiny.yaml", "data=ada/silent"],
        3,
        "did not answer about data set 'ada/silent'",
    ),
}
TWO = b"""---
configs:
- {config_name: first, data_files: first.csv}
- {config_name: second, data_files: second.csv}
---
"""


def prepare(world: World) -> None:
    """Give the Hub repositories and faults to fail with."""
    hub, csv = world.hub, b"text,label\ngood,1\nbad,0\n"
    for name in ("forbidden", "limited", "failing", "dropped", "silent", "slow-file", "unread"):
        world.offer(f"ada/{name}")
    world.offer("bob/private", private=True)
    world.offer("bob/gated", gated=True)
    hub.add_repo("ada/empty", {"config.json": layout(world.run)["config.json"], "tokenizer.json": b"{}"})
    hub.add_repo("ada/adapter", {"adapter_config.json": b"{}", "adapter_model.safetensors": b"x"})
    hub.add_repo("bob/rows", {"train.csv": csv}, "dataset", private=True)
    hub.add_repo("bob/held", {"train.csv": csv}, "dataset", gated=True)
    hub.add_repo("ada/two", {"README.md": TWO, "first.csv": csv, "second.csv": csv}, "dataset")
    hub.add_repo("ada/scripted", {"scripted.py": b"raise SystemExit"}, "dataset")
    hub.add_repo("ada/bare", {"README.md": b"no rows"}, "dataset")
    hub.add_repo("ada/silent", {"train.csv": csv}, "dataset")
    hub.fault("*", "models/ada/forbidden", 99, 403)
    hub.fault("*", "models/ada/limited", 99, 429, headers={"Retry-After": "7"})
    hub.fault("*", "models/ada/failing", 99, 503)
    hub.fault("*", "models/ada/dropped", 99, "drop")
    hub.fault("*", "(models|datasets)/ada/silent", 99, "stall")
    hub.fault("*", "ada/slow-file/resolve", 1, "stall")
    spoil(world)


def spoil(world: World) -> None:
    """Offer a model whose weights are not those that the Hub lists."""
    world.offer("ada/spoiled")
    repo = world.hub.repo("ada/spoiled")
    head = repo.branches["main"]
    weights = head.files["model.safetensors"]
    spoiled = Blob(weights.content[:-1] + bytes([weights.content[-1] ^ 1]), weights.sha256)
    repo.point(
        "main", repo.commit({**head.files, "model.safetensors": spoiled}, "Spoil", author="ada", on=head)
    )


@pytest.fixture(scope="module")
def told(world: World) -> dict[str, Told]:
    """What every case ends with."""
    prepare(world)
    client = world.client("failing")
    (client.home / "rows.txt").write_text("a good film\n")
    (client.home / "tiny.yaml").write_text(world.recipe.read_text())
    commands = {name: words for name, (words, _, _) in CASES.items()}
    world.offer("ada/first-name")
    world.hub.rename("ada/first-name", "ada/second-name")
    more = {
        "slow file": (["predict", "ada/slow-file", *SAY], {"TUNEKIT_HUB_TIMEOUT": "5"}),
        "renamed": ["predict", "ada/first-name", *SAY],
        "bad token": (["predict", "ada/unread", *SAY], {"HF_TOKEN": "hf_NobodyHasThisTokenAnyMoreAtAll"}),
        "anonymous": (["predict", "bob/gated", *SAY], {"HF_TOKEN": ""}),
        "of the owner": (["predict", "bob/private", *SAY], {"HF_TOKEN": OTHER}),
        "after all": (["predict", TUNED, *SAY], {"HF_TOKEN": TOKEN}),
        "no seconds": (["predict", TUNED, *SAY], {"TUNEKIT_HUB_TIMEOUT": "soon"}),
    }
    return together(client, {**commands, **more}, TUNEKIT_HUB_TIMEOUT="1")


@pytest.mark.parametrize("case", CASES)
def test_a_failure_ends_in_one_message_and_its_exit_code(told: dict[str, Told], case: str) -> None:
    _, code, said = CASES[case]
    assert said in told[case].err
    assert told[case].code == code
    assert "Traceback" not in told[case].err


def test_a_token_that_is_not_valid_is_told_where_to_make_another(told: dict[str, Told]) -> None:
    assert told["bad token"].code == 3
    assert "does not accept the token" in told["bad token"].err
    assert "hf_Nobody" not in told["bad token"].err


def test_a_gated_model_is_gated_for_everybody(told: dict[str, Told]) -> None:
    assert told["anonymous"].code == 3
    assert "is gated" in told["anonymous"].err


def test_a_private_model_answers_its_owner(told: dict[str, Told]) -> None:
    assert len(told["of the owner"].lines()) == 1


def test_a_file_that_does_not_come_is_asked_for_again(told: dict[str, Told]) -> None:
    assert len(told["slow file"].lines()) == 1


def test_a_renamed_model_is_found_and_its_new_name_is_told(told: dict[str, Told]) -> None:
    assert len(told["renamed"].lines()) == 1
    assert "model 'ada/first-name' is now called 'ada/second-name'; write that name" in told["renamed"].err


def test_after_all_failures_what_is_right_still_works(told: dict[str, Told]) -> None:
    assert len(told["after all"].lines()) == 1


def test_a_time_limit_that_is_no_number_is_refused(told: dict[str, Told]) -> None:
    assert told["no seconds"].code == 2
    assert "TUNEKIT_HUB_TIMEOUT is 'soon'; give a number of seconds above 0" in told["no seconds"].err


def test_a_spoiled_file_does_not_stay_in_the_cache(world: World, told: dict[str, Told]) -> None:
    assert told["spoiled"].code == 3
    folder = world.folder / "failing" / "hub" / "models--ada--spoiled"
    assert not [path for path in folder.rglob("*.safetensors")]
