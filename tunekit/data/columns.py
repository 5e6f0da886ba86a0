"""Which column plays which role, and the rows in the form that tasks expect: names, never indices."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tunekit.data.files import RECIPE, Keys, Table
from tunekit.data.formats import SIGNS, USUAL
from tunekit.data.values import DESCRIPTIONS, is_kind, meant, parted
from tunekit.errors import InputError, cut, listing, nearest
from tunekit.tasks.base import Role, Task

ID_COLUMNS = ("id", "idx", "guid", "uid")
NUMBERINGS = (*ID_COLUMNS, "", "index", "unnamed: 0")  # never taken for anything else
TYPE_NAMES = {str: "text", bool: "true or false", int: "a number", float: "a number", dict: "an object"}
SAMPLE = 200  # rows that a column's kind is judged by

Columns = dict[str, str]  # role -> column


def roles_of(
    kind: type[Task], options: Any, *, targets: bool, given: Iterable[str] | None = None
) -> dict[str, Role]:
    """The roles of a task: what is given, and with `targets` what is asked.

    Of a trained model, `given` are the inputs that it learned from: all of them are needed but what is spare,
    and no others.
    """
    inputs = kind.inputs_for(options)
    if given is not None:
        given = set(given)
        inputs = {
            role: replace(spec, needed=not spec.spare)
            for role, spec in inputs.items()
            if role in given or spec.spare
        }
    return {**inputs, **(kind.targets_for(options) if targets else {})}


def resolve(
    table: Table, roles: Mapping[str, Role], given: Mapping[str, str] | None, keys: Keys = RECIPE
) -> Columns:
    """Find each role's column: as `given` says, else by name, else by type where only one fits.

    `keys` are for messages.

    Raises:
        InputError: a role or column does not exist, or a role has none; lists the columns and the nearest
            name.
    """
    given, key = given or {}, keys.column
    found, problems = dict[str, str](), list[str]()
    for role, column in given.items():
        if role not in roles and role != "id":
            problems.append(no_role(role, column, roles, table, key))
        elif role == "id" and column in table.columns and not holds_ids(table, column):
            problems.append(
                f"{key}id {column!r} does not tell every row of {table.source} from the others "
                "by a text or a whole number; name another column, or leave it out to number the rows"
            )
        elif column in table.columns:
            found[role] = column
        else:
            problems.append(
                no_column(f"{key}{role} {column!r} is no column of {table.source}", column, table, keys)
            )
    wanted = {role: spec for role, spec in roles.items() if role not in given}
    for role, spec in wanted.items():
        called = by_name(table, spec, found.values())
        if called is not None:
            found[role] = called
    for role, spec in wanted.items():
        if role in found or dispensable(spec, roles, found):
            continue
        chosen = by_kind(table, spec, found.values())
        if chosen is None or holds_another_kind(table, spec, found.values()):
            problems.append(nothing_for(role, roles, table, found.values(), keys))
            if separator_in(table):  # others lack a column for the same reason
                break
        else:
            found[role] = chosen
    for role in given.keys() & found.keys() & roles.keys():
        if not fits(table, found[role], roles[role], any):
            problems.append(wrong_kind(role, roles[role], table, found[role], key))
    if problems:
        raise InputError(problems)
    return found | id_column(table, found)


def remembered(
    table: Table, roles: Mapping[str, Role], origin: Mapping[str, Any], given: Mapping[str, str] | None
) -> Columns:
    """What is `given`, and for other roles the columns of a model's own data, where a table has them."""
    given = dict(given or {})
    known = {role: column for role, column in (origin.get("columns") or {}).items() if role in roles}
    return given | {
        role: column
        for role, column in known.items()
        if role not in given
        and column not in given.values()
        and column in table.columns
        and fits(table, column, roles[role], any)
    }


def mapping(found: Mapping[str, str]) -> str:
    """Which column plays which role, for people."""
    return ", ".join(f"{role} = {column}" for role, column in found.items())


def no_role(role: str, column: str, roles: Mapping[str, Role], table: Table, key: str) -> str:
    """Say that a column is given to what is no role."""
    names = [*roles, "id"]
    if column in names and role in table.columns:
        return f"{key}{role} is no role but a column; write {key}{column}={role}"
    return f"{key}{role} is no role here{nearest(role, names)}; choose from {listing(names)}"


def dispensable(spec: Role, roles: Mapping[str, Role], found: Columns) -> bool:
    """Whether a role may go without a column: nobody needs it, or one that stands for it has one."""
    return not spec.needed or spec.instead_of in roles or any(n in found for n in stand_ins(spec, roles))


def stand_ins(spec: Role, roles: Mapping[str, Role]) -> list[str]:
    """The roles that stand instead of one."""
    return [name for name, other in roles.items() if roles.get(other.instead_of or "") is spec]


def nothing_for(role: str, roles: Mapping[str, Role], table: Table, taken: Iterable[str], keys: Keys) -> str:
    """Say that no column is what a role needs; the one that is called so may hold something else."""
    spec, key = roles[role], keys.column
    column = next((c for c in named(table, spec) if c not in taken), None)
    if column is not None:
        return wrong_kind(role, spec, table, column, key)
    start = f"{table.source} has no column for {role}, which is {DESCRIPTIONS[spec.kind]}"
    start += "".join(f", nor for {n}, {DESCRIPTIONS[roles[n].kind]}" for n in stand_ins(spec, roles))
    return no_column(start, spec.column, table, keys, f"name it with {key}{role}=COLUMN")


def holds_another_kind(table: Table, spec: Role, taken: Iterable[str]) -> bool:
    """Whether a column with a usual name holds what the role would hold with other options."""
    free = (column for column in named(table, spec) if column not in taken)
    return any(meant(value, spec) for column in free for value in table.columns[column][:SAMPLE])


def wrong_kind(role: str, spec: Role, table: Table, column: str, key: str) -> str:
    """Say that a column does not hold what its role needs, with its first value."""
    values = enumerate(table.columns[column])
    row, value = next((row, value) for row, value in values if value is not None)
    return (
        f"column {column!r} holds {cut(repr(value))} ({table.place(row)}), not {DESCRIPTIONS[spec.kind]}"
        f"{meant(value, spec)}; name another with {key}{role}=COLUMN, or correct its values"
    )


def no_column(start: str, column: str, table: Table, keys: Keys, advice: str = "correct the name") -> str:
    """Finish a sentence about a missing column: what there is, what is near, and what to do."""
    separator = separator_in(table)
    if separator:
        only = next(iter(table.columns))
        return f"{start}; its only column is {only!r}: set {keys.separator}{separator!r}"
    return f"{start}{nearest(column, table.columns)}; its columns are {listing(table.columns)}; {advice}"


def separator_in(table: Table) -> str | None:
    """The sign that should have parted the only column of a table in a text file."""
    text = table.source.lower().endswith(tuple(USUAL))
    only = next(iter(table.columns)) if text and len(table.columns) == 1 else ""
    return next((sign for sign in SIGNS if sign in only), None)


def by_name(table: Table, spec: Role, taken: Iterable[str]) -> str | None:
    """The column with one of a role's usual names, if any of its values is of the right kind."""
    able = (column for column in named(table, spec) if column not in taken and fits(table, column, spec, any))
    return next(able, None)


def named(table: Table, spec: Role) -> list[str]:
    """The columns with one of a role's usual names, the most usual first."""
    spelled = {column.strip().lower(): column for column in reversed(table.columns)}
    return [spelled[name] for name in (spec.column, *spec.synonyms) if name in spelled]


def by_kind(table: Table, spec: Role, taken: Iterable[str]) -> str | None:
    """The only column left whose values are all of the right kind; labels must also repeat."""
    if separator_in(table):
        return None
    left = [c for c in table.columns if c not in taken and c.strip().lower() not in NUMBERINGS]
    fitting = [column for column in left if fits(table, column, spec, all)]
    if spec.kind == "label":
        fitting = [column for column in fitting if not unique(table.columns[column])]
    return fitting[0] if len(fitting) == 1 else None


def fits(table: Table, column: str, spec: Role, how_many: Callable[[Iterable[bool]], bool]) -> bool:
    """Whether `any` or `all` of a column's first values are of the role's kind; only nulls fit any kind."""
    values = [value for value in table.columns[column][:SAMPLE] if value is not None]
    return not values or how_many(is_kind(parted(value, spec), spec.kind) for value in values)


def id_column(table: Table, found: Columns) -> Columns:
    """The column of row ids, where one with a usual name holds a different value in every row."""
    if "id" in found:
        return {}
    spelled = {column.strip().lower(): column for column in table.columns}
    names = (spelled[name] for name in ID_COLUMNS if name in spelled)
    able = (column for column in names if column not in found.values() and holds_ids(table, column))
    column = next(able, None)
    return {} if column is None else {"id": column}


def holds_ids(table: Table, column: str) -> bool:
    """Whether a column tells every row from the others."""
    return column in table.columns and unique(table.columns[column])


def repeated_ids(tables: Mapping[str, Sequence[Table]], column: str) -> Iterator[str]:
    """Say in which splits a column that all tables should have does not tell every row from the others."""
    for split, group in tables.items():
        values = [value for table in group if column in table.columns for value in table.columns[column]]
        if len(values) < sum(map(len, group)) or not unique(values):
            yield (
                f"data.columns.id {column!r} does not tell every row of the {split} split "
                f"({len(group)} {'tables' if len(group) > 1 else 'table'}) from the others by a text or a "
                "whole number; name another column, or leave it out to number the rows"
            )


def unique(values: Sequence[Any]) -> bool:
    """Whether every value is there, plain, and different from the others."""
    return all(isinstance(v, str | int) and v != "" for v in values) and len(set(values)) == len(values)


def mixed_types(table: Table, column: str) -> Iterator[str]:
    """Say that a label column holds numbers beside words, or the like, with the first row of each."""
    first: dict[str, int] = {}
    for number, value in enumerate(table.columns[column]):
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                first.setdefault(TYPE_NAMES.get(type(item), "something else"), number)
    if len(first) > 1:
        places = " and ".join(f"{name} at {table.place(row)}" for name, row in first.items())
        yield f"column {column!r} mixes types: {places}; write all labels the same way"
