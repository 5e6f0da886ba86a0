"""Where a run goes on the Hub."""

from dataclasses import dataclass

from tunekit.errors import InputError
from tunekit.recipe import HubSection

MAIN = "main"


@dataclass(frozen=True)
class Target:
    """A repository, and how the files get into it."""

    repo: str
    private: bool = True
    revision: str | None = None  # a branch; None is main
    create_pr: bool = False

    @classmethod
    def of(cls, section: HubSection) -> "Target":
        """The target that a section names.

        Raises:
            InputError: it names none.
        """
        if section.repo is None:
            raise InputError("no repository is named; give user/name, or hub.repo in the recipe")
        return cls(section.repo, section.private, section.revision, section.create_pr)

    @property
    def branch(self) -> str:
        """The branch that the files are for."""
        return self.revision or MAIN

    @property
    def namespace(self) -> str:
        """The user or organization that the repository belongs to."""
        return self.repo.split("/")[0]
