"""From data to a recipe: look at the rows, guess the task and its columns, and write down why."""

from tunekit.init.asking import decide
from tunekit.init.proposing import Proposal, inspect_data, propose
from tunekit.init.writing import place_for, write

__all__ = ["Proposal", "decide", "inspect_data", "place_for", "propose", "write"]
