/** Lines over time, drawn as SVG, with the numbers of the moment under the pointer (or the arrow keys). */

import { h, setText } from "../components/dom";
import { svg } from "../components/svg";
import { marks, times } from "./scale";

export interface Line {
  label: string;
  /** Names a colour of the style sheet: `--line-NAME`. */
  colour: string;
  /** One for each time; null where there is nothing. */
  values: (number | null)[];
  /** Fill what lies under it. */
  area?: boolean;
  dashed?: boolean;
}

export interface Plot {
  times: number[];
  lines: Line[];
  from: number;
  to: number;
}

const WIDTH = 640;
const HEIGHT = 180;
const LEFT = 52;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 24;

export class LineChart extends HTMLElement {
  private readonly picture = svg("svg", { class: "plot", role: "img", preserveAspectRatio: "none" });
  private readonly readout = h("p", { className: "readout", attributes: { "aria-live": "polite" } });
  private readonly nothing = h("p", { className: "nothing" });
  private readonly key = h("ul", { className: "key" });
  private plot: Plot | null = null;
  private at: number | null = null;
  private width = WIDTH;
  private format: (value: number) => string = String;
  private axis: (value: number) => string = String;
  private caption = "";

  /** What it shows and how a value is written. Call once. */
  describe(title: string, nothing: string, format: (value: number) => string, axis = format): void {
    this.format = format;
    this.axis = axis;
    this.caption = title;
    this.picture.setAttribute("aria-label", title);
    this.nothing.textContent = nothing;
    const frame = h("div", { className: "frame", tabIndex: 0, attributes: { role: "group", "aria-label": title } });
    frame.append(this.picture, this.nothing);
    this.append(h("div", { className: "chart-head" }, h("h3", { textContent: title }), this.key), frame, this.readout);
    this.picture.addEventListener("pointermove", (event) => this.point(event));
    this.picture.addEventListener("pointerleave", () => this.look(null));
    frame.addEventListener("keydown", (event) => this.onKey(event));
    frame.addEventListener("blur", () => this.look(null));
    new ResizeObserver(() => this.draw()).observe(frame);
  }

  show(plot: Plot): void {
    this.plot = plot;
    if (this.at !== null && this.at >= plot.times.length) this.at = null;
    this.draw();
    this.tell();
  }

  private get empty(): boolean {
    return !this.plot || this.plot.lines.every((line) => line.values.every((value) => value === null));
  }

  private draw(): void {
    const plot = this.plot;
    this.nothing.hidden = !this.empty;
    this.picture.toggleAttribute("hidden", this.empty);
    if (!plot || this.empty) {
      this.key.replaceChildren();
      return;
    }
    this.width = Math.max(240, this.picture.parentElement?.clientWidth ?? WIDTH);
    this.picture.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    const most = Math.max(...plot.lines.flatMap((line) => line.values.map((value) => value ?? 0)));
    const ticks = marks(most);
    const y = (value: number): number => TOP + (1 - value / (ticks.at(-1) ?? 1)) * (HEIGHT - TOP - BOTTOM);
    const x = (time: number): number => this.x(time);
    this.picture.replaceChildren(
      ...ticks.map((value) => grid(this.width, y(value), this.axis(value))),
      ...times(plot.from, plot.to, this.width < 420 ? 2 : 4).map((time) => label(x(time), clock(time, plot.to - plot.from))),
      ...plot.lines.flatMap((line) => drawn(line, plot.times, x, y)),
      ...this.pointer(plot, y),
    );
    this.key.replaceChildren(...plot.lines.map((line) => keyOf(line)));
    this.picture.setAttribute("aria-label", this.summary(plot));
  }

  private x(time: number): number {
    const plot = this.plot;
    if (!plot) return 0;
    return LEFT + ((time - plot.from) / (plot.to - plot.from)) * (this.width - LEFT - RIGHT);
  }

  private pointer(plot: Plot, y: (value: number) => number): SVGElement[] {
    const time = this.at === null ? undefined : plot.times[this.at];
    if (time === undefined || this.at === null) return [];
    const x = this.x(time);
    const found: SVGElement[] = [svg("line", { class: "pointer", x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM })];
    for (const line of plot.lines) {
      const value = line.values[this.at];
      if (value !== null && value !== undefined) {
        found.push(svg("circle", { class: `dot ${line.colour}`, cx: x, cy: y(value), r: 3.5 }));
      }
    }
    return found;
  }

  private point(event: PointerEvent): void {
    const plot = this.plot;
    if (!plot || plot.times.length === 0) return;
    const box = this.picture.getBoundingClientRect();
    const inside = ((event.clientX - box.left) / box.width) * this.width;
    const time = plot.from + ((inside - LEFT) / (this.width - LEFT - RIGHT)) * (plot.to - plot.from);
    let nearest = 0;
    plot.times.forEach((candidate, index) => {
      if (Math.abs(candidate - time) < Math.abs((plot.times[nearest] ?? 0) - time)) nearest = index;
    });
    this.look(nearest);
  }

  private onKey(event: KeyboardEvent): void {
    const last = (this.plot?.times.length ?? 0) - 1;
    if (last < 0 || (event.key !== "ArrowLeft" && event.key !== "ArrowRight")) return;
    event.preventDefault();
    const from = this.at ?? (event.key === "ArrowLeft" ? last + 1 : -1);
    this.look(Math.max(0, Math.min(last, from + (event.key === "ArrowLeft" ? -1 : 1))));
  }

  private look(at: number | null): void {
    if (at === this.at) return;
    this.at = at;
    this.draw();
    this.tell();
  }

  private tell(): void {
    const plot = this.plot;
    const time = plot && this.at !== null ? plot.times[this.at] : undefined;
    if (!plot || time === undefined) {
      setText(this.readout, "");
      return;
    }
    setText(this.readout, `${clock(time, plot.to - plot.from)} · ${this.values(plot, this.at ?? 0)}`);
  }

  private values(plot: Plot, index: number): string {
    return plot.lines
      .map((line) => {
        const value = line.values[index];
        return `${line.label} ${value === null || value === undefined ? "–" : this.format(value)}`;
      })
      .join(" · ");
  }

  private summary(plot: Plot): string {
    const last = plot.times.findLastIndex((_, index) => plot.lines.some((line) => (line.values[index] ?? null) !== null));
    return last < 0 ? this.caption : `${this.caption}. Latest: ${this.values(plot, last)}`;
  }
}

function grid(width: number, y: number, text: string): SVGElement {
  return svg(
    "g",
    { class: "grid" },
    svg("line", { x1: LEFT, x2: width - RIGHT, y1: y, y2: y }),
    svg("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, text),
  );
}

function label(x: number, text: string): SVGElement {
  return svg("text", { class: "time", x, y: HEIGHT - 6, "text-anchor": "middle" }, text);
}

type Scale = (value: number) => number;

function drawn(line: Line, at: number[], x: Scale, y: Scale): SVGElement[] {
  const found: SVGElement[] = [];
  for (const run of runs(line.values)) {
    const points = run.map((index) => [x(at[index] ?? 0), y(line.values[index] ?? 0)] as const);
    const [first, last] = [points[0], points.at(-1)];
    if (!first || !last) continue;
    const path = points.map(([px, py], index) => `${index ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");
    if (line.area) {
      const floor = HEIGHT - BOTTOM;
      found.push(svg("path", { class: `area ${line.colour}`, d: `${path}L${last[0]} ${floor}L${first[0]} ${floor}Z` }));
    }
    if (points.length === 1) found.push(svg("circle", { class: `dot ${line.colour}`, cx: first[0], cy: first[1], r: 3.5 }));
    else found.push(svg("path", { class: `stroke ${line.colour}${line.dashed ? " dashed" : ""}`, d: path }));
  }
  return found;
}

/** Indices of neighbours that have a value: a line does not cross what nobody measured. */
function runs(values: (number | null)[]): number[][] {
  const found: number[][] = [];
  values.forEach((value, index) => {
    if (value === null) return;
    const open = found.at(-1);
    if (open && open.at(-1) === index - 1) open.push(index);
    else found.push([index]);
  });
  return found;
}

function keyOf(line: Line): HTMLElement {
  const element = h("li", { textContent: line.label });
  element.classList.add(line.colour);
  return element;
}

function clock(epoch: number, span: number): string {
  const time = new Date(epoch * 1000);
  if (span > 172_800) return time.toLocaleDateString([], { month: "short", day: "numeric" });
  const seconds: Intl.DateTimeFormatOptions = span < 300 ? { second: "2-digit" } : {};
  return time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", ...seconds });
}
