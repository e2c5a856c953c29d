"""What each command does. Every import of work stands in the function that needs it."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

from neuropair.flows import console
from neuropair.flows.upkeep import card, diff, export, forget, gc, tables  # noqa: F401  found by their names
from neuropair.schemas.errors import ExitCode, NeuropairError, RecipeError

if TYPE_CHECKING:
    from neuropair.flows.loading import LoadedStudy
    from neuropair.flows.summary import Summary


def plan(options: argparse.Namespace) -> ExitCode:
    """Say what an ingest would read or pull, and what is missing."""
    from neuropair.flows.loading import load_study
    from neuropair.pipeline.plan import plan_study

    loaded = load_study(options.study, _sources(options.source))
    planned = plan_study(loaded.study, loaded.sources, loaded.base)
    rehearsed = _rehearsed(loaded)
    if options.json:
        if isinstance(rehearsed, NeuropairError):
            told: dict[str, Any] = {"problem": str(rehearsed)}
        else:
            told = rehearsed.to_dict()
        console.show_json(planned.to_dict() | {"rehearsal": told})
    else:
        from neuropair.flows.render import plan_table, rehearsal_tables

        console.show(plan_table(planned))
        for table in rehearsal_tables(rehearsed):
            console.show(table)
    return ExitCode.OK


def _rehearsed(loaded: LoadedStudy) -> Summary | NeuropairError:
    """Count what would be paired; what keeps it from being known is told beside the plan."""
    from neuropair.flows.rehearse import rehearsed_in_memory

    try:
        return rehearsed_in_memory(loaded)
    except NeuropairError as error:
        return error


def rehearse(options: argparse.Namespace) -> ExitCode:
    """Pair a study from tables and sidecars alone."""
    from neuropair.flows.loading import load_study
    from neuropair.flows.prepare import cache_folder
    from neuropair.flows.rehearse import rehearse as run

    _quieten_mne()
    loaded = load_study(options.study, _sources(options.source))
    summary = run(loaded, options.out, cache_folder(options.cache), quiet=options.json)
    return _summed_up(summary, options)


def ingest(options: argparse.Namespace) -> ExitCode:
    """Take a study to a release."""
    if options.dry_run:
        return plan(options)
    summary = run_ingest(
        options.study,
        options.corpus,
        sources=_sources(options.source),
        workers=options.workers,
        cluster=options.cluster,
        cache=None if options.cache is None else str(options.cache),
        quiet=options.json,
    )
    return _summed_up(summary, options)


def _summed_up(summary: Summary, options: argparse.Namespace) -> ExitCode:
    from neuropair.flows.render import summary_tables

    console.answer(summary, as_json=options.json, shown=lambda: summary_tables(summary))
    return ExitCode.INCOMPLETE if summary.failures else ExitCode.OK


def run_ingest(
    study: str,
    corpus: str,
    *,
    sources: dict[str, str] | None = None,
    cluster: str | None = None,
    **parameters: Any,
) -> Any:
    """Run the ingest flow with Prefect's settings for a run that no server was set up for."""
    _quieten_mne()
    # 23 to 26 s were measured for the first start of the temporary server, 20 s are its limit
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    # progress and errors are shown by neuropair; Prefect's own log repeats both
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_LOGGING_LEVEL", "CRITICAL")
    # recordings are worked on side by side; BLAS threads of each would fight for the same cores
    # (tSSS of one recording took 120 s with two BLAS threads on two busy cores, 12 s with one)
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from neuropair.flows.cluster import require_scheduler
    from neuropair.flows.loading import load_study

    # the flow asks both again; here a wrong word is told before Prefect's server is started
    load_study(study, sources)
    if cluster is not None:
        require_scheduler(cluster)
    # else SIGTERM ends this process at once, and Prefect's temporary server stays behind for good
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    from neuropair.flows.ingest import ingest as flow

    return flow(study, corpus, sources=sources, cluster=cluster, **parameters)


def query(options: argparse.Namespace) -> ExitCode:
    """Print, or write, the rows of a SELECT."""
    from neuropair.catalog import Corpus
    from neuropair.flows.render import write_rows

    rows = Corpus.open(options.corpus, release=options.release).sql(options.select)
    write_rows(rows, options.style, options.output)
    return ExitCode.OK


def show(options: argparse.Namespace) -> ExitCode:
    """Show a corpus, or one pair."""
    from neuropair.catalog import Corpus
    from neuropair.catalog.show import describe, show_pair

    corpus = Corpus.open(options.corpus, release=options.release)
    if options.pair is not None:
        shown = show_pair(corpus, options.pair, options.output)
    else:
        shown = describe(corpus)
    console.answer(shown, as_json=options.json)
    return ExitCode.OK


def ledger(options: argparse.Namespace) -> ExitCode:
    """Measure what the pairs hold, and publish it."""
    from neuropair.flows.ledger import ledger_tables, run_ledger

    measured = run_ledger(
        options.corpus,
        release=options.release,
        permutations=options.permutations,
        seed=options.seed,
        quiet=options.json,
    )
    console.answer(measured, as_json=options.json, shown=lambda: ledger_tables(measured))
    return ExitCode.OK


def evidence(options: argparse.Namespace) -> ExitCode:
    """Print what the pairs of a release rest on."""
    from neuropair.catalog import Corpus
    from neuropair.catalog.evidence import evidence as gather

    shown = gather(Corpus.open(options.corpus, release=options.release))
    console.answer(shown, as_json=options.json)
    return ExitCode.OK


def report(options: argparse.Namespace) -> ExitCode:
    """Draw the evidence of a release."""
    from neuropair.catalog import Corpus
    from neuropair.catalog.report import write_report

    corpus = Corpus.open(options.corpus, release=options.release)
    size = write_report(corpus, options.output)
    console.say(f"wrote {options.output} ({size / 1e3:,.0f} kB), release {corpus.release.id}")
    return ExitCode.OK


def verify(options: argparse.Namespace) -> ExitCode:
    """Check every byte and every table."""
    from neuropair.catalog.verify import verify as check

    report = check(options.corpus)
    console.answer(report, as_json=options.json)
    return ExitCode.DAMAGED if report.damages else ExitCode.OK


def recipes(options: argparse.Namespace) -> ExitCode:
    """List what ships."""
    from neuropair.flows.render import shipped, shipped_table

    if options.json:
        console.show_json(shipped())
    else:
        console.show(shipped_table())
    return ExitCode.OK


def simulate(options: argparse.Namespace) -> ExitCode:
    """Write a simulated dataset."""
    from neuropair.pipeline.simulate import simulate as write

    write(options.folder, subjects=options.subjects, seconds=options.seconds, seed=options.seed)
    console.say(f"wrote {options.folder}, and the truth in {options.folder.parent / 'truth'}")
    return ExitCode.OK


def calibrate(options: argparse.Namespace) -> ExitCode:
    """Fit the confidence of pairs anew."""
    from neuropair.pipeline.align.confidence.fit import FAMILIES, RUNS, refit
    from neuropair.schemas.calibration import calibration_curve

    with console.progress("fitting", FAMILIES, quiet=options.json) as bar:
        fitted, path = refit(options.runs or RUNS, options.out, progress=bar.advance)
    if options.json:
        console.show_json(fitted.model_dump(mode="json"))
    else:
        from neuropair.flows.render import table_of
        from neuropair.flows.summary import records

        curve = calibration_curve(fitted)
        errors = curve["tier"].map(fitted.expected_calibration_error)
        rows = curve.assign(expected_calibration_error=errors).round(4)
        console.show(
            table_of("Confidence against truth, on corpora that the fit never saw", records(rows))
        )
        console.say(f"wrote {path}")
    return ExitCode.OK


def demo(options: argparse.Namespace) -> ExitCode:
    """Simulate, ingest, judge, stream."""
    _quieten_mne()
    from neuropair.flows.demo import run

    return run(options.folder, options.workers)


def _sources(pairs: list[str]) -> dict[str, str]:
    sources: dict[str, str] = {}
    for pair in pairs:
        dataset, sign, url = pair.partition("=")
        if not (dataset and sign and url):
            raise RecipeError(
                f"{pair!r} is not ID=URL.",
                where="--source",
                remedy="write --source DATASET=FOLDER_OR_URL",
            )
        sources[dataset] = url
    return sources


def _quieten_mne() -> None:
    """Keep MNE's log, which it writes to standard output, apart from tables and --json."""
    os.environ.setdefault("MNE_LOGGING_LEVEL", "WARNING")
