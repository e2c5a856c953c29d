"""Commands for the upkeep of a corpus: tables, diff, card, export, forget, gc."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from neuropair.flows import console
from neuropair.schemas.errors import ExitCode, StorageError

if TYPE_CHECKING:
    from neuropair.schemas.tables.documented import DocumentedTable


def tables(options: argparse.Namespace) -> ExitCode:
    """Say what the columns of the tables mean."""
    from neuropair.schemas.tables.documented import document_tables

    found = document_tables(options.table)
    if options.json:
        console.show_json([table.to_dict() for table in found])
    else:
        for table in found:
            console.show(_columns_of(table))
    return ExitCode.OK


def diff(options: argparse.Namespace) -> ExitCode:
    """Say what changed between two releases."""
    from neuropair.catalog import Corpus
    from neuropair.catalog.diff import diff as compare

    before, after = (Corpus.open(options.corpus, release=one) for one in (options.a, options.b))
    found = compare(before, after)
    console.answer(found, as_json=options.json)
    return ExitCode.OK


def card(options: argparse.Namespace) -> ExitCode:
    """Describe a release for whoever trains on it."""
    from neuropair.catalog import Corpus
    from neuropair.catalog.card import make_card

    made = make_card(Corpus.open(options.corpus, release=options.release))
    if options.bib is not None:
        _write(options.bib, made.bibtex)
    if options.output is not None:
        _write(options.output, made.text)
    elif options.bib is None:
        console.say(made.text.removesuffix("\n"))
    return ExitCode.OK


def export(options: argparse.Namespace) -> ExitCode:
    """Write a selection for other tools."""
    from neuropair.catalog import Corpus
    from neuropair.catalog.export import export as write

    corpus = Corpus.open(options.corpus, release=options.release)
    done = write(corpus, options.condition, options.output)
    if options.json:
        console.show_json(done.to_dict())
        return ExitCode.OK
    console.say(
        f"wrote {done.pairs:,} pairs of {done.recordings:,} recordings, release {done.release}, "
        f"to {done.folder}"
    )
    for name, shape in done.arrays.items():
        console.say(f"  {name}: signal {' x '.join(map(str, shape))} (pair, channel, sample)")
    return ExitCode.OK


def forget(options: argparse.Namespace) -> ExitCode:
    """Remove a person for good."""
    from neuropair.flows.prepare import cache_folder
    from neuropair.pipeline.corpus import CorpusStore
    from neuropair.pipeline.corpus import forget as remove
    from neuropair.pipeline.sources import remove_copies

    cache = cache_folder(options.cache)
    receipt = remove(
        CorpusStore(options.corpus),
        options.subject,
        lambda subjects: remove_copies(cache, subjects),
    )
    if options.json:
        console.show_json(receipt.to_dict())
        return ExitCode.OK
    content = receipt.content
    rows = ", ".join(f"{n:,} {table}" for table, n in content["rows"].items()) or "none"
    console.say(
        "was removed before; nothing was left"
        if receipt.again
        else f"removed {content['groups']} recordings' arrays ({content['bytes']:,} bytes)"
    )
    console.say(f"rows of the newest release: {rows}")
    console.say(f"releases withdrawn: {', '.join(content['withdrawn']) or 'none'}")
    console.say(f"release that follows: {content['release'] or 'none was needed'}")
    console.say(f"receipt: {content['receipt']}")
    return ExitCode.OK


def gc(options: argparse.Namespace) -> ExitCode:
    """Remove what no release needs."""
    from neuropair.pipeline.corpus import CorpusStore, collect_garbage

    freed = collect_garbage(CorpusStore(options.corpus), keep=options.keep, dry_run=options.dry_run)
    if options.json:
        console.show_json(freed.to_dict())
        return ExitCode.OK
    would = "would free" if freed.dry_run else "freed"
    console.say(f"{would} {freed.bytes:,} bytes:")
    console.say(f"  {freed.groups} groups that no release names, {freed.group_bytes:,} bytes")
    console.say(f"  {freed.table_files} files of tables, {freed.table_bytes:,} bytes")
    console.say(f"  {freed.staged_files} half-written files, {freed.staged_bytes:,} bytes")
    if freed.withdrawn:
        console.say(f"  releases withdrawn: {', '.join(freed.withdrawn)}")
    if freed.too_young:
        console.say(f"  left alone, an ingest may be at work on them: {freed.too_young} files")
    return ExitCode.OK


def _columns_of(table: DocumentedTable) -> object:
    from neuropair.flows.render import table_of

    title = f"\n{table.name}: {table.meaning}"
    if table.key:
        title += f"\nkey: {', '.join(table.key)}"
    rows = [
        {
            "column": column.name,
            "type": column.type + (" or null" if column.null else ""),
            "unit": column.unit,
            "meaning": column.meaning,
        }
        for column in table.columns
    ]
    return table_of(title, rows)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"cannot be written ({error.strerror}).", where=str(path), remedy="name another file"
        ) from error
