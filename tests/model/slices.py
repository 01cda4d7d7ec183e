"""The parts of the whole in which the protocol itself is explored, each to its end."""

import attrs

from tests.model.rules import Bounds

ANYTHING = Bounds(
    copies=1,
    stragglers=1,
    upsets=1,
    epochs=2,
    failovers=True,
    flushes=True,
    loses_watermark=True,
    bulk=True,
    purges=True,
    warms=True,
    splits_batches=True,
    inside=True,
)

SLICES = {
    "two commits and two readers that fill, nothing lost, hits late, G2 and G3 too": Bounds(
        commits=2, fills=2, stragglers=1, warms=True, splits_batches=True, inside=True, promises=True
    ),
    "two commits, any one upset": attrs.evolve(ANYTHING, commits=2, watches=False),
    "one commit, any two upsets": attrs.evolve(ANYTHING, upsets=2, epochs=4, watches=False),
    "one commit, any one upset, hits late, G2 and G3 too": attrs.evolve(ANYTHING, promises=True),
}

LARGE_SLICES = {
    "two readers that fill, any one upset, hits late": attrs.evolve(ANYTHING, fills=2),
    "other keys, any one upset, hits late": attrs.evolve(ANYTHING, others=True),
    "two commits, any one upset, hits late": attrs.evolve(ANYTHING, commits=2),
    "any two upsets, hits late": attrs.evolve(ANYTHING, upsets=2, epochs=4),
    "two scripts that come late, any two upsets": attrs.evolve(
        ANYTHING, upsets=2, epochs=4, stragglers=2, watches=False
    ),
    "two copies, two failovers": attrs.evolve(
        ANYTHING,
        copies=2,
        stragglers=0,
        upsets=2,
        flushes=False,
        loses_watermark=False,
        bulk=False,
        others=True,
        watches=False,
    ),
}
