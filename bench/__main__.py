"""`python -m bench [NAME ...]`: run the named benchmarks, or all of them."""

import sys

from bench import collecting, decoding, freshness, identity, loading, questions

BENCHMARKS = {
    "decoding": decoding.run,
    "collecting": collecting.run,
    "loading": loading.run,
    "freshness": freshness.run,
    "identity": identity.run,
    "questions": questions.run,
}


def main(names: list[str]) -> None:
    """Run each named benchmark; raises `SystemExit` on a name that there is not."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise SystemExit(f"no benchmark is called {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    for name in names or BENCHMARKS:
        BENCHMARKS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
