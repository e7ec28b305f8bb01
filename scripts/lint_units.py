"""Groups the sources of each build target into one unit for clang-tidy.

    scripts/lint_units.py BUILD_FOLDER OUT_FOLDER

Most of a check's time goes into the headers of libtorch, gRPC and FFmpeg; a
target whose files are read as one pays for them once. Writes one source per
target of the program's own folders, which includes the target's files, and a
compile database for them. g++ precompiles headers in a format that clang takes
for a broken one of its own, and has its own OpenMP, so the commands go without
either. Prints the units.
"""

import json
import pathlib
import re
import sys

FOLDERS = ("inference", "pipeline", "service", "cli")


def main() -> None:
    build, out = map(pathlib.Path, sys.argv[1:])
    root = pathlib.Path(__file__).resolve().parent.parent
    targets: dict[str, list[dict]] = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["file"])
        if not source.is_relative_to(root):
            continue
        source = source.relative_to(root)
        if source.parts[0] not in FOLDERS or source.suffix != ".cc":
            continue
        target = re.search(r" -o \S*CMakeFiles/([^/]+)\.dir/",
                           entry["command"])[1]
        targets.setdefault(target, []).append(entry)
    database = []
    for target, entries in sorted(targets.items()):
        unit = out / f"{target}.cc"
        unit.write_text("".join(f'#include "{entry["file"]}"  // NOLINT\n'
                                for entry in entries))
        command = re.sub(r" -Winvalid-pch| -include \S*cmake_pch\.hxx| -fopenmp", "",
                         entries[0]["command"])
        database.append({
            "directory": entries[0]["directory"],
            "command": command.replace(entries[0]["file"], str(unit)),
            "file": str(unit),
        })
        print(unit)
    (out / "compile_commands.json").write_text(json.dumps(database))


main()
