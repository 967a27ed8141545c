/**
 * Tells screen readers what cannot be heard otherwise: how the user's words were understood, and that a reply was cut.
 * Replies are spoken aloud already; a second voice over them would only disturb.
 */

import type { State, Turn } from "../state";
import { setText, View } from "./dom";

export class Announcer extends View {
  protected build(): void {
    this.className = "unseen";
    this.setAttribute("aria-live", "polite");
  }

  protected render(state: State): void {
    const turn = state.turns.at(-1);
    if (turn) setText(this, words(turn));
  }
}

function words(turn: Turn): string {
  if (turn.reply?.phase === "interrupted") return "Reply interrupted.";
  return turn.final && turn.said ? `Understood: ${turn.said}` : "";
}
