"""A name is no identity: what is evidence that two stimuli are one, and what is not."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from neuropair.pipeline.events.identity import ContentKeys, annex_key
from neuropair.pipeline.types import Events, Loss
from neuropair.schemas.errors import AssertionFailedError, DatasetError, RecipeError

ONE = "MD5E-s5--5d41402abc4b2a76b9719d911017c592.png"
KEY = "MD5:5d41402abc4b2a76b9719d911017c592:5"
SHA = "SHA256E-s5--" + "0" * 64 + ".png"


@pytest.fixture
def stimuli(tmp_path: Path) -> Path:
    folder = tmp_path / "ds" / "stimuli"
    folder.mkdir(parents=True)
    return folder


def _annexed(stimuli: Path, name: str, key: str) -> None:
    (stimuli / name).symlink_to(f"../.git/annex/objects/a/b/{key}/{key}")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (ONE, KEY),
        (ONE.replace("MD5E", "MD5").removesuffix(".png"), KEY),
        (SHA, f"SHA256:{'0' * 64}:5"),
        ("MD5E-s5-S3-C1--5d41402abc4b2a76b9719d911017c592.tar.gz", KEY),
        ("MD5E-s5--5d41402abc4b2a76b9719d91101.png", None),
        ("URL--http&c%%example.org%a.png", None),
        ("WORM-s5-m1--a.png", None),
        ("a.png", None),
    ],
)
def test_key_of_a_git_annex_name(name: str, key: str | None) -> None:
    assert annex_key(name) == key


def test_link_whose_content_is_absent(stimuli: Path) -> None:
    _annexed(stimuli, "a.png", ONE)
    assert ContentKeys(stimuli.parent).key("stimuli/a.png") == KEY


def test_pointer_file(stimuli: Path) -> None:
    (stimuli / "a.png").write_text(f"/annex/objects/{ONE}\n", encoding="utf-8")
    assert ContentKeys(stimuli.parent).key("stimuli/a.png") == KEY


def test_pointer_file_without_a_digest(stimuli: Path) -> None:
    (stimuli / "a.png").write_text("/annex/objects/WORM-s5-m1--a.png\n", encoding="utf-8")
    keys = ContentKeys(stimuli.parent)
    assert keys.key("stimuli/a.png") is None
    assert keys.note("stimuli/a.png") == "unknown identity: the git-annex pointer carries no digest"


def test_listing_beside_the_dataset(stimuli: Path) -> None:
    listing = stimuli.parent.parent / "ds_annexed.tsv"
    listing.write_text(
        "path\tsize_bytes\tchecksum_type\tchecksum\n"
        "stimuli/a.png\t5\tMD5E\t5d41402abc4b2a76b9719d911017c592\n",
        encoding="utf-8",
    )
    assert ContentKeys(stimuli.parent).key("stimuli/a.png") == KEY


def test_listing_with_other_columns(stimuli: Path) -> None:
    (stimuli.parent.parent / "ds_annexed.tsv").write_text("path\tsha\n", encoding="utf-8")
    with pytest.raises(DatasetError) as error:
        ContentKeys(stimuli.parent).key("stimuli/a.png")
    assert error.value.problem == "has no column checksum, checksum_type, size_bytes."


def test_present_file_gets_the_kind_that_the_others_have(stimuli: Path) -> None:
    (stimuli / "a.png").write_bytes(b"hello")
    assert ContentKeys(stimuli.parent).key("stimuli/a.png") == (
        f"SHA256:{hashlib.sha256(b'hello').hexdigest()}:5"
    )
    _annexed(stimuli, "b.png", ONE.replace("5d4", "6d4"))
    assert ContentKeys(stimuli.parent).key("stimuli/a.png") == KEY


def test_present_file_equals_its_annexed_twin(stimuli: Path) -> None:
    (stimuli / "a.png").write_bytes(b"hello")
    _annexed(stimuli, "b.png", ONE)
    keys = ContentKeys(stimuli.parent)
    assert keys.key("stimuli/a.png") == keys.key("stimuli/b.png") == KEY


def test_missing_file_is_unknown(stimuli: Path) -> None:
    keys = ContentKeys(stimuli.parent)
    assert keys.key("stimuli/a.png") is None
    assert keys.note("stimuli/a.png") == "unknown identity: the stimulus file is not there"


@pytest.mark.parametrize("path", ["../secret", "stimuli/../../secret", "/etc/passwd"])
def test_path_out_of_the_dataset_is_not_read(stimuli: Path, path: str) -> None:
    (stimuli.parent.parent / "secret").write_text("s", encoding="utf-8")
    keys = ContentKeys(stimuli.parent)
    assert keys.key(path) is None
    assert keys.note(path) == "unknown identity: the path leaves the dataset's folder"


def test_link_out_of_the_dataset_is_not_read(stimuli: Path) -> None:
    (stimuli.parent.parent / "secret").write_text("s", encoding="utf-8")
    (stimuli / "a.png").symlink_to("../../secret")
    keys = ContentKeys(stimuli.parent)
    assert keys.key("stimuli/a.png") is None
    assert keys.note("stimuli/a.png") == (
        "unknown identity: the link leads out of the dataset's folder"
    )


def test_path_in_other_case_is_found_and_noted(stimuli: Path) -> None:
    _annexed(stimuli, "Circle.png", ONE)
    keys = ContentKeys(stimuli.parent)
    assert keys.key("stimuli/circle.png") == KEY
    assert keys.note("stimuli/circle.png") == (
        "stimulus path differs from the file's in case, the file is stimuli/Circle.png"
    )


def test_path_in_other_case_that_is_ambiguous(stimuli: Path) -> None:
    _annexed(stimuli, "A.png", ONE)
    _annexed(stimuli, "a.PNG", ONE)
    assert ContentKeys(stimuli.parent).key("stimuli/a.png") is None


def test_broken_link_that_is_no_annex_link(stimuli: Path) -> None:
    (stimuli / "a.png").symlink_to("nowhere")
    assert ContentKeys(stimuli.parent).key("stimuli/a.png") is None


def _rule(**stimulus: Any) -> dict[str, Any]:
    return {"concept": "perception/visual", "stimulus": {"column": "stim", **stimulus}}


def _shown(*names: str) -> str:
    rows = (f"{at}\t0\t{name}\n" for at, name in enumerate(names, start=1))
    return "onset\tduration\tstim\n" + "".join(rows)


def test_events_get_content_keys(small: Any, stimuli: Path) -> None:
    _annexed(stimuli, "a.png", ONE)
    small.run(_shown("a.png", "b.png", "n/a"))
    events = small.read(rules=[_rule(identity="content")])
    assert events.table["stimulus"].tolist() == [KEY, None, None]
    assert events.table["stimulus_name"].tolist() == ["a.png", "b.png", None]
    assert events.table["identity"].tolist() == ["content", "none", "none"]
    assert events.losses == (
        Loss(
            "events",
            "event",
            "flagged",
            1,
            "unknown identity: the stimulus file is not there",
            "b.png",
        ),
        Loss(
            "events",
            "event",
            "flagged",
            1,
            "unknown identity: the table names no stimulus",
            None,
        ),
    )


def test_equal_names_of_different_content_are_different(small: Any, stimuli: Path) -> None:
    for folder, key in (("meg", ONE), ("func", ONE.replace("5d4", "6d4"))):
        (stimuli / folder).mkdir()
        (stimuli / folder / "f013.bmp").symlink_to(f"../../.git/annex/objects/a/b/{key}/{key}")
    small.run(_shown("meg/f013.bmp", "func/f013.bmp"))
    stimulus = small.read(rules=[_rule(identity="content")]).table["stimulus"]
    assert stimulus.nunique() == 2


def test_names_as_identity(small: Any) -> None:
    small.run(_shown(r"imagenet\N01\A_1.JPEG", "other/a_1.jpeg", "b_2"))
    rule = _rule(
        identity="name",
        because="a test",
        namespace="in",
        basename=True,
        lower=True,
        strip_extension=True,
    )
    events = small.read(rules=[rule])
    assert events.table["stimulus"].tolist() == ["name:in/a_1", "name:in/a_1", "name:in/b_2"]
    assert events.table["stimulus_name"].iloc[0] == r"imagenet\N01\A_1.JPEG"
    assert events.table["identity"].unique().tolist() == ["name"]


def test_names_that_are_no_identity(small: Any) -> None:
    small.run(_shown("a.png"))
    row = small.read(rules=[_rule(identity="none")]).table.iloc[0]
    assert (row["stimulus"], row["stimulus_name"], row["identity"]) == (None, "a.png", "none")


def test_names_that_are_merged_against_their_contents(small: Any, stimuli: Path) -> None:
    for folder, key in (("meg", ONE), ("func", ONE.replace("5d4", "6d4"))):
        (stimuli / folder).mkdir()
        (stimuli / folder / "f013.bmp").symlink_to(f"../../.git/annex/objects/a/b/{key}/{key}")
    small.run(_shown("meg/f013.bmp"), run="1")
    small.run(_shown("func/f013.bmp"), run="2")
    small.run(_shown("func/f014.bmp"), run="3")
    rule = _rule(identity="name", because="the same pictures, surely", basename=True)
    one, two, three = small.read_all({"rules": [rule]}).values()
    assert isinstance(one, AssertionFailedError)
    assert isinstance(two, AssertionFailedError)
    assert isinstance(three, Events)
    assert str(one) == (
        "recipe r, key stimulus.identity: stimuli/func/f013.bmp and stimuli/meg/f013.bmp are taken "
        "for one stimulus (name:r/f013.bmp), and their contents differ; so do those of 0 further "
        "name(s) (ds/sub-01/task-t_run-1_eeg). Remedy: use 'identity: content', or rules of "
        "spelling that keep the names apart"
    )


def test_names_of_unknown_or_equal_content_may_be_merged(small: Any, stimuli: Path) -> None:
    for folder, key in (("a", ONE), ("b", ONE), ("c", SHA)):
        (stimuli / folder).mkdir()
        (stimuli / folder / "x.png").symlink_to(f"../../.git/annex/objects/a/b/{key}/{key}")
    small.run(_shown("a/x.png", "b/x.png", "c/x.png", "d/x.png"))
    rule = _rule(identity="name", because="a test", basename=True)
    assert small.read(rules=[rule]).table["stimulus"].nunique() == 1


def test_stimulus_from_the_run_s_entities(small: Any) -> None:
    small.run(_shown("x"), run="7")
    stimulus = {"template": "story_{run}", "identity": "name", "because": "the run is the story"}
    row = small.read(rules=[{"concept": "rest", "stimulus": stimulus}]).table.iloc[0]
    assert (row["stimulus"], row["stimulus_name"]) == ("name:r/story_7", "story_7")


def test_template_of_an_entity_that_is_not_there(small: Any) -> None:
    small.run(_shown("x"))
    stimulus = {"template": "{session}", "identity": "none", "because": "a test"}
    with pytest.raises(RecipeError) as error:
        small.read(rules=[{"concept": "rest", "stimulus": stimulus}])
    assert error.value.problem == (
        "the template '{session}' needs 'session', which the recording has not."
    )
