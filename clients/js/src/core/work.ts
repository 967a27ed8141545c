/** Whether a reply is awaited or spoken. */

import type { ServerMessage } from "../wire/messages.js";


export class Work {
  private turn = 0;
  private typed = 0;

  get busy(): boolean {
    return this.turn > 0 || this.typed > 0;
  }

  /** A text was sent: its turn has no number yet. */
  asked(): void {
    this.typed += 1;
  }

  heard(message: ServerMessage): void {
    switch (message.type) {
      case "transcription":
        if (message.final) this.begin(message.turn);
        return;
      case "reply_started":
        return this.begin(message.turn);
      case "turn_continued":
        return this.end(message.continues);
      case "response_complete":
      case "turn_discarded":
        return this.end(message.turn);
      case "error":
        // A turn that failed may get no reply; one that gets one begins again with it.
        this.typed = 0;
        this.end(message.turn);
    }
  }

  restart(): void {
    this.turn = 0;
    this.typed = 0;
  }

  private begin(turn: number): void {
    this.typed = 0;
    this.turn = Math.max(this.turn, turn);
  }

  private end(turn: number): void {
    if (turn === this.turn) this.turn = 0;
  }
}
