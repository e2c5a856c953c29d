"""How alike the two sides of the pairs of ds000117 are: MEG and fMRI of six people, by condition.

Run: ``python tests/benchmarks/real_matching.py [--data FOLDER] [--covariates NAME …]``

The study is the shipped ``faces``; `--covariates` names others in place of its own. Nothing here
was chosen on these tables: the caliper and the bounds are science.md's (sections 1 and 8).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from neuropair.flows.loading import load_study
from neuropair.flows.prepare import events_frame, recordings_frame
from neuropair.pipeline.align import AlignResult, align_study
from neuropair.pipeline.bids import index_dataset
from neuropair.pipeline.events import person_id, read_dataset_events
from neuropair.pipeline.types import Dataset
from neuropair.schemas.study import Study

HERE = Path(__file__).resolve().parents[2]
DATASET, RULE = "ds000117", "same-condition"


def paired(data: Path, covariates: list[str] | None = None) -> AlignResult:
    """Pair the tables of ds000117 by the study ``faces``; no signal is read.

    Parameters
    ----------
    data : Path
        Folder of the shared test data.
    covariates : list of str or None
        In place of those of the study's pairing by condition.
    """
    loaded = load_study("faces")
    recipe = loaded.recipes[DATASET]
    index = index_dataset(
        Dataset(DATASET, data / "events" / DATASET, "tables", {}), signals_needed=False
    )
    events = events_frame(read_dataset_events(index, recipe))
    people = [(one, person_id(recipe, DATASET, one.subject)) for one in index.recordings]
    given = loaded.study.model_dump(mode="json")
    for pairing in given["pairings"]:
        if pairing["name"] == RULE and covariates is not None:
            pairing["covariates"] = covariates
    study = Study.model_validate(given)
    return align_study(study, recordings_frame(people).assign(split="train"), events)


def table(balance: pd.DataFrame) -> str:
    """One line a person: pairs, share dropped, and SMD before and after of every covariate."""
    lines = []
    for pool, rows in balance[balance["rule"] == RULE].groupby("pool", sort=True):
        covariates = "  ".join(
            f"{row.covariate} {row.smd_before:.3f} -> {row.smd_after:.3f} "
            f"(variance {row.variance_ratio_after:.2f}, KS {row.ks_after:.3f})"
            for row in rows.itertuples()
        )
        first = rows.iloc[0]
        lines.append(f"{pool:26} {first.n_pairs:5d} {first.dropped_fraction:8.3f}  {covariates}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent / "shared" / "data")
    parser.add_argument("--covariates", nargs="+")
    args = parser.parse_args()
    found = paired(args.data, args.covariates)
    print(f"{'person':26} {'pairs':>5} {'dropped':>8}  |SMD| before -> after")
    print(table(found.balance))
    rows = found.balance[found.balance["rule"] == RULE]
    print(
        f"largest |SMD| {rows['smd_after'].max():.3f} (bound 0.1), largest share dropped "
        f"{rows['dropped_fraction'].max():.3f} (bound 0.2)"
    )
    stimulus = found.pairs[found.pairs["tier"] == "T2"]
    refused = found.abstentions[found.abstentions["tier"] == "T2"]
    print(f"T2: {len(stimulus)} pairs, {len(refused)} abstentions, such as")
    print(f"  {refused['reason'].iloc[0]}")
    flagged = found.losses[found.losses["action"] == "flagged"]
    print(*flagged["reason"], sep="\n")


if __name__ == "__main__":
    main()
