"""What a visitor downloads, and how long it takes until they can talk."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import vivavoce
from bench.in_page import browser

BUILT = Path(vivavoce.__file__).parent / "web"
CLIENT = Path(__file__).parent.parent / "clients" / "js"

WATCH = """
new MutationObserver((_, observer) => {
  if (!document.querySelector(".talk:enabled")) return;
  observer.disconnect();
  window.ready = performance.now();
}).observe(document, { subtree: true, childList: true, attributes: true });
"""

TIMES = """
() => {
  const [navigation] = performance.getEntriesByType("navigation");
  const files = performance.getEntriesByType("resource");
  const painted = performance.getEntriesByName("first-contentful-paint")[0];
  if (!painted || !window.ready || !navigation.domContentLoadedEventEnd) return null;
  return {
    loaded: navigation.domContentLoadedEventEnd,
    painted: painted.startTime,
    ready: window.ready,
    requests: 1 + files.length,
    bytes: [navigation, ...files].reduce((sum, one) => sum + one.transferSize, 0),
  };
}
"""


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes of a file as it is, and by gzip at its best."""

    name: str
    raw: int
    zipped: int


def weigh(name: str, content: bytes) -> Weight:
    """One file."""
    return Weight(name, len(content), len(gzip.compress(content, 9)))


def total(name: str, weights: Iterable[Weight]) -> Weight:
    """Each compressed alone, as a server sends them."""
    weights = list(weights)
    return Weight(name, sum(one.raw for one in weights), sum(one.zipped for one in weights))


def page_files() -> list[Weight]:
    """All that the wheel serves."""
    files = sorted(path for path in BUILT.rglob("*") if path.is_file())
    return [weigh(str(path.relative_to(BUILT)), path.read_bytes()) for path in files]


def client_files() -> list[Weight]:
    """The client library as an application gets it; empty where its tools are not installed (`npm ci` in clients/js)."""
    if not shutil.which("node") or not (CLIENT / "node_modules" / "esbuild").is_dir():
        return []
    with TemporaryDirectory() as folder:
        built = subprocess.run(["node", "build.mjs", folder], cwd=CLIENT, capture_output=True, text=True, check=True)
        alone: dict[str, int] = json.loads(built.stdout.splitlines()[-1])
        modules = [path for path in Path(folder).glob("*.js") if path.name != "react.js"]
        whole = total("@vivavoce/client, ESM as published", (weigh(path.name, path.read_bytes()) for path in modules))
        names = {"client": "only RealtimeVoiceClient, tree-shaken and minified", "everything": "everything, minified"}
        return [whole, *(Weight(f"@vivavoce/client, {text}", 0, alone[name]) for name, text in names.items())]


async def loads(url: str, count: int) -> list[dict[str, Any]]:
    """Times of so many visits, in milliseconds from the start of the navigation. Each has an empty cache of its own."""
    found = []
    async with browser() as one:
        for _ in range(count):
            context = await one.new_context()
            page = await context.new_page()
            await page.add_init_script(WATCH)
            await page.goto(url)
            await page.wait_for_selector(".talk:enabled")
            times = None
            while times is None:
                times = await page.evaluate(TIMES)
            found.append(times)
            await context.close()
    return found
