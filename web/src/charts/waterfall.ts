/** A turn's waterfall: what happened between the last word of the user and the first of the reply. */

import { svg } from "../components/svg";
import { milliseconds, tick } from "../format";
import type { TurnWaterfall } from "../shapes";
import { marks } from "./scale";
import { endOf, planOf } from "./waterfall-plan";

const ROW = 30;
const TOP = 22;
const NAMES = 128;
const NARROW = 460;

export class WaterfallChart extends HTMLElement {
  private readonly picture = svg("svg", { class: "waterfall", role: "img" });
  private readonly head = svg("line", { class: "playhead", y1: TOP - 4 });
  private waterfall: TurnWaterfall | null = null;
  private end = 1;
  private width = 640;
  private names = NAMES;

  connectedCallback(): void {
    if (this.picture.parentElement) return;
    this.append(this.picture);
    new ResizeObserver(() => this.draw()).observe(this);
  }

  show(waterfall: TurnWaterfall): void {
    this.waterfall = waterfall;
    this.draw();
    this.playhead(null);
  }

  /** Seconds after the end of speech at which the replay stands; null takes the mark away. */
  playhead(seconds: number | null): void {
    this.head.toggleAttribute("hidden", seconds === null || seconds < 0 || seconds > this.end);
    if (seconds === null) return;
    const x = this.x(Math.max(0, Math.min(seconds, this.end)));
    this.head.setAttribute("x1", String(x));
    this.head.setAttribute("x2", String(x));
  }

  private x(seconds: number): number {
    return this.names + (seconds / this.end) * (this.width - this.names - 64);
  }

  private draw(): void {
    if (!this.waterfall || this.clientWidth === 0) return;
    const bars = planOf(this.waterfall);
    this.width = this.clientWidth;
    this.names = this.width < NARROW ? 104 : NAMES;
    this.end = endOf(bars);
    const height = TOP + bars.length * ROW + 8;
    this.picture.setAttribute("viewBox", `0 0 ${this.width} ${height}`);
    this.picture.setAttribute("height", String(height));
    this.picture.setAttribute("width", String(this.width));
    const ticks = marks(this.end, this.width < NARROW ? 2 : 4).filter((tick) => tick <= this.end);
    this.picture.replaceChildren(
      ...ticks.map((tick) => this.tick(tick, height)),
      ...bars.map((bar, index) => {
        const y = TOP + index * ROW;
        const [from, to] = [this.x(bar.from), this.x(bar.to)];
        const row = svg("g", { class: "bar-row", "data-stage": bar.stage });
        row.append(
          svg("text", { class: "bar-name", x: 0, y: y + 19 }, bar.label),
          svg("rect", { x: from, y: y + 6, width: Math.max(3, to - from), height: ROW - 12, rx: 4 }),
          svg("text", { class: "bar-value", x: Math.max(from + 3, to) + 6, y: y + 19 }, milliseconds(bar.to)),
        );
        return row;
      }),
      this.head,
    );
    this.head.setAttribute("y2", String(height - 4));
    this.picture.setAttribute("aria-label", `Waterfall: ${bars.map((bar) => `${bar.label} ${milliseconds(bar.to)}`).join(", ")}`);
  }

  private tick(seconds: number, height: number): SVGElement {
    const x = this.x(seconds);
    return svg(
      "g",
      { class: "grid" },
      svg("line", { x1: x, x2: x, y1: TOP - 4, y2: height - 4 }),
      svg("text", { x, y: 12, "text-anchor": "middle" }, tick(seconds)),
    );
  }
}
