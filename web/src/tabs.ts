/** One microphone for all tabs: whoever opens it last has it, and the others let go. */

const CHANNEL = "vivavoce.microphone";

export class Tabs {
  private readonly channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(CHANNEL) : null;

  constructor(taken: () => void) {
    this.channel?.addEventListener("message", taken);
  }

  take(): void {
    this.channel?.postMessage("taken");
  }
}
