"""``python -m bench [NAME…] [--all] [--quick]``: measure, print, keep, and write the scoreboard.

Without names everything is measured (at most 30 minutes; with --quick 5).
"""

from __future__ import annotations

import argparse
import dataclasses
import time
import traceback
from collections.abc import Callable

from bench import (
    barge_in,
    capacity,
    codecs,
    duck,
    engines,
    first_byte,
    machine,
    memory,
    overhead,
    page,
    peers,
    profile,
    scoreboard,
    speech_api,
    split_turns,
    start,
    voice_to_voice,
    webrtc,
)
from bench.result import OUT, Options, Result, save

BENCHES: dict[str, Callable[[Options], Result]] = {
    "voice_to_voice": voice_to_voice.run,
    "overhead": overhead.run,
    "peers": peers.run,
    "duck": duck.run,
    "barge_in": barge_in.run,
    "split_turns": split_turns.run,
    "capacity": capacity.run,
    "memory": memory.run,
    "start": start.run,
    "first_byte": first_byte.run,
    "speech_api": speech_api.run,
    "engines": engines.run,
    "codecs": codecs.run,
    "webrtc": webrtc.run,
    "page": page.run,
    "profile": profile.run,
}


def main() -> int:
    """Run what was asked for. One that breaks is told and does not keep the others from running."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--all", action="store_true", help="all of them (also without names)")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs: to steer by, not to publish")
    parser.add_argument("--no-scoreboard", action="store_true", help="leave docs/scoreboard.md as it is")
    asked = parser.parse_args()
    names = list(BENCHES) if asked.all or not asked.names else list(dict.fromkeys(asked.names))
    broken = []
    (OUT / "server.log").unlink(missing_ok=True)
    for name in names:
        try:
            result = measured(name, asked.quick)
        except Exception:  # noqa: BLE001 - the others still run; the exit code tells
            traceback.print_exc()
            broken.append(name)
            continue
        show(result)
        save(result)
    if not asked.no_scoreboard:
        scoreboard.write()
        print(f"wrote {scoreboard.PAGE}")
    if broken:
        print(f"broke: {', '.join(broken)}")
    return 1 if broken else 0


def measured(name: str, quick: bool) -> Result:
    """Run one, and say where and when."""
    about = machine.describe()
    print(f"== {name}: load {about['load before']}", flush=True)
    began = time.monotonic()
    result = BENCHES[name](Options(quick=quick))
    about["load after"] = machine.load()
    return dataclasses.replace(result, machine=about, quick=quick, seconds=time.monotonic() - began)


def show(result: Result) -> None:
    """For the person who waits."""
    if result.skipped:
        print(f"   not measured: {result.skipped}")
    for item in result.figures:
        numbers = (
            scoreboard.number(item.value)
            if item.summary is None
            else f"p50 {scoreboard.number(item.summary.p50)}  p95 {scoreboard.number(item.summary.p95)}  "
            f"p99 {scoreboard.number(item.summary.p99)}  max {scoreboard.number(item.summary.max)}  (n {item.summary.count})"
        )
        verdict = {None: "", True: "  met", False: "  NOT MET"}[item.met]
        print(f"   {item.name}: {numbers} {item.unit}{verdict}")
    for table in result.tables:
        print(f"   {table.title}")
        for row in (table.header, *table.rows):
            print("     " + " | ".join(row))
    for note in result.notes:
        print(f"   - {note}")
    print(f"   took {result.seconds:.0f} s", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
