/** Who is talking now. */

import { ask, get } from "../api";
import { h, setText } from "../components/dom";
import { button, chip, confirmed, type Tone } from "../components/widgets";
import { duration, milliseconds } from "../format";
import type { SessionList, SessionRow } from "../shapes";
import { Panel } from "./panel";

const EVERY = 1_000;
const TONES: Record<string, Tone> = { attached: "good", live: "good", detached: "busy", closing: "plain" };

export class SessionsView extends Panel {
  protected readonly heading = "Sessions";
  private readonly list = h("ul", { className: "cards", attributes: { "aria-label": "Live sessions" } });
  private readonly nothing = h("p", { className: "nothing" });
  private items = new Map<string, SessionItem>();

  protected build(): void {
    setText(this.nothing, "Nobody is talking to this server now.");
    this.append(this.list, this.nothing);
  }

  protected shown(): void {
    this.keep(async () => this.draw(await sessions(this.signal)), EVERY);
  }

  private draw(found: SessionRow[]): void {
    this.nothing.hidden = found.length > 0;
    const before = this.items;
    this.items = new Map();
    for (const session of found) {
      const item = before.get(session.id) ?? new SessionItem((id) => void this.end(id));
      before.delete(session.id);
      item.show(session);
      this.items.set(session.id, item);
      if (!item.element.isConnected) this.list.append(item.element);
    }
    for (const gone of before.values()) gone.element.remove();
  }

  private async end(id: string): Promise<void> {
    if (!(await confirmed("End this session? Its client is told, and may connect again.", "End it"))) return;
    await this.attempt(async () => {
      await ask(`api/sessions/${encodeURIComponent(id)}`, { method: "DELETE" });
      this.draw(await sessions(this.signal));
    });
  }
}

async function sessions(signal: AbortSignal): Promise<SessionRow[]> {
  return (await get<SessionList>("api/status", signal)).sessions;
}

class SessionItem {
  private readonly name = h("strong");
  private readonly state = h("span", { className: "chips" });
  private readonly fill = h("i");
  private readonly meter = h("div", { className: "meter", attributes: { role: "meter", "aria-valuemin": "-60", "aria-valuemax": "0" } }, this.fill);
  private readonly level = h("span", { className: "note" });
  private readonly facts = h("dl", { className: "pairs" });
  readonly element: HTMLElement;
  private id = "";

  constructor(end: (id: string) => void) {
    this.meter.setAttribute("aria-label", "Microphone level");
    const stop = button("End session", () => end(this.id), { className: "danger" });
    const head = h("div", { className: "row between" }, h("div", {}, this.name, " ", this.state), stop);
    this.element = h("li", { className: "card" }, head, h("div", { className: "level" }, this.meter, this.level), this.facts);
  }

  show(session: SessionRow): void {
    this.id = session.id;
    const { audio } = session;
    setText(this.name, session.id.slice(0, 13));
    this.name.title = session.id;
    const state = session.state ?? "live";
    this.state.replaceChildren(chip(session.transport), chip(state, TONES[state] ?? "plain"));
    const level = Math.max(-60, Math.min(0, audio.level));
    this.meter.setAttribute("aria-valuenow", level.toFixed(0));
    this.fill.style.width = `${((level + 60) / 60) * 100}%`;
    setText(this.level, audio.frames ? `${audio.level.toFixed(0)} dBFS, peak ${audio.peak.toFixed(0)}` : "nothing heard yet");
    const rows: [string, string][] = [
      ["Age", duration(session.age)],
      ["Microphone", duration(audio.seconds)],
      ["Jitter", milliseconds(audio.jitter)],
      ["Age of audio", milliseconds(audio.age)],
      ["Gaps", String(audio.gaps)],
      ["Clipped frames", String(audio.clipped)],
      ["Dropped", String(audio.dropped)],
    ];
    this.facts.replaceChildren(
      ...rows.map(([term, value]) => h("div", {}, h("dt", { textContent: term }), h("dd", { textContent: value }))),
    );
  }
}
