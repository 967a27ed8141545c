/** Past turns: how long they took over time, each one's waterfall, and its replay step by step. */

import { ask, get } from "../api";
import { LineChart } from "../charts/line";
import { stripesOf } from "../charts/waterfall-plan";
import { h, setText } from "../components/dom";
import { button, card, confirmed, Segments, Tile } from "../components/widgets";
import { clock, milliseconds, tick } from "../format";
import { routeTo } from "../router";
import type { LatencyReport, TurnDetail, TurnList, TurnSummary } from "../shapes";
import { Panel } from "./panel";
import { TurnView } from "./turn";

const EVERY = 3_000;
const LIMIT = 100;
type Window = "900" | "3600" | "21600" | "86400" | "604800";
const WINDOWS: readonly (readonly [Window, string])[] = [
  ["900", "15 min"],
  ["3600", "1 h"],
  ["21600", "6 h"],
  ["86400", "24 h"],
  ["604800", "7 d"],
];

export class Turns extends Panel {
  protected readonly heading = "Turns";
  private readonly chart = new LineChart();
  private readonly tiles = { p50: new Tile("Median wait"), p95: new Tile("95 of 100 within"), count: new Tile("Turns") };
  private readonly list = h("ol", { className: "turn-list", attributes: { "aria-label": "Turns, newest first" } });
  private readonly note = h("p", { className: "note" });
  private readonly detail = new TurnView();
  private readonly split = h("div", { className: "split" });
  private window: Window = "3600";
  private chosen = "";
  private shownTurns = "";

  protected override tools(): Node[] {
    return [button("Forget all", () => void this.forget())];
  }

  protected build(): void {
    const nothing = "No turn ended within this time. Talk, then look again.";
    this.chart.describe("From your last word to the first of the reply", nothing, milliseconds, tick);
    const windows = new Segments<Window>("Time", WINDOWS, this.window, (value) => {
      this.window = value;
      void this.attempt(() => this.latency());
    });
    const tiles = h("div", { className: "tiles small" }, ...Object.values(this.tiles).map((tile) => tile.element));
    this.split.append(h("div", { className: "list-side" }, this.list, this.note), this.detail);
    this.append(card("How long people wait", h("div", { className: "row between" }, tiles, windows.element), this.chart), this.split);
  }

  protected shown(argument: string): void {
    this.chosen = argument;
    this.keep(async () => {
      const listed = await get<TurnList>(`api/turns?limit=${LIMIT}`, this.signal);
      this.draw(listed);
      await this.latency();
    }, EVERY);
    void this.attempt(() => this.open());
  }

  protected override left(): void {
    this.detail.stop();
  }

  private draw(listed: TurnList): void {
    const key = JSON.stringify([listed.turns.map((turn) => turn.id), this.chosen]);
    const kept = listed.turns.length === 0 ? "Nothing yet: talk or type to it, and each turn appears here. " : "";
    const sound = listed.recording ? "Both voices are recorded in memory." : "Voices are not recorded; “turns.audio: true” in the configuration changes that.";
    setText(this.note, `${kept}The last ${listed.keep} turns are kept in memory. ${sound}`);
    if (!this.chosen && listed.turns[0] && !matchMedia("(max-width: 60rem)").matches) {
      this.chosen = listed.turns[0].id;
      void this.attempt(() => this.open());
    }
    if (key === this.shownTurns) return;
    this.shownTurns = key;
    const slowest = Math.max(0.25, ...listed.turns.map((turn) => turn.waterfall.total ?? 0));
    const focused = this.list.contains(document.activeElement) ? document.activeElement?.getAttribute("href") : null;
    this.list.replaceChildren(...listed.turns.map((turn) => row(turn, slowest, turn.id === this.chosen)));
    if (focused) [...this.list.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
  }

  private async open(): Promise<void> {
    this.split.toggleAttribute("data-chosen", this.chosen !== "");
    for (const link of this.list.querySelectorAll("a")) {
      if (link.getAttribute("href") === routeTo("turns", this.chosen)) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    if (!this.chosen) {
      this.detail.clear();
      return;
    }
    const path = `api/turns/${encodeURIComponent(this.chosen)}`;
    const turn = await get<TurnDetail>(path, this.signal);
    this.detail.show(turn, async (voice) => (await ask(`${path}/audio?voice=${voice}`)).arrayBuffer());
  }

  private async latency(): Promise<void> {
    const report = await get<LatencyReport>(`api/latency?window=${this.window}`, this.signal);
    const total = report.overall["total"];
    this.tiles.p50.show(milliseconds(total?.p50));
    this.tiles.p95.show(milliseconds(total?.p95));
    this.tiles.count.show(String(report.count));
    const times = report.buckets.map((bucket) => bucket.start + report.width / 2);
    const of = (part: "p50" | "p95"): (number | null)[] => report.buckets.map((bucket) => bucket.stages["total"]?.[part] ?? null);
    const to = (report.buckets.at(-1)?.start ?? 0) + report.width;
    this.chart.show({
      times,
      from: to - report.window,
      to,
      lines: [
        { label: "95 of 100", colour: "it", values: of("p95"), dashed: true },
        { label: "median", colour: "you", values: of("p50"), area: true },
      ],
    });
  }

  private async forget(): Promise<void> {
    if (!(await confirmed("Forget all turns, their texts and their recordings?", "Forget them"))) return;
    await this.attempt(async () => {
      await ask("api/turns", { method: "DELETE" });
      this.chosen = "";
      this.shownTurns = "";
      this.draw(await get<TurnList>(`api/turns?limit=${LIMIT}`, this.signal));
      this.detail.clear();
      this.split.removeAttribute("data-chosen");
    });
  }
}

function row(turn: TurnSummary, slowest: number, current: boolean): HTMLElement {
  const { total } = turn.waterfall;
  const bar = h("span", { className: "mini", attributes: { "aria-hidden": "true" } });
  for (const { stage, from, to } of stripesOf(turn.waterfall)) {
    const piece = h("i");
    piece.dataset["stage"] = stage;
    piece.style.width = `${((to - from) / slowest) * 100}%`;
    bar.append(piece);
  }
  const cut = turn.interrupted ? " · interrupted" : "";
  const link = h(
    "a",
    { href: routeTo("turns", turn.id) },
    h("span", { className: "what", textContent: turn.said || (turn.reply ? "(the server began)" : "(texts are not kept)") }),
    h("span", { className: "took", textContent: milliseconds(total) }),
    bar,
    h("span", { className: "note", textContent: `${clock(turn.ended)} · ${turn.transport}${cut}` }),
  );
  if (current) link.setAttribute("aria-current", "true");
  return h("li", {}, link);
}
