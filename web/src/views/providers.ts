/** Who serves each purpose, in which order, and how each fares. */

import { get } from "../api";
import { h } from "../components/dom";
import { card, chip, type Tone } from "../components/widgets";
import { duration, milliseconds } from "../format";
import type { ProviderRow } from "../shapes";
import { Panel } from "./panel";

const EVERY = 3_000;
const KINDS = [
  ["stt", "Speech to text"],
  ["llm", "Answers"],
  ["tts", "Text to speech"],
] as const;
const STATES: Record<ProviderRow["state"], readonly [word: string, tone: Tone]> = {
  closed: ["healthy", "good"],
  half_open: ["tried again", "busy"],
  open: ["left alone", "bad"],
};
const NOTE =
  "The first of a chain serves; where it fails, the next goes on, unheard. One that keeps failing is left alone for a while. " +
  "“vivavoce connect” adds a service; an engine comes with its model, under System.";

export class Providers extends Panel {
  protected readonly heading = "Providers";
  private readonly chains = h("div", { className: "chains" });
  private drawn = "";

  protected build(): void {
    this.append(h("p", { className: "note lead", textContent: NOTE }), this.chains);
  }

  protected shown(): void {
    this.keep(async () => this.draw((await get<{ providers: ProviderRow[] }>("api/providers", this.signal)).providers), EVERY);
  }

  private draw(found: ProviderRow[]): void {
    const key = JSON.stringify(found);
    if (key === this.drawn) return;
    this.drawn = key;
    this.chains.replaceChildren(...KINDS.map(([kind, title]) => chain(title, found.filter((row) => row.kind === kind))));
  }
}

function chain(title: string, rows: ProviderRow[]): HTMLElement {
  const inChain = rows.filter((row) => row.place !== null).sort((a, b) => (a.place ?? 0) - (b.place ?? 0));
  const others = rows.filter((row) => row.place === null);
  const nothing = h("p", { className: "nothing", textContent: "Nothing serves this." });
  const steps = h("ol", { className: "chain" }, ...inChain.map((row) => item(row)));
  const choice = h("h3", { textContent: "When chosen" });
  const more = others.length ? [choice, h("ul", { className: "chain" }, ...others.map((row) => item(row)))] : [];
  return card(title, ...(rows.length ? [steps, ...more] : [nothing]));
}

function item(row: ProviderRow): HTMLElement {
  const total = row.answers + row.failures;
  // Of one that was never asked nobody knows whether it is well.
  const [word, tone] = total === 0 && row.state === "closed" ? (["ready", "plain"] as const) : STATES[row.state];
  const chips = h("span", { className: "chips" }, chip(word, tone));
  if (row.place === 0) chips.append(chip("serves", "good"));
  chips.append(chip(row.local ? "this machine" : "remote"));
  if (row.found) chips.append(chip("found"));
  const facts = [total ? `${row.answers} of ${total} answered` : "no figures yet: they come with requests through a chain"];
  if (row.latency_p50 !== null) facts.push(`first output ${milliseconds(row.latency_p50)}, 95 of 100 within ${milliseconds(row.latency_p95)}`);
  if (row.last_error) facts.push(`last error ${row.last_error}${row.last_error_age === null ? "" : `, ${duration(row.last_error_age)} ago`}`);
  const line = h("div", { className: "row between" }, h("strong", { textContent: row.name }), chips);
  return h("li", {}, line, h("p", { className: "note", textContent: facts.join(" · ") }));
}
