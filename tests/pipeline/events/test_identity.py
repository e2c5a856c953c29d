"""A name is no identity: what is evidence that two stimuli are one, and what is not."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from small_dataset import Small

from neuropair.pipeline.events.identity import ContentKeys, annex_key
from neuropair.pipeline.types import Events, Loss
from neuropair.schemas.errors import (
    AssertionFailedError,
    DatasetError,
    IdentityError,
    RecipeError,
)

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
    assert isinstance(one, IdentityError)
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


def _listing(stimuli: Path, *lines: str) -> None:
    header = "path\tsize_bytes\tchecksum_type\tchecksum\n"
    text = header + "".join(f"stimuli/{line}\n" for line in lines)
    (stimuli.parent.parent / "ds_annexed.tsv").write_text(text, encoding="utf-8")


HELLO = "5\tMD5\t5d41402abc4b2a76b9719d911017c592"


def test_file_that_is_what_the_listing_publishes(stimuli: Path) -> None:
    _listing(stimuli, f"a.png\t{HELLO}")
    (stimuli / "a.png").write_bytes(b"hello")
    assert ContentKeys(stimuli.parent).key("stimuli/a.png") == KEY


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello!", "it is 6 bytes and published is 5 bytes"),
        (b"HELLO", "it is MD5:eb61eead90e3b899c6bcbe27ac581660:5 and published is " + KEY),
    ],
)
def test_file_that_changed_since_it_was_published(
    small: Any, stimuli: Path, content: bytes, said: str
) -> None:
    _listing(stimuli, f"a.png\t{HELLO}")
    (stimuli / "a.png").write_bytes(content)
    small.run(_shown("a.png"))
    events = small.read(rules=[_rule(identity="content")])
    assert events.table["stimulus"].tolist() == [None]
    (loss,) = events.losses
    assert (loss.action, loss.reason) == (
        "flagged",
        f"unknown identity: the file changed, {said}",
    )


def test_link_and_listing_that_contradict_each_other(stimuli: Path) -> None:
    _listing(stimuli, f"a.png\t{HELLO}", f"b.png\t{HELLO}")
    _annexed(stimuli, "a.png", ONE.replace("5d4", "6d4"))
    (stimuli / "b.png").write_text(f"/annex/objects/{ONE.replace('5d4', '6d4')}\n", "utf-8")
    _annexed(stimuli, "c.png", ONE)
    keys = ContentKeys(stimuli.parent)
    for path in ("stimuli/a.png", "stimuli/b.png"):
        assert keys.key(path) is None
        assert "the file changed" in str(keys.note(path))
    assert keys.key("stimuli/c.png") == KEY


def test_link_and_listing_of_other_kinds_do_not_contradict(stimuli: Path) -> None:
    _listing(stimuli, f"a.png\t{HELLO}")
    _annexed(stimuli, "a.png", SHA)
    assert ContentKeys(stimuli.parent).key("stimuli/a.png") == f"SHA256:{'0' * 64}:5"


def test_annexed_content_of_another_size(stimuli: Path) -> None:
    _annexed(stimuli, "a.png", ONE)
    content = (stimuli / "a.png").readlink()
    (stimuli / content).parent.mkdir(parents=True)
    (stimuli / content).write_bytes(b"hello, again")
    keys = ContentKeys(stimuli.parent)
    assert keys.key("stimuli/a.png") is None
    assert keys.note("stimuli/a.png") == (
        "unknown identity: the file changed, it is 12 bytes and published is 5 bytes"
    )


def test_listing_that_names_a_file_twice(stimuli: Path) -> None:
    _listing(stimuli, f"a.png\t{HELLO}", f"a.png\t{HELLO}", f"a.png\t{HELLO.replace('5d', '6d')}")
    with pytest.raises(DatasetError) as error:
        ContentKeys(stimuli.parent).key("stimuli/a.png")
    assert error.value.problem == "lists stimuli/a.png twice, with different contents."
    assert error.value.where == "ds_annexed.tsv:4"


def _of_sessions(stimuli: Path, *keys: str) -> None:
    for session, key in enumerate(keys, start=1):
        folder = stimuli / f"ses-{session}"
        folder.mkdir()
        (folder / "a.png").symlink_to(f"../../.git/annex/objects/a/b/{key}/{key}")


def test_name_whose_content_changed_between_sessions(small: Any, stimuli: Path) -> None:
    _of_sessions(stimuli, ONE, ONE.replace("5d4", "6d4"))
    for session in ("1", "2"):
        small.run(_shown("a.png"), run=session, session=session)
    by_name = _rule(identity="name", because="the same name", folder="stimuli/ses-{session}")
    for error in small.read_all({"rules": [by_name]}).values():
        assert isinstance(error, IdentityError)
        assert error.problem.startswith(
            "stimuli/ses-1/a.png and stimuli/ses-2/a.png are taken for one stimulus (name:r/a.png)"
        )
    by_content = _rule(identity="content", folder="stimuli/ses-{session}")
    tables = [events.table for events in small.read_all({"rules": [by_content]}).values()]
    assert tables[0]["stimulus"].item() != tables[1]["stimulus"].item()


def test_name_whose_content_is_the_same_in_two_sessions(small: Any, stimuli: Path) -> None:
    _of_sessions(stimuli, ONE, ONE)
    for session in ("1", "2"):
        small.run(_shown("a.png"), run=session, session=session)
    rule = _rule(identity="name", because="the same name", folder="stimuli/ses-{session}")
    tables = [events.table for events in small.read_all({"rules": [rule]}).values()]
    assert tables[0]["stimulus"].item() == tables[1]["stimulus"].item() == "name:r/a.png"


def test_folder_of_an_entity_that_is_not_there(small: Any, stimuli: Path) -> None:
    small.run(_shown("a.png"))
    with pytest.raises(RecipeError, match="needs 'session'"):
        small.read(rules=[_rule(identity="content", folder="stimuli/ses-{session}")])


@pytest.mark.parametrize(
    ("rules", "files", "shown"),
    [
        ({"basename": True}, ("x/a.png", "y/a.png", "a.png"), (r"x\a.png", r"y\a.png")),
        ({"strip_prefix": ["x/", "y/"]}, ("x/a.png", "y/a.png", "a.png"), ("x/a.png", "y/a.png")),
        ({"strip_prefix": ["x/"]}, ("x/a.png", "a.png"), ("x/a.png",)),
        ({"lower": True}, ("A.png", "a.png"), ("A.png", "a.png")),
        ({"strip_extension": True}, ("a.png", "a.bmp", "a"), ("a.png", "a.bmp")),
    ],
)
@pytest.mark.parametrize("identity", ["content", "decoded", "name"])
def test_rules_of_spelling_that_merge_two_contents(
    small: Any,
    stimuli: Path,
    identity: str,
    rules: dict[str, Any],
    files: tuple[str, ...],
    shown: tuple[str, ...],
) -> None:
    for number, name in enumerate(files):
        path = stimuli / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (2, 2), (number, 0, 0)).save(path, "PNG")
    small.run(_shown(*shown))
    small.run(_shown("other.png"), run="2")
    rule = _rule(identity=identity, because="a test", **rules)
    first, second = small.read_all({"rules": [rule]}).values()
    if identity == "name" and len(shown) == 1:
        assert isinstance(first, Events)  # a name by itself merges nothing
    else:
        assert isinstance(first, IdentityError), first
        assert "are taken for one stimulus" in first.problem
    assert isinstance(second, Events)


def test_one_picture_in_two_formats_may_be_merged_by_name(small: Any, stimuli: Path) -> None:
    for name in ("a.png", "a.bmp"):
        Image.new("RGB", (2, 2), (1, 0, 0)).save(stimuli / name)
    small.run(_shown("a.png", "a.bmp"))
    rule = _rule(identity="name", because="a test", strip_extension=True)
    assert small.read(rules=[rule]).table["stimulus"].nunique() == 1


spelled = st.sampled_from(["a.png", "A.PNG", "x/a.png", "x/A.bmp", "y/a.png", "a.bmp", "b.png"])
spellings = st.fixed_dictionaries(
    {
        "strip_prefix": st.lists(st.sampled_from(["x/", "y/", "x"]), max_size=2),
        "basename": st.booleans(),
        "lower": st.booleans(),
        "strip_extension": st.booleans(),
    }
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(spelled, st.integers(0, 2), min_size=1),
    spellings,
    st.sampled_from(["content", "name", "decoded"]),
)
def test_no_rules_ever_merge_two_contents_in_silence(
    tmp_path_factory: Any, files: dict[str, int], how: dict[str, Any], identity: str
) -> None:
    """Events of one key have one content, or the run is refused."""
    small = Small(tmp_path_factory.mktemp("ds"))
    for name, content in files.items():
        path = small.root / "stimuli" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (1, 1), (content, 0, 0)).save(path)
    small.run(_shown(*files))
    rule = _rule(identity=identity, because="a test", **how)
    (events,) = small.read_all({"rules": [rule]}).values()
    if isinstance(events, IdentityError):
        assert len(set(files.values())) > 1
        return
    assert isinstance(events, Events)
    shown: dict[str, set[int]] = {}
    for key, name in zip(events.table["stimulus"], events.table["stimulus_name"], strict=True):
        if key is not None:
            shown.setdefault(key, set()).add(files[name])
    assert all(len(contents) == 1 for contents in shown.values())
