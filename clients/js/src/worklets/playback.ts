/** Reply PCM to the loudspeaker, sample by sample; says what it played. The arithmetic is `ReplyBuffer`'s. */

import { ReplyBuffer } from "../audio/reply-buffer.js";
import { type FromPlayback, PLAYBACK, type ToPlayback } from "./messages.js";

/** 50 ms: above the arrival jitter of a local network, below what is noticed in a reply. */
const PREFILL_SECONDS = 0.05;
const FADE_SECONDS = 0.005;
/** The server keeps well under a second ahead; a minute here is a bound, not a plan. */
const CAPACITY_SECONDS = 60;
const REPORT_SECONDS = 0.1;
const LEVEL_SECONDS = 0.05;

class PlaybackProcessor extends AudioWorkletProcessor {
  private readonly buffer: ReplyBuffer;
  private energy = 0;
  private measured = 0;
  private quiet = true;

  constructor(options: AudioWorkletNodeOptions) {
    super();
    // What the page puts there (`AudioPlayback`), copied by the browser.
    const { prefill = PREFILL_SECONDS } = options.processorOptions as { prefill?: number };
    this.buffer = new ReplyBuffer(
      {
        prefill: Math.round(prefill * sampleRate),
        fade: Math.round(FADE_SECONDS * sampleRate),
        capacity: CAPACITY_SECONDS * sampleRate,
        reportEvery: Math.round(REPORT_SECONDS * sampleRate),
      },
      (played) => this.say({ type: "played", ...played }),
    );
    this.port.onmessage = (event: MessageEvent<ToPlayback>) => this.obey(event.data);
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const channel = outputs[0]?.[0];
    if (channel) {
      this.buffer.render(channel);
      this.measure(channel);
    }
    return true;
  }

  private obey(message: ToPlayback): void {
    switch (message.type) {
      case "push":
        return this.buffer.push(message.generation, message.offset, message.pcm);
      case "pause":
        return this.buffer.pause(message.generation);
      case "resume":
        return this.buffer.resume(message.generation);
      case "clear":
        return this.buffer.clear(message.generation);
      case "reset":
        return this.buffer.reset();
    }
  }

  private measure(channel: Float32Array): void {
    for (const value of channel) this.energy += value * value;
    this.measured += channel.length;
    if (this.measured < LEVEL_SECONDS * sampleRate) return;
    const level = Math.sqrt(this.energy / this.measured);
    this.energy = 0;
    this.measured = 0;
    // Silence is told once, not twenty times a second.
    if (level > 0 || !this.quiet) {
      const { underruns, overflow, stale, waiting } = this.buffer;
      this.say({ type: "level", level, underruns, overflow, stale, waiting });
    }
    this.quiet = level === 0;
  }

  private say(message: FromPlayback): void {
    this.port.postMessage(message);
  }
}

registerProcessor(PLAYBACK, PlaybackProcessor);
