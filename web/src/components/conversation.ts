/** The turns so far: what was said, what was answered, how long it took. */

import { splitHeard } from "../heard";
import type { Reply, State, Turn } from "../state";
import { h, setText, View } from "./dom";
import { commonScale, Latency } from "./latency";

/** Turns that share the scale of the latency bars. */
const COMPARED = 20;

export class Conversation extends View {
  private readonly list = h("ol", { attributes: { "aria-label": "Conversation" } });
  private readonly invitation = h(
    "div",
    { className: "invitation" },
    h("h1", { textContent: "Talk to it." }),
    h("p", { textContent: "Press the button and ask, for example: “What time is it?” You can talk over the answer." }),
    h("p", { textContent: "No microphone? Type instead." }),
  );
  private shown = new Map<string, TurnItem>();
  /** The newest turn stays in sight until the reader scrolls up. */
  private follow = true;

  protected build(): void {
    this.addEventListener("scroll", () => {
      this.follow = this.scrollHeight - this.scrollTop - this.clientHeight < 80;
    });
    new ResizeObserver(() => this.toNewest()).observe(this);
    this.append(this.invitation, this.list);
  }

  protected render(state: State): void {
    this.invitation.hidden = state.turns.length > 0;
    const scale = commonScale(state.turns.slice(-COMPARED).flatMap((turn) => turn.waterfall ?? []));
    const before = this.shown;
    this.shown = new Map();
    for (const turn of state.turns) {
      const item = before.get(turn.key) ?? new TurnItem();
      before.delete(turn.key);
      item.show(turn, scale);
      this.shown.set(turn.key, item);
      if (!item.element.isConnected) this.list.append(item.element);
    }
    for (const gone of before.values()) gone.element.remove();
    this.toNewest();
  }

  private toNewest(): void {
    if (this.follow) this.scrollTop = this.scrollHeight;
  }
}

class TurnItem {
  private readonly said = h("p", { className: "said" });
  private readonly reply = h("p", { className: "reply" });
  private readonly tools = h("p", { className: "tools" });
  private readonly latency = new Latency();
  readonly element = h("li", {}, this.said, this.tools, this.reply, this.latency);
  private turn: Turn | null = null;
  private scale = 0;

  show(turn: Turn, scale: number): void {
    if (turn === this.turn && scale === this.scale) return;
    this.said.hidden = turn.said === "";
    this.said.classList.toggle("interim", !turn.final);
    setText(this.said, turn.said);
    this.tools.hidden = turn.tools.length === 0;
    setText(this.tools, turn.tools.map(({ name, result }) => `${name}: ${result}`).join(" · "));
    if (turn.reply !== this.turn?.reply) this.showReply(turn.reply);
    this.latency.hidden = turn.waterfall === null;
    if (turn.waterfall) this.latency.show(turn.waterfall, scale);
    this.turn = turn;
    this.scale = scale;
  }

  private showReply(reply: Reply | null): void {
    this.reply.hidden = !reply || (reply.text === "" && reply.phase !== "speaking");
    if (!reply) return;
    this.reply.dataset["phase"] = reply.phase;
    if (reply.phase !== "interrupted" || reply.heard === null) {
      setText(this.reply, reply.text);
      return;
    }
    const [heard, unheard] = splitHeard(reply.text, reply.heard);
    const cut = h("span", { className: "unseen", textContent: "(interrupted; not heard:) " });
    const rest = h("s", { textContent: unheard.trimStart() });
    this.reply.replaceChildren(h("span", { textContent: heard }), ...(unheard.trim() ? [" ", cut, rest] : []));
  }
}
