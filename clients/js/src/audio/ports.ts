/** Where sound comes from and goes to: browsers have both built in, elsewhere an application brings its own. */

import type { VoiceError } from "../errors.js";

export interface AudioInputEvents {
  /** Mono PCM at the rate asked for, 10 to 100 ms; `level` is its root mean square, 0 to 1. */
  frame(pcm: Int16Array, level: number): void;
  /** It stopped by itself. */
  ended(error: VoiceError): void;
}

/** A microphone, or what stands for one. */
export interface AudioInput {
  /** Begin to hand out frames at `rate` samples per second. Rejects with a VoiceError. */
  start(rate: number, events: AudioInputEvents): Promise<void>;
  /** Resolves when everything heard so far has been handed out, the last piece of a frame included. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

export interface OutputCounts {
  readonly underruns: number;
  readonly overflow: number;
  readonly stale: number;
}

export interface AudioOutputEvents {
  /** The ear has heard the first `samples` samples of `generation`: every 100 to 200 ms, and at every stop. */
  played(generation: number, samples: number): void;
  level(level: number): void;
  counts(counts: OutputCounts): void;
  blocked(blocked: boolean): void;
  failed(error: VoiceError): void;
}

/**
 * A loudspeaker. Frames of a generation come in order of their offset; a newer generation replaces an older one.
 *
 * It stands still, goes on and stops between two samples, so that what it reports as played is exact.
 */
export interface AudioOutput {
  /** A new session at `rate` samples per second: forget what was before. */
  open(rate: number, events: AudioOutputEvents): void;
  push(generation: number, offset: number, pcm: Int16Array): void;
  /** Stand still at the current sample, keep what is buffered, report where. */
  pause(generation: number): void;
  /** Go on with the next sample. */
  resume(generation: number): void;
  /** Drop this generation and all before it, whenever more of them comes. */
  clear(generation: number): void;
  /** To be called from a click or key press: browsers allow sound only then. */
  unlock(): Promise<void>;
  close(): Promise<void>;
}
