/** The server and its machine: now, and over the last hour; and its models. */

import { get } from "../api";
import { LineChart } from "../charts/line";
import { h } from "../components/dom";
import { card, chip, Tile, type Tone } from "../components/widgets";
import { duration, megabytes, milliseconds, tick } from "../format";
import type { SystemReport, WorkerStatus } from "../shapes";
import { Models } from "./models";
import { Panel } from "./panel";

const EVERY = 5_000;
/** A loop this late makes speech late, too. */
const LATE = 0.03;

export class System extends Panel {
  protected readonly heading = "System";
  private readonly state = new Tile("Server");
  private readonly memory = new Tile("Server memory");
  private readonly lag = new Tile("Event-loop lag, p99");
  private readonly sessions = new Tile("Sessions now");
  private readonly machine = new Tile("Machine");
  private readonly workers = h("tbody");
  private readonly queues = h("dl", { className: "pairs" });
  private readonly lagChart = new LineChart();
  private readonly memoryChart = new LineChart();
  private readonly workChart = new LineChart();
  private readonly models = new Models((work) => this.attempt(work), () => this.signal);

  protected build(): void {
    const nothing = "The first numbers come in a few seconds.";
    this.lagChart.describe("Event-loop lag", nothing, milliseconds, tick);
    this.memoryChart.describe("Memory of the server", nothing, megabytes);
    this.workChart.describe("Sessions and work", nothing, (value) => String(Number(value.toFixed(1))));
    const tiles = [this.state, this.sessions, this.lag, this.memory, this.machine].map((tile) => tile.element);
    this.append(
      h("div", { className: "tiles" }, ...tiles),
      card("The last hour", h("div", { className: "charts" }, this.lagChart, this.workChart, this.memoryChart)),
      card("Workers", this.table()),
      this.models.element,
      card("Queues and counts", this.queues),
    );
  }

  protected shown(): void {
    this.keep(async () => this.refresh(await get<SystemReport>("api/system", this.signal)), EVERY);
    this.models.start();
  }

  protected override left(): void {
    this.models.stop();
  }

  private table(): HTMLElement {
    const names = ["Group", "Engines", "State", "Jobs", "Waiting", "Restarts", "Memory"];
    const heads = names.map((name, index) => h("th", { scope: "col", className: index > 2 ? "number" : "", textContent: name }));
    const table = h("table", {}, h("thead", {}, h("tr", {}, ...heads)), this.workers);
    return h("div", { className: "scroll", tabIndex: 0, attributes: { role: "region", "aria-label": "Workers" } }, table);
  }

  private refresh(report: SystemReport): void {
    const good = report.status === "ok";
    this.state.show(good ? "Ready" : report.status, `version ${report.version}, up ${duration(report.uptime)}`, good ? "good" : "busy");
    this.memory.show(megabytes(report.memory_mb), `${report.threads} threads`);
    const late = (report.loop_lag.p99 ?? 0) > LATE;
    this.lag.show(milliseconds(report.loop_lag.p99), `median ${milliseconds(report.loop_lag.p50)}`, late ? "bad" : "good");
    this.sessions.show(String(report.queues["sessions"] ?? 0), counted(report.queues["connections"] ?? 0, "connection"));
    this.machine.show(counted(report.cores, "core"), `${megabytes(report.machine_memory_mb)}, Python ${report.python}`);
    this.workers.replaceChildren(...report.workers.map(row));
    this.queues.replaceChildren(...Object.entries(report.queues).map(([name, value]) => pair(name, value)));
    this.charts(report);
  }

  private charts(report: SystemReport): void {
    const { samples } = report;
    const times = samples.map((sample) => sample.at);
    const to = times.at(-1) ?? Date.now() / 1000;
    const from = Math.min(times[0] ?? to - 60, to - 60);
    const of = (pick: (sample: SystemReport["samples"][number]) => number): number[] => samples.map(pick);
    this.lagChart.show({ times, from, to, lines: [{ label: "worst", colour: "token", values: of((s) => s.lag), area: true }] });
    const memory = { label: "resident", colour: "you", values: of((s) => s.memory_mb), area: true };
    this.memoryChart.show({ times, from, to, lines: [memory] });
    this.workChart.show({
      times,
      from,
      to,
      lines: [
        { label: "sessions", colour: "you", values: of((s) => s.sessions) },
        { label: "jobs", colour: "it", values: of((s) => s.jobs) },
        { label: "waiting", colour: "warn", values: of((s) => s.waiting), dashed: true },
      ],
    });
  }
}

const TONES: Record<string, Tone> = { ready: "good", starting: "busy", loading: "busy", failed: "bad", stopped: "plain" };

function row(worker: WorkerStatus): HTMLElement {
  const number = (text: string): HTMLElement => h("td", { className: "number", textContent: text });
  return h(
    "tr",
    {},
    h("th", { scope: "row", textContent: worker.group }),
    h("td", { textContent: worker.engines.join(", ") }),
    h("td", {}, chip(worker.state, TONES[worker.state] ?? "plain")),
    number(String(worker.jobs)),
    number(String(worker.waiting)),
    number(String(worker.restarts)),
    number(megabytes(worker.memory_mb)),
  );
}

function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

function pair(name: string, value: number): HTMLElement {
  const shown = Number.isInteger(value) ? String(value) : value.toFixed(3);
  return h("div", {}, h("dt", { textContent: name.replaceAll("_", " ").replaceAll(".", " · ") }), h("dd", { textContent: shown }));
}
