"""Job kind `dissection`: which concept does each unit detect (Bau et al., PNAS 2020)?

One forward pass over the images serves every figure. A pilot of a few of the images (stage `prepare`) finds a level
that each unit's threshold is almost surely not below; the pass over the others (`collect`) keeps every sample above
it; `measure` computes the exact thresholds from those samples, and from them all the rest. Where a level proved too
high, the unit's samples are collected again without one (`recollect`), so that chance costs time and never a figure.
"""
