/** One turn: what was said, its waterfall, its steps, and its replay. */

import { WaterfallChart } from "../charts/waterfall";
import { h, setText } from "../components/dom";
import { button, chip } from "../components/widgets";
import { clock, milliseconds } from "../format";
import { splitHeard } from "../heard";
import { Replay } from "../replay";
import type { TurnDetail, TurnStep, Voice } from "../shapes";
import { speechEnd } from "../turn-times";

const WORDS: Record<string, string> = {
  speech_started: "You began to speak",
  speech_stopped: "You paused",
  interim: "Heard so far",
  transcript: "Turn over",
  reply_started: "Reply released",
  first_text: "First words",
  paused: "Reply paused: somebody speaks",
  resumed: "Reply went on",
  interrupted: "Reply cut",
  tool: "Tool",
  failed: "Trouble",
  continued: "You went on: one turn after all",
  discarded: "That was nothing",
  completed: "Over",
};

export class TurnView extends HTMLElement {
  private readonly headline = h("h2");
  private readonly chips = h("p", { className: "chips" });
  private readonly said = h("p", { className: "said" });
  private readonly reply = h("p", { className: "reply" });
  private readonly waterfall = new WaterfallChart();
  private readonly steps = h("ol", { className: "steps", tabIndex: 0, attributes: { "aria-label": "Step by step" } });
  private readonly play = button("Replay", () => void this.toggle(), { icon: "play", className: "primary" });
  private readonly back = button("Back", () => this.step(-1), { icon: "back" });
  private readonly forth = button("Next step", () => this.step(1), { icon: "next" });
  private readonly note = h("p", { className: "note" });
  private replay: Replay | null = null;
  private at = -1;
  private turn: TurnDetail | null = null;

  connectedCallback(): void {
    if (this.childElementCount > 0) return;
    this.className = "card turn-view";
    const back = h("a", { className: "back-link", href: "#/turns", textContent: "All turns" });
    const controls = h("div", { className: "row" }, this.play, this.back, this.forth);
    this.append(back, this.headline, this.chips, this.said, this.reply, this.waterfall, controls, this.note, this.steps);
    this.clear();
  }

  clear(): void {
    this.stop();
    this.hidden = true;
    this.turn = null;
  }

  stop(): void {
    this.replay?.stop();
    this.replay = null;
    this.label("Replay", "play");
  }

  show(turn: TurnDetail, sound: (voice: Voice) => Promise<ArrayBuffer>): void {
    this.stop();
    this.turn = turn;
    this.hidden = false;
    this.at = -1;
    setText(this.headline, turn.waterfall.total === null ? "Turn" : `Answered in ${milliseconds(turn.waterfall.total)}`);
    const { speculated, revisions } = turn.waterfall;
    this.chips.replaceChildren(
      chip(clock(turn.ended)),
      chip(turn.transport),
      ...(speculated ? [chip("prepared early", "good")] : []),
      ...(revisions > 1 ? [chip(`${revisions} pauses`)] : []),
      ...(turn.interrupted ? [chip(`interrupted: ${turn.interrupted}`, "busy")] : []),
      ...turn.tools.map((name) => chip(`tool: ${name}`)),
    );
    this.said.hidden = turn.said === "";
    setText(this.said, turn.said);
    this.showReply(turn);
    this.waterfall.show(turn.waterfall);
    this.steps.replaceChildren(...turn.steps.map((step) => row(step, turn)));
    const recorded = turn.recorded.length > 0;
    setText(this.note, recorded ? "The replay plays both voices." : "No recording of this turn: the replay is silent.");
    this.replay = new Replay(turn, recorded ? sound : null, {
      at: (seconds) => this.follow(seconds),
      ended: () => this.label("Replay", "play"),
    });
  }

  private showReply(turn: TurnDetail): void {
    const [heard, unheard] = turn.interrupted ? splitHeard(turn.reply, turn.heard) : [turn.reply || turn.heard, ""];
    this.reply.hidden = turn.reply === "" && turn.heard === "";
    const cut = h("span", { className: "unseen", textContent: "(not heard:) " });
    this.reply.replaceChildren(heard, ...(unheard.trim() ? [" ", cut, h("s", { textContent: unheard.trim() })] : []));
  }

  private async toggle(): Promise<void> {
    if (!this.replay) return;
    if (this.replay.playing) {
      this.replay.stop();
      this.label("Replay", "play");
      return;
    }
    this.label("Stop", "stop");
    try {
      await this.replay.play();
    } catch {
      this.label("Replay", "play");
      setText(this.note, "The recording could not be played; it may be forgotten by now.");
    }
  }

  private label(text: string, symbol: string): void {
    const fresh = button(text, () => {}, { icon: symbol });
    this.play.replaceChildren(...fresh.childNodes);
  }

  /** By hand, one step at a time. */
  private step(by: number): void {
    const { turn } = this;
    if (!turn) return;
    this.replay?.stop();
    this.label("Replay", "play");
    this.mark(Math.max(0, Math.min(turn.steps.length - 1, this.at + by)));
    const step = turn.steps[this.at];
    if (step) this.waterfall.playhead(afterSpeech(step.at, turn));
  }

  /** The replay stands at so many seconds after the turn began. */
  private follow(seconds: number): void {
    const { turn } = this;
    if (!turn) return;
    this.waterfall.playhead(afterSpeech(seconds, turn));
    const at = turn.steps.findLastIndex((step) => step.at <= seconds);
    if (at !== this.at) this.mark(at);
  }

  private mark(at: number): void {
    this.steps.children[this.at]?.removeAttribute("aria-current");
    this.at = at;
    const item = this.steps.children[at];
    item?.setAttribute("aria-current", "step");
    item?.scrollIntoView({ block: "nearest" });
  }
}

/** Steps count from the turn's begin, the waterfall from the end of speech: the transcript ties them together. */
function afterSpeech(seconds: number, turn: TurnDetail): number {
  return seconds - speechEnd(turn);
}

function row(step: TurnStep, turn: TurnDetail): HTMLElement {
  const after = afterSpeech(step.at, turn);
  const time = `${after < 0 ? "−" : "+"}${milliseconds(Math.abs(after))}`;
  const item = h("li", {}, h("span", { className: "when", textContent: time }), h("span", { textContent: WORDS[step.kind] ?? step.kind }));
  if (step.text) item.append(h("q", { textContent: step.text }));
  item.dataset["kind"] = step.kind;
  return item;
}
