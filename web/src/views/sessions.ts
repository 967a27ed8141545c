/** Who is talking now. */

import { ask, get } from "../api";
import { h, setText } from "../components/dom";
import { button, chip, confirmed, type Tone } from "../components/widgets";
import { duration, language, milliseconds } from "../format";
import type { SessionList, SessionRow } from "../shapes";
import { Panel } from "./panel";

const EVERY = 1_000;
const HEARING_RATE = 16_000;
const STATES: Record<SessionRow["state"], readonly [word: string, tone: Tone]> = {
  idle: ["quiet", "plain"],
  listening: ["listening", "good"],
  thinking: ["thinking", "busy"],
  speaking: ["speaking", "busy"],
  paused: ["reply paused", "busy"],
};

export class SessionsView extends Panel {
  protected readonly heading = "Sessions";
  private readonly list = h("ul", { className: "cards", attributes: { "aria-label": "Live sessions" } });
  private readonly nothing = h("p", { className: "nothing" });
  private readonly room = h("p", { className: "note" });
  private items = new Map<string, SessionItem>();

  protected build(): void {
    setText(this.nothing, "Nobody is talking to this server now.");
    this.append(this.room, this.list, this.nothing);
  }

  protected shown(): void {
    this.keep(() => this.look(), EVERY);
  }

  private async look(): Promise<void> {
    const { sessions, max, detached } = await get<SessionList>("api/sessions", this.signal);
    const away = detached ? `, ${detached} waiting for a client that is away` : "";
    setText(this.room, `${sessions.length} of ${max} sessions${away}`);
    this.draw(sessions);
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
      await this.look();
    });
  }
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
    const [word, tone] = STATES[session.state];
    const away = session.attached ? [] : [chip("client away", "bad")];
    this.state.replaceChildren(chip(session.transport), chip(word, tone), ...away);
    const level = Math.max(-60, Math.min(0, audio.level));
    this.meter.setAttribute("aria-valuenow", level.toFixed(0));
    this.fill.style.width = `${((level + 60) / 60) * 100}%`;
    setText(this.level, audio.frames ? `${audio.level.toFixed(0)} dBFS, peak ${audio.peak.toFixed(0)}` : "nothing heard yet");
    const { settings } = session;
    const rows: [string, string][] = [
      ["Age", duration(session.age)],
      ["Heard", duration(audio.seconds)],
      ["Language", language(settings.language)],
      ["Mode", settings.mode.replaceAll("_", " ")],
      ["Speech to text", settings.stt],
      ["Answers", settings.llm],
      ["Text to speech", settings.voice ? `${settings.tts}, ${settings.voice}` : settings.tts],
      ["Jitter", milliseconds(audio.jitter)],
      ["Age of audio", milliseconds(audio.age)],
      ["Gaps", String(audio.gaps)],
      ["Late frames", String(session.late_frames)],
      ["Clipped frames", String(audio.clipped)],
      ["Refused", duration(session.dropped_samples / HEARING_RATE)],
    ];
    this.facts.replaceChildren(
      ...rows.map(([term, value]) => h("div", {}, h("dt", { textContent: term }), h("dd", { textContent: value }))),
    );
  }
}
