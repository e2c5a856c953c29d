"""Write the JSON Schemas that let editors complete recipes and studies.

Run it after a change of the models: ``python -m neuropair.schemas.library``.
"""

from __future__ import annotations

from neuropair.schemas.library.export import write_schemas

if __name__ == "__main__":
    write_schemas()
