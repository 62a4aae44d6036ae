"""`make bench`: the tables of docs/benchmarks.md, as markdown."""

import os

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"  # must stand before numpy and torch are imported

from tests.benchmarks import ablation, attacks, dissection, generators, interventions, jobs, pages, painting, queries  # noqa: E402

if __name__ == "__main__":
    dissection.main()
    print()
    ablation.main()
    print()
    attacks.main()
    print()
    generators.main()
    print()
    interventions.main()
    print()
    painting.main()
    print()
    jobs.main()
    print()
    queries.main()
    print()
    pages.main()
