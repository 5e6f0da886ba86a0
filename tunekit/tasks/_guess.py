"""What data look like, and how likely they are meant for a task: what `tunekit init` asks of every task."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Any

from tunekit.tasks._roles import Role

# How likely data are meant for a task, by what speaks for it: values that can be nothing else, columns with
# usual names, columns with such words in their names, or nothing but that no other column would fit.
CERTAIN, NAMED, HINTED, POSSIBLE = 0.95, 0.85, 0.65, 0.45
BY_NAME = {2: NAMED, 1: HINTED, 0: POSSIBLE}

PLAIN = ("text", "label", "number")  # kinds that almost any column is of
NUMBERINGS = ("id", "ids", "idx", "guid", "uid", "uuid", "index", "key", "nr", "no")  # as names end
MEDIA = re.compile(r".+\.(wav|flac|mp3|ogg|opus|m4a|aac|mp4|avi|mov|mkv|webm|pdf|docx?)", re.IGNORECASE)
WITHOUT_BLANKS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\U0003ffff"  # scripts of one letter a token
PIECE = re.compile(rf"[{WITHOUT_BLANKS}]|[^\W{WITHOUT_BLANKS}]+|[^\w\s]")
TOKENS = 1.5  # of a word or mark, with some room
AROUND = 3  # tokens that are added to texts
SIZES = (32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)  # tokens that a limit is rounded up to
MEASURED = 1000  # texts whose length is looked at
USUAL = 0.99  # share of texts that should fit a limit
LONGEST_LABEL = 60  # characters
MOST_WORDS = 4  # of most labels
MOST_CLASSES = 20  # numbers up to which they are taken for names of classes
NAMED_VALUES = 6  # that a description lists
MOST_LISTED = 500  # different items of lists that are still labels


def pieces(text: str) -> int:
    """How many words and marks a text has."""
    return sum(1 for _ in PIECE.finditer(text))


def words_of(name: str) -> list[str]:
    """The words in a column's name: `reviewText (EN)` has review, text and en; the whole comes first."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
    words = re.findall(r"[^\W_]+", apart)
    return ["".join(words), *words]


@dataclass(frozen=True, eq=False)
class Column:
    """A column that holds something, by a sample of its values."""

    name: str
    kinds: frozenset[str]  # that all values are of, those that are missing left out
    sample: Sequence[Any]

    @cached_property
    def values(self) -> list[Any]:
        """The values that are there: neither null nor blank."""
        return [v for v in self.sample if v is not None and not (isinstance(v, str) and not v.strip())]

    @cached_property
    def distinct(self) -> int:
        """How many different values there are; 0 where they are no plain ones."""
        plain = all(isinstance(value, str | int | float) for value in self.values)
        return len({str(value).strip() for value in self.values}) if plain else 0

    @cached_property
    def lengths(self) -> list[int]:
        """The words and marks of some texts, or of lists of them, in rising order."""
        every = max(1, len(self.values) // MEASURED)
        values = (value if isinstance(value, list) else [value] for value in self.values[::every])
        texts = ([item for item in items if isinstance(item, str)] for items in values)
        return sorted(sum(map(pieces, each)) for each in texts if each)

    @property
    def usual_words(self) -> float:
        """How many words and marks a text has in the middle; 0 where there are no texts."""
        return median(self.lengths) if self.lengths else 0

    @cached_property
    def is_texts(self) -> bool:
        """Whether values are texts of the data, and not labels, numbers or names of files."""
        plain = "text" in self.kinds and not self.kinds & {"number", "image"}
        return plain and not self.repeats and not self.is_media and not self.is_numbering

    @cached_property
    def repeats(self) -> bool:
        """Whether values are short and occur again and again, as labels do."""
        if "label" not in self.kinds or not 2 <= self.distinct <= len(self.values) / 2:
            return False
        texts = {value for value in self.values if isinstance(value, str)}
        short = all(len(text) <= LONGEST_LABEL for text in texts)
        return short and (not texts or median(map(pieces, texts)) <= MOST_WORDS)

    @cached_property
    def is_media(self) -> bool:
        """Whether values name files of sound or film, or documents."""
        texts = [value for value in self.values if isinstance(value, str)]
        return bool(texts) and len(texts) == len(self.values) and all(map(MEDIA.fullmatch, texts))

    @property
    def is_numbering(self) -> bool:
        """Whether it is called as what only numbers rows."""
        words = words_of(self.name)[1:]
        return not words or words[0] == "unnamed" or words[-1] in NUMBERINGS

    @cached_property
    def numbers(self) -> list[float]:
        """The values as numbers; none where they are no numbers."""
        true_or_false = any(isinstance(value, bool) for value in self.values)
        return [] if true_or_false or "number" not in self.kinds else [float(v) for v in self.values]

    def called(self, names: Iterable[str]) -> int:
        """2 where it is called by one of some usual names, 1 where one is a word of its name, else 0."""
        whole, *words = words_of(self.name)
        usual = ["".join(words_of(name)[1:]) for name in names]
        if whole in usual:
            return 2
        singular = {word.removesuffix("s") for word in words}
        return int(any(name.removesuffix("s") in singular for name in usual))

    @cached_property
    def items(self) -> list[Any] | None:
        """The items of all its lists; None where values are no lists."""
        lists = all(isinstance(value, list) for value in self.values)
        return [item for value in self.values for item in value] if lists else None

    def describe(self) -> str:
        """What it holds, for people."""
        if self.is_media:
            endings = sorted({value[value.rindex(".") :].lower() for value in self.values})
            return f"names of {' and '.join(endings[:3])} files"
        if "image" in self.kinds:
            return "pictures"
        if self.items is not None:
            return described_items(self.items)
        if not self.distinct:
            return "answers with their places" if "answers" in self.kinds else "values of several kinds"
        several = self.distinct < len(self.values)
        if several and (self.distinct <= NAMED_VALUES or (self.repeats and not self.numbers)):
            more = ", ..." if self.distinct > NAMED_VALUES else ""
            return f"{self.distinct:,} different values: {', '.join(self.listed()[:NAMED_VALUES])}{more}"
        different = f"{self.distinct:,} different" if several else "all different"
        if self.numbers:
            return f"numbers from {min(self.numbers):g} to {max(self.numbers):g}, {different}"
        if self.is_numbering or self.usual_words < 2:
            return f"short texts, {different}"
        return f"texts of about {self.usual_words:g} words, {different}"

    def listed(self) -> list[str]:
        """Its different values, numbers by size, each cut where it is long."""
        values = {str(value).strip() for value in self.values}
        ordered = sorted(values, key=lambda v: (float(v), v) if self.numbers else (0.0, v))
        return [value if len(value) <= 20 else f"{value[:17]}..." for value in ordered]


def described_items(items: Sequence[Any]) -> str:
    """What lists hold, for people."""
    if not items:
        return "empty lists"
    if isinstance(items[0], dict):
        other = "conversations" if "role" in items[0] else "lists of objects"
        return "lists of spans" if "start" in items[0] else other
    different = len({str(item) for item in items})
    what = "labels" if different <= min(MOST_LISTED, len(items) / 2) else "words or texts"
    return f"lists of {what}, {different:,} different"


@dataclass(frozen=True)
class Seen:
    """Data as `tunekit init` sees them: a sample of the training rows."""

    columns: Sequence[Column]
    rows: int  # of the sample
    given: Mapping[str, str] = field(default_factory=dict)  # role -> column, as the user says

    def find(self, role: str, spec: Role, taken: Iterable[Column] = ()) -> Column | None:
        """The column that the user names for a role, else one of the right kind that is called so."""
        if role in self.given:
            return next((column for column in self.columns if column.name == self.given[role]), None)
        able = [c for c in self.free(taken) if spec.kind in c.kinds and not c.is_media]
        for exactness in (2, 1):
            for name in spec.names:
                for column in able:
                    sound = exactness == 2 or (not column.is_numbering and suits(column, spec))
                    if sound and column.called([name]) == exactness:
                        return column
        return None

    def free(self, taken: Iterable[Column]) -> list[Column]:
        """The columns that have no role yet, neither found nor given."""
        used = {id(column) for column in taken}
        return [c for c in self.columns if id(c) not in used and c.name not in self.given.values()]

    def texts(self, taken: Iterable[Column] = ()) -> list[Column]:
        """The columns of texts that have no role yet, the longest texts first."""
        found = [column for column in self.free(taken) if column.is_texts]
        return sorted(found, key=lambda column: -column.usual_words)

    def knows(self, roles: Iterable[str]) -> bool:
        """Whether all roles that the user gives are among some."""
        return set(self.given) <= {*roles, "id"}


def suits(column: Column, spec: Role) -> bool:
    """Whether a column's values are what a role usually holds, and not only of its kind."""
    if spec.kind not in column.kinds or column.is_media or column.is_numbering:
        return False
    if spec.kind == "label":
        return column.repeats
    return column.is_texts if spec.kind == "text" else True


@dataclass(frozen=True)
class Guess:
    """How likely data are meant for a task, with what its recipe would say."""

    likelihood: float  # 0 to 1
    columns: Mapping[str, str]  # role -> column
    why: str  # what speaks for the task, as a clause
    options: Mapping[str, Any] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)  # options in tokens; a model may read less
    notes: Mapping[str, str] = field(default_factory=dict)  # what is to be said of a role or an option
    obstacle: str | None = None  # what keeps such data from being used as they are, and what to do


def by_roles(roles: Mapping[str, Role], seen: Seen) -> Guess | None:
    """The columns that are called as roles are, or are the only ones of their kind."""
    if not seen.knows(roles):
        return None
    found: dict[str, Column] = {}
    for role, spec in roles.items():
        column = seen.find(role, spec, found.values())
        if column is not None:
            found[role] = column
    for role, spec in roles.items():
        stood_for = any(other in found and roles[other].instead_of == role for other in roles)
        if role in found or not spec.needed or spec.instead_of or stood_for:
            continue
        left = [column for column in seen.free(found.values()) if suits(column, spec)]
        if len(left) != 1:
            return None
        found[role] = left[0]
    strength = min(found[role].called(roles[role].names) for role in found if roles[role].needed)
    structured = 0.1 if any(roles[role].kind not in PLAIN for role in found) else 0.0
    columns = {role: column.name for role, column in found.items()}
    why = ", ".join(f"{column.name!r} holds {column.describe()}" for column in found.values())
    return Guess(BY_NAME[strength] + structured, columns, why)


def limit_of(
    columns: Iterable[Column], most: int, least: int = 128, beyond: str = "longer ones are cut"
) -> tuple[int, str]:
    """Tokens in which most rows' texts fit together, from `least` to `most`, and what to say of it.

    `beyond` says what becomes of what does not fit. Nothing is known of the tokenizer: a word or mark is
    taken for 1.5 tokens, and a few more are between texts and around them. Room that is not used costs
    nothing where texts are read, and later texts may be longer.
    """
    lengths = [column.lengths or [0] for column in columns]
    longest = sum(each[int(USUAL * (len(each) - 1))] for each in lengths)
    tokens = round(longest * TOKENS) + AROUND
    limit = next((size for size in SIZES if size >= tokens), SIZES[-1])
    said = f"99 of 100 rows have at most {longest:,} words and marks, {tokens:,} tokens or fewer"
    return max(least, min(limit, most)), f"{said}; {beyond}" if tokens > most else said
