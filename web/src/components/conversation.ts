/** The turns so far: what was said, what was answered, how long it took. */

import { splitHeard } from "../heard";
import { type Reply, sessionOf, sessionsOf, type State, type Turn } from "../state";
import { h, setText, View } from "./dom";
import { commonScale, Latency } from "./latency";

/** Stands where a session ends that could not be taken up again. */
export const NEW_SESSION = "A new conversation: the one above could not go on, and nothing of it is remembered.";

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
  private readonly breaks = new Map<string, HTMLElement>();
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
    this.invitation.hidden = state.turns.length + state.unsent.length > 0;
    const scale = commonScale(state.turns.slice(-COMPARED).flatMap((turn) => turn.waterfall ?? []));
    const before = this.shown;
    this.shown = new Map();
    const items: HTMLElement[] = [];
    for (const [index, session] of sessionsOf(state).entries()) {
      if (index > 0) items.push(this.breakBefore(session));
      for (const turn of state.turns.filter((one) => sessionOf(one) === session)) {
        const item = before.get(turn.key) ?? new TurnItem();
        item.show(turn, scale);
        this.shown.set(turn.key, item);
        items.push(item.element);
      }
    }
    // With a connection they are turns in no time.
    if (state.link !== "open") items.push(...state.unsent.map(waiting));
    arrange(this.list, items);
    this.toNewest();
  }

  private breakBefore(session: string): HTMLElement {
    const known = this.breaks.get(session) ?? h("li", { className: "break", textContent: NEW_SESSION });
    this.breaks.set(session, known);
    return known;
  }

  private toNewest(): void {
    if (this.follow) this.scrollTop = this.scrollHeight;
  }
}

/** A text that waits for the connection. */
function waiting(text: string): HTMLElement {
  return h("li", { className: "waiting" }, h("p", { textContent: text }), h("p", { className: "note", textContent: "Waits for the connection" }));
}

/** What is there already stays where it is. */
function arrange(list: HTMLElement, items: readonly HTMLElement[]): void {
  for (const [index, item] of items.entries()) {
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  }
  while (list.children.length > items.length) list.lastElementChild?.remove();
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
