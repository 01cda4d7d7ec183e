"""Fuzz one target, as a process: python -m tests.fuzz.one MODULE TARGET CORPUS [options of libFuzzer]."""

import sys
from importlib import import_module
from pathlib import Path

import atheris


def main() -> None:
    module, name, corpus, *options = sys.argv[1:]
    # What is to be seen through has to be imported while the fuzzer looks.
    seen_through = import_module("tests.fuzz.seen_through").SEEN_THROUGH[name]
    with atheris.instrument_imports(include=[module, *seen_through]):
        targets = import_module(module)
    for number, seed in enumerate(targets.SEEDS[name]):
        (Path(corpus) / f"seed-{number}").write_bytes(seed)
    words = Path(corpus).parent / "words"
    words.write_text("".join(f'"{word}"\n' for word in targets.WORDS), encoding="ascii")
    atheris.Setup([sys.argv[0], *options, f"-dict={words}", corpus], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
