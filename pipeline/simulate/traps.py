"""What is wrong in the dataset on purpose, and where: `traps.json` of the truth."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from neuropair.pipeline.simulate.dataset_files import signal_name
from neuropair.pipeline.simulate.electric import bad_electrode
from neuropair.pipeline.simulate.events import SimulatedEvents
from neuropair.pipeline.simulate.heads import eeg_info
from neuropair.pipeline.simulate.optodes import loose_channel, probe
from neuropair.pipeline.simulate.plan import DUPLICATE_SUBJECT, Run
from neuropair.pipeline.simulate.settings import SimulationSettings

# magic number and version of an AppleDouble file
_APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        "

Trap = dict[str, str]


def plant(root: Path, happened: SimulatedEvents, settings: SimulationSettings) -> list[Trap]:
    """Plant the faults of files, and list every trap with what is expected of the pipeline."""
    by_recording = {run.recording: run for run in happened.runs}
    found = [_byte_order_mark(root, by_recording), _apple_double(root, by_recording)]
    found += _of_design(happened, settings)
    if settings.traps:
        found += [
            _milliseconds(root, by_recording),
            _ragged(root, by_recording),
            _truncated(root, by_recording),
            _channel_order(root, by_recording),
        ]
    return found


def _trap(kind: str, path: Path | str, expected: str) -> Trap:
    return {"trap": kind, "path": str(path), "expected": expected}


def _table(run: Run) -> Path:
    return Path(run.folder) / f"{run.stem}_events.tsv"


def _byte_order_mark(root: Path, runs: dict[str, Run]) -> Trap:
    table = _table(runs["sub-01/ses-meg/task-tapping_meg"])
    content = (root / table).read_text(encoding="utf-8")
    (root / table).write_text(content, encoding="utf-8-sig")
    return _trap("byte-order mark", table, "the mark is stripped, and the repair recorded")


def _apple_double(root: Path, runs: dict[str, Run]) -> Trap:
    table = _table(runs["sub-01/ses-fmri/task-faces_fmri"])
    double = table.with_name(f"._{table.name}")
    (root / double).write_bytes(_APPLE_DOUBLE)
    return _trap("AppleDouble file", double, "not read as a table; counted")


def _of_design(happened: SimulatedEvents, settings: SimulationSettings) -> list[Trap]:
    traps = []
    for run in happened.runs:
        if run.subject == DUPLICATE_SUBJECT:
            expected = f"is {run.sitting}_{run.modality} again; no person of its own"
            traps.append(_trap("duplicate under another subject", run.recording, expected))
        elif run.task == "fixed" and run.modality.value == "fnirs":
            expected = "T1 abstains: a fixed interval, one code"
            traps.append(_trap("fixed interval without codes", run.recording, expected))
        elif run.task == "collision" and run.modality.value == "fmri":
            expected = "no T2 or T4 pair with MEG: equal names, other pictures"
            traps.append(_trap("name collision", run.recording, expected))
        elif run.task == "faces" and run.modality.value == "eeg":
            expected = "responses closer than 50 ms are one"
            traps.append(_trap("bounced responses", _table(run), expected))
            name = eeg_info().ch_names[bad_electrode(settings.seed, run.person)]
            listed = "listed as bad" if int(run.person) % 2 else "not listed"
            expected = f"{name} is bad ({listed} in channels.tsv)"
            traps.append(_trap("loose electrode", run.recording, expected))
        elif run.task == "faces" and run.modality.value == "fnirs":
            if run.clock.pause:
                expected = f"two segments: nothing from {run.clock.stop:.3f} s of the sitting on "
                expected += f"for {run.clock.pause:.3f} s; never one clock across both"
                traps.append(_trap("restarted recorder", run.recording, expected))
            source, detector = probe().channels[loose_channel(settings.seed, run.person)]
            expected = f"S{source + 1}_D{detector + 1} has no scalp coupling"
            traps.append(_trap("loose optode", run.recording, expected))
    return traps


def _milliseconds(root: Path, runs: dict[str, Run]) -> Trap:
    table = _table(runs["sub-01/ses-fmri/task-tapping_fmri"])
    content = pd.read_csv(root / table, sep="\t")
    content[["onset", "duration"]] = (content[["onset", "duration"]] * 1000).round(0)
    content.to_csv(root / table, sep="\t", index=False, lineterminator="\n")
    return _trap("milliseconds", table, "the recipe says so, or an assertion on intervals fails")


def _ragged(root: Path, runs: dict[str, Run]) -> Trap:
    table = _table(runs["sub-01/ses-fmri/task-collision_fmri"])
    lines = (root / table).read_text(encoding="utf-8").splitlines()
    lines[2] = lines[2].replace("n/a", "N/A")
    lines.insert(3, "")
    lines[5] = lines[5].rsplit("\t", 2)[0]
    lines[6] = "2.9999.1\t" + lines[6].split("\t", 1)[1]
    (root / table).write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    return _trap("ragged table", table, "N/A, blank row and short row repaired; one row dropped")


def _truncated(root: Path, runs: dict[str, Run]) -> Trap:
    run = runs["sub-01/ses-eegnirs/task-fixed_eeg"]
    data = (Path(run.folder) / signal_name(run)).with_suffix(".eeg")
    content = (root / data).read_bytes()
    (root / data).write_bytes(content[: len(content) // 2 + 1])
    return _trap("truncated signal file", data, "the recording fails, with the reason")


def _channel_order(root: Path, runs: dict[str, Run]) -> Trap:
    run = runs["sub-01/ses-eegnirs/task-fixed_fnirs"]
    table = Path(run.folder) / f"{run.stem}_channels.tsv"
    header, *rows = (root / table).read_text(encoding="utf-8").splitlines()
    (root / table).write_text("\n".join([header, *rows[::-1]]) + "\n", encoding="utf-8")
    return _trap("channel order", table, "channels are matched by name, and the repair recorded")
