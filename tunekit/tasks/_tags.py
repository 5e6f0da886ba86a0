"""Tags of words: the schemes in which they mark entities, and columns that hold them."""

from collections.abc import Iterator, Mapping, Sequence

from tunekit.tasks._guess import NAMED, Column, Guess, Seen
from tunekit.tasks._roles import Role
from tunekit.tasks._words import OUTSIDE

PREFIXES = {  # what an entity's tags may begin with, by scheme
    "bio": "BI",
    "iob1": "BI",
    "bioes": "BIES",
    "bilou": "BILU",
}
BIOES = {"L": "E", "U": "S"}  # of BILOU's letters
SCHEMES = {
    "bio": "B-TYPE begins one, I-TYPE goes on",
    "iob1": "I-TYPE, and B-TYPE only between two of a type",
    "bioes": "B-, I- and E-TYPE, and S-TYPE for one word",
    "bilou": "B-, I- and L-TYPE, and U-TYPE for one word",
    "plain": "not at all, each word has a label",
}

Tagged = tuple[tuple[str, Column], Column]  # the role of the target with its column, and that of the words


def as_bioes(tag: str) -> str:
    """A BILOU tag by its BIOES name."""
    return BIOES.get(tag[0], tag[0]) + tag[1:]


def invalid_tags(tags: Sequence[str], scheme: str) -> Iterator[str]:
    """Say which tag of a sentence breaks the scheme, at most one."""
    prefixes = PREFIXES[scheme]
    before = OUTSIDE
    for word, tag in enumerate(tags):
        if tag != OUTSIDE and not (len(tag) > 2 and tag[0] in prefixes and tag[1] == "-"):
            forms = " or ".join(f"{prefix}-TYPE" for prefix in prefixes)
            yield (
                f"tag {tag!r} of word {word} is neither O nor {forms}; "
                "set task.scheme (bio, iob1, bioes, bilou, or plain for labels that are no entities)"
            )
            return
        if scheme != "iob1" and tag[0] in "IEL" and (before[0] not in "BI" or before[2:] != tag[2:]):
            yield (
                f"tag {tag!r} of word {word} follows {before!r}, which begins no {tag[2:]}; "
                "set task.scheme=iob1 to allow it"
            )
            return
        before = tag


def tagged_words(seen: Seen, roles: Mapping[str, Role]) -> Tagged | None:
    """Two columns of lists of one length in every row, of which the second holds labels."""
    lists = [c for c in seen.columns if "labels" in c.kinds and c.items is not None]
    tags = seen.find("tags", roles["tags"])
    able = [tags] if tags in lists else sorted(lists, key=lambda c: len({str(i) for i in c.items or ()}))
    words = seen.find("words", roles["words"])
    wordy = [words] if words in lists else [c for c in lists if "words" in c.kinds]
    for target in able:
        for column in wordy:
            if column is not target and sizes(column) == sizes(target):
                return ("tags", target), column
    return None


def sizes(column: Column) -> list[int]:
    """How many items each list has."""
    return [len(value) for value in column.values]


def text_and_spans(seen: Seen, roles: Mapping[str, Role]) -> Tagged | None:
    """A column of texts and one of spans."""
    able = [c for c in seen.columns if "spans" in c.kinds and any(c.items or ())]
    spans = seen.find("spans", roles["spans"])
    spans = spans if spans in able else next(iter(able), None)
    words = seen.find("words", roles["words"]) or next(iter(seen.texts()), None)
    return None if spans is None or words is None else (("spans", spans), words)


def one_word_a_row(seen: Seen) -> Guess | None:
    """Tags of single words, which are no rows of their own."""
    for column in seen.columns:
        tags = [value for value in column.values if isinstance(value, str)]
        marked = sum(tag != OUTSIDE for tag in tags)
        if marked and len(tags) == len(column.values) and not any(invalid_tags(tags, "iob1")):
            advice = "write them as a .conll file, with blank lines between sentences"
            return Guess(
                NAMED,
                {},
                f"{column.name!r} has tags of words ({column.describe()})",
                obstacle=f"column {column.name!r} has one word a row, and a row must be a sentence; {advice}",
            )
    return None


def scheme_of(tags: Column) -> str:
    """The first scheme that all tags keep to."""
    rows = [[str(tag) for tag in value] for value in tags.values]
    schemes = (name for name in PREFIXES if not any(any(invalid_tags(row, name)) for row in rows))
    return next(schemes, "plain")
