/**
 * Tells screen readers what cannot be heard otherwise: how the user's words were understood, and that a reply was cut.
 * Replies are spoken aloud already; a second voice over them would only disturb.
 */

import { type State, sessionOf, type Turn } from "../state";
import { NEW_SESSION } from "./conversation";
import { setText, View } from "./dom";

export class Announcer extends View {
  protected build(): void {
    this.className = "unseen";
    this.setAttribute("aria-live", "polite");
  }

  protected render(state: State): void {
    const turn = state.turns.at(-1);
    if (turn) setText(this, sessionOf(turn) === state.session ? words(turn) : NEW_SESSION);
  }
}

function words(turn: Turn): string {
  if (turn.reply?.phase === "interrupted") return "Reply interrupted.";
  return turn.final && turn.said ? `Understood: ${turn.said}` : "";
}
