"""neuropair: paired windows of brain recordings, from BIDS to a stream.

The four rooms of the package are ``neuropair.schemas`` (the words),
``neuropair.pipeline`` (what happens to data), ``neuropair.catalog`` (what users
ask) and ``neuropair.flows`` (what orders the work).
"""

__version__ = "0.1.0"
