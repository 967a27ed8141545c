/** Running numbers of this page's session. */

import type { State } from "../state";
import { h, setText, View } from "./dom";

const EVERY = 500;

export class Numbers extends View {
  private readonly values = {
    roundTrip: h("dd"),
    sent: h("dd"),
    lost: h("dd"),
    underruns: h("dd"),
    stale: h("dd"),
  };

  protected build(): void {
    const rows: [string, HTMLElement][] = [
      ["Round trip", this.values.roundTrip],
      ["Microphone sent", this.values.sent],
      ["Microphone lost", this.values.lost],
      ["Gaps in replies", this.values.underruns],
      ["Stale frames dropped", this.values.stale],
    ];
    this.append(h("dl", {}, ...rows.map(([label, value]) => h("div", {}, h("dt", { textContent: label }), value))));
    setInterval(() => this.refresh(), EVERY);
  }

  protected render(_state: State): void {
    this.refresh();
  }

  private refresh(): void {
    const { sent, lost, underruns, stale, roundTrip } = this.app.counts;
    setText(this.values.roundTrip, roundTrip === null ? "–" : `${roundTrip.toFixed(1)} ms`);
    setText(this.values.sent, `${sent.toFixed(1)} s`);
    setText(this.values.lost, `${lost.toFixed(1)} s`);
    setText(this.values.underruns, String(underruns));
    setText(this.values.stale, String(stale));
  }
}
