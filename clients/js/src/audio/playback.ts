/** The loudspeaker of a browser: runs the playback worklet at the reply's own rate, so that its counts are the reply's. */

import { VoiceError } from "../errors.js";
import { type FromPlayback, PLAYBACK, type ToPlayback } from "../worklets/messages.js";
import type { AudioOutput, AudioOutputEvents } from "./ports.js";

export interface AudioPlaybackOptions {
  /** Where the playback worklet lies. Default: `worklets/playback.js` beside this library's file. */
  readonly workletUrl?: string | URL;
  /** Seconds gathered before a reply starts, so that uneven arrival is not heard. Default 0.05. */
  readonly prefillSeconds?: number;
}

/** Messages kept while the worklet is being loaded. The server keeps under a second (50 frames) ahead. */
const MOST_PENDING = 500;
/** Milliseconds a context may take to start. */
const UNLOCK_WITHIN = 500;

/** Jitter-buffered, gapless playback in an AudioWorklet, which pauses, goes on and clears at an exact sample. */
export class AudioPlayback implements AudioOutput {
  private context: AudioContext | null = null;
  private node: AudioWorkletNode | null = null;
  private pending: ToPlayback[] = [];
  private rate = 0;
  private events: AudioOutputEvents | null = null;

  constructor(private readonly options: AudioPlaybackOptions = {}) {}

  /** Opens the device only when something is to be played. */
  open(rate: number, events: AudioOutputEvents): void {
    this.events = events;
    this.pending = [];
    this.post({ type: "reset" });
    if (rate === this.rate) return;
    this.rate = rate;
    void this.close();
  }

  async unlock(): Promise<void> {
    if (this.rate === 0) return;
    try {
      await this.device().resume();
    } catch (cause) {
      this.failed(cause);
    }
  }

  push(generation: number, offset: number, pcm: Int16Array): void {
    // The frame stays with those who listen to it: the worklet gets a copy to keep.
    const copy = pcm.slice();
    this.post({ type: "push", generation, offset, pcm: copy }, [copy.buffer]);
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

  async close(): Promise<void> {
    const { context } = this;
    this.context = this.node = null;
    await context?.close();
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
      if (context === this.context) this.events?.blocked(context.state === "suspended");
    };
    context.onstatechange = tell;
    // Every context is suspended for a moment; only one that stays so is held back.
    setTimeout(tell, UNLOCK_WITHIN);
    this.load(context).catch((cause: unknown) => this.failed(cause));
    return context;
  }

  private async load(context: AudioContext): Promise<void> {
    await context.audioWorklet.addModule(this.options.workletUrl ?? new URL("./worklets/playback.js", import.meta.url));
    if (context !== this.context) return;
    const node = new AudioWorkletNode(context, PLAYBACK, {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: { prefill: this.options.prefillSeconds },
    });
    node.port.onmessage = (event: MessageEvent<FromPlayback>) => this.hear(event.data);
    node.connect(context.destination);
    for (const message of this.pending) node.port.postMessage(message);
    this.pending = [];
    this.node = node;
  }

  private hear(message: FromPlayback): void {
    if (message.type === "played") this.events?.played(message.generation, message.samples);
    else {
      this.events?.level(message.level);
      this.events?.counts(message);
    }
  }

  private failed(cause: unknown): void {
    const message = "sound could not be started: check the loudspeaker of this device and reload the page";
    this.events?.failed(new VoiceError("output_failed", message, { cause }));
  }
}
