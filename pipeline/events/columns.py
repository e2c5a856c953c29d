"""Which columns a recipe names, and whether a table has them."""

from __future__ import annotations

from collections.abc import Iterator

from neuropair.pipeline.events.lists import require_column
from neuropair.pipeline.events.tables import RawTable
from neuropair.schemas.recipe import Column, Drop, EventsRecipe, Measure, Rule


def require_columns(entry: EventsRecipe, drops: list[Drop], raw: RawTable, where: str) -> None:
    """Refuse a recipe that names a column which the table has not.

    Parameters
    ----------
    entry : EventsRecipe
    drops : list of Drop
        Those that hold for this recording.
    raw : RawTable
    where : str
        Names the recipe in the error.

    Raises
    ------
    RecipeError
        Naming recipe, key, column and table, and the columns that there are.
    """
    joined = set(entry.join.columns) if entry.join is not None else set()
    for key, column in _named(entry, drops):
        # drops, debouncing and onsets come before the join, and cannot see its columns
        after = key in ("value", "trial_type") or key.startswith("rules.")
        if not (after and column in joined):
            require_column(raw, column, f"{where}, key {key}")


def _named(entry: EventsRecipe, drops: list[Drop]) -> Iterator[tuple[str, str]]:
    yield "onset", entry.onset
    optional = {
        "duration": entry.duration,
        "value": entry.value,
        "trial_type": entry.trial_type,
    }
    yield from ((key, column) for key, column in optional.items() if column is not None)
    for drop in drops:
        yield from ((f"drop.{entry.drop.index(drop)}.where", column) for column in drop.where)
    for number, debounce in enumerate(entry.debounce):
        yield f"debounce.{number}.by", debounce.by
        yield from ((f"debounce.{number}.where", column) for column in debounce.where)
    for number, rule in enumerate(entry.rules):
        yield from ((f"rules.{number}.{key}", column) for key, column in _of_rule(rule))


def _of_rule(rule: Rule) -> Iterator[tuple[str, str]]:
    yield from (("where", column) for column in rule.where)
    yield from (("until", column) for column in rule.until or {})
    if rule.stimulus is not None and rule.stimulus.column is not None:
        yield "stimulus.column", rule.stimulus.column
    if rule.repetition_column is not None:
        yield "repetition_column.column", rule.repetition_column.column
    if rule.response_time is not None:
        yield "response_time", measure(rule.response_time).column
    for name, value in rule.attributes.items():
        if isinstance(value, Column):
            yield f"attributes.{name}.column", value.column


def measure(given: str | Measure) -> Measure:
    """Turn a bare column name into a `Measure` in seconds."""
    return Measure(column=given) if isinstance(given, str) else given
