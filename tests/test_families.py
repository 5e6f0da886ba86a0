"""Which family can do what: shown by a command, and held against the libraries."""

import json
import subprocess
import sys

import pytest

from tests import tiny_models
from tunekit import tasks
from tunekit.models.families import FAMILIES, head_of, table


def test_every_family_that_is_shown_has_a_tiny_model() -> None:
    assert set(FAMILIES) == {*tiny_models.FAMILIES, *tiny_models.IMAGE_FAMILIES}


def test_models_that_read_both_ways_write_no_summaries() -> None:
    heads = {family: row["summarization"] for family, row in table().items()}
    assert [family for family in ("bert", "roberta", "electra", "modernbert") if heads[family]] == []


def test_encoder_decoders_answer_and_decoders_continue() -> None:
    heads = {family: row["summarization"] for family, row in table().items()}
    seq2seq = ("t5", "mt5", "bart", "mbart", "marian", "m2m_100")
    assert {heads[family] for family in seq2seq} == {"AutoModelForSeq2SeqLM"}
    assert {heads[family] for family in ("gpt2", "llama", "qwen3")} == {"AutoModelForCausalLM"}


def test_the_decoder_of_an_encoder_decoder_continues_no_text() -> None:
    from transformers import MarianConfig

    class Continuation(tasks.find("summarization")):  # type: ignore[misc]
        """A task for decoders alone."""

        heads = ("AutoModelForCausalLM",)

    assert head_of(MarianConfig, Continuation) is None


@pytest.mark.slow
def test_the_command_shows_the_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tunekit", "tasks", "--families", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["families"] == table()
