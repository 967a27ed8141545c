/** The loudspeaker: runs the playback worklet at the reply's own rate, so that its sample counts are the reply's. */

import type { AudioFrame } from "./protocol";
import { type FromPlayback, PLAYBACK, type ToPlayback } from "./worklets/messages";

export interface PlaybackEvents {
  played(generation: number, samples: number): void;
  level(level: number): void;
  counts(counts: { underruns: number; overflow: number; stale: number }): void;
  /** The browser holds sound back until somebody touches the page. */
  blocked(blocked: boolean): void;
  failed(error: unknown): void;
}

/** Messages kept while the worklet is being loaded. The server keeps under a second (50 frames) ahead. */
const MOST_PENDING = 500;
/** Milliseconds a context may take to start. */
const UNLOCK_WITHIN = 500;

export class Playback {
  private context: AudioContext | null = null;
  private node: AudioWorkletNode | null = null;
  private pending: ToPlayback[] = [];
  private rate = 0;

  constructor(private readonly events: PlaybackEvents) {}

  /** A new session at `rate` samples per second. Idempotent; opens the device only when something is to be played. */
  session(rate: number): void {
    this.pending = [];
    this.post({ type: "reset" });
    if (rate === this.rate) return;
    this.rate = rate;
    void this.context?.close();
    this.context = this.node = null;
  }

  /** To be called from a click or key press: browsers allow sound only then. */
  async unlock(): Promise<void> {
    if (this.rate === 0) return;
    try {
      await this.device().resume();
    } catch (error) {
      this.events.failed(error);
    }
  }

  push(frame: AudioFrame): void {
    const { generation, offset, pcm } = frame;
    this.post({ type: "push", generation, offset, pcm }, [pcm.buffer]);
    this.device();
  }

  pause(generation: number): void {
    this.post({ type: "pause", generation });
  }

  resume(generation: number): void {
    this.post({ type: "resume", generation });
  }

  clear(generation: number): void {
    this.post({ type: "clear", generation });
  }

  private post(message: ToPlayback, transfer: Transferable[] = []): void {
    if (this.node) {
      this.node.port.postMessage(message, transfer);
      return;
    }
    this.pending.push(message);
    if (this.pending.length > MOST_PENDING) this.pending.shift();
  }

  private device(): AudioContext {
    if (this.context) return this.context;
    const context = new AudioContext({ sampleRate: this.rate, latencyHint: "interactive" });
    this.context = context;
    const tell = (): void => {
      if (context === this.context) this.events.blocked(context.state === "suspended");
    };
    context.onstatechange = tell;
    // Every context is suspended for a moment; only one that stays so is held back.
    setTimeout(tell, UNLOCK_WITHIN);
    this.load(context).catch((error: unknown) => this.events.failed(error));
    return context;
  }

  private async load(context: AudioContext): Promise<void> {
    await context.audioWorklet.addModule(new URL("worklets/playback.js", document.baseURI));
    if (context !== this.context) return;
    const node = new AudioWorkletNode(context, PLAYBACK, { numberOfInputs: 0, outputChannelCount: [1] });
    node.port.onmessage = (event: MessageEvent<FromPlayback>) => this.hear(event.data);
    node.connect(context.destination);
    for (const message of this.pending) node.port.postMessage(message);
    this.pending = [];
    this.node = node;
  }

  private hear(message: FromPlayback): void {
    if (message.type === "played") this.events.played(message.generation, message.samples);
    else {
      this.events.level(message.level);
      this.events.counts(message);
    }
  }
}
