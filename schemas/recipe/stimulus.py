"""Which stimulus a row shows."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from neuropair.schemas.base import Strict
from neuropair.schemas.recipe.cells import check_template


class Stimulus(Strict):
    """Which stimulus a row shows, and what the claim of its identity rests on."""

    column: str | None = None
    """Column that names it."""
    template: str | None = None
    """In place of a column: a name filled from the recording's entities, such as
    `story_{run}`, where the table does not name the stimulus. Needs `because`."""
    identity: Literal["content", "decoded", "name", "none"]
    """`content`: a digest of the file evidences it, published or computed; `decoded`: a digest of
    the picture's pixels or the sound's samples, so that one picture saved as BMP and as PNG is one
    stimulus (the files must be there); `name`: the name does, see `because`; `none`: the name is
    kept, and is no evidence. Keys of different kinds are unknown to be equal: they never match."""
    because: str | None = None
    """Why equal names are equal stimuli. Needed for `name`."""
    folder: str = "stimuli"
    """Folder of the dataset that the column's paths are relative to. It may name entities, such as
    `stimuli/ses-{session}`, where every session has a folder of its own."""
    namespace: str | None = None
    """For `name`: names are compared within a namespace; the recipe's id unless given."""
    strip_prefix: list[str] = []
    """Prefixes to remove from the name; the first that fits is removed."""
    basename: bool = False
    """Keep the part after the last slash only."""
    lower: bool = False
    strip_extension: bool = False

    @model_validator(mode="after")
    def _name_needs_a_reason(self) -> Stimulus:
        reason = self.because and self.because.strip()
        if self.identity == "name" and not reason:
            raise ValueError(
                "identity 'name' needs 'because': say why equal names are equal stimuli"
            )
        if (self.column is None) == (self.template is None):
            raise ValueError("give either 'column' or 'template'")
        if self.template is not None:
            if not reason:
                raise ValueError("'template' needs 'because': say why the entities name it")
            check_template(self.template, "template")
        check_template(self.folder, "folder")
        return self
