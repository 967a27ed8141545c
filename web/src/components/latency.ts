/** Where the time of a turn went, from the end of the user's speech to the first sound of the reply. */

import type { Waterfall } from "../protocol";
import { h } from "./dom";

export interface Mark {
  stage: "decision" | "transcript" | "token" | "audio" | "played";
  label: string;
  milliseconds: number;
}

const STAGES: readonly [Mark["stage"], string, keyof Waterfall][] = [
  ["decision", "turn over", "decision"],
  ["transcript", "transcript", "transcript"],
  ["token", "first token", "first_token"],
  ["audio", "first audio", "first_audio"],
  ["played", "heard", "first_played"],
];

/** What happened, in the order of time; speculation lets later stages come before the decision. */
export function marksOf(waterfall: Waterfall): Mark[] {
  const marks: Mark[] = [];
  for (const [stage, label, key] of STAGES) {
    const value = waterfall[key];
    if (typeof value === "number") marks.push({ stage, label, milliseconds: Math.max(0, value) });
  }
  return marks.sort((a, b) => a.milliseconds - b.milliseconds);
}

/** A common end for the bars of several turns, so that their lengths compare: the slowest, rounded up to 250 ms. */
export function commonScale(waterfalls: readonly Waterfall[]): number {
  const slowest = Math.max(0, ...waterfalls.map((w) => marksOf(w).at(-1)?.milliseconds ?? 0));
  return Math.max(500, Math.ceil(slowest / 250) * 250);
}

export class Latency extends HTMLElement {
  show(waterfall: Waterfall, scale: number): void {
    const marks = marksOf(waterfall);
    this.hidden = marks.length === 0;
    this.replaceChildren(bar(marks, scale), total(marks), legend(marks, waterfall));
  }
}

function bar(marks: Mark[], scale: number): HTMLElement {
  const element = h("div", { className: "bar", attributes: { "aria-hidden": "true" } });
  let from = 0;
  for (const { stage, label, milliseconds } of marks) {
    const segment = h("i", { title: `${label}: ${format(milliseconds)}` });
    segment.dataset["stage"] = stage;
    segment.style.width = `${((milliseconds - from) / scale) * 100}%`;
    element.append(segment);
    from = milliseconds;
  }
  return element;
}

/** The number that counts: silence between the user's last word and the first of the reply. */
function total(marks: Mark[]): HTMLElement {
  const played = marks.find(({ stage }) => stage === "played");
  const meaning = "from your last word to its first";
  const element = h("strong", { title: meaning });
  element.dataset["stage"] = "played";
  element.hidden = !played;
  if (played) element.append(format(played.milliseconds), h("span", { className: "unseen", textContent: ` ${meaning}` }));
  return element;
}

function legend(marks: Mark[], waterfall: Waterfall): HTMLElement {
  const list = h("dl");
  for (const { stage, label, milliseconds } of marks) {
    if (stage === "played") continue;
    const entry = h("div", {}, h("dt", { textContent: label }), h("dd", { textContent: format(milliseconds) }));
    entry.dataset["stage"] = stage;
    list.append(entry);
  }
  if (waterfall.speculated) {
    const title = "Transcript, answer and first sound were prepared while it was still being judged whether you were done.";
    list.append(h("div", { className: "early", title, textContent: "prepared early" }));
  }
  return list;
}

function format(milliseconds: number): string {
  return milliseconds < 10_000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
