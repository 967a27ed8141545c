/** Which samples of the reply are held: nothing is handed on twice, and a resumption knows where to go on. */

import type { AudioFrame } from "../wire/frames.js";

export class Ledger {
  /** Frames dropped because they were held already. */
  duplicates = 0;
  /** Frames dropped because their generation was over. */
  stale = 0;

  private generation: number | null = null;
  private samples = 0;
  private floor = 0;

  /** The reply held and its samples without a gap from the first. */
  get held(): { readonly generation: number | null; readonly samples: number } {
    return { generation: this.generation, samples: this.samples };
  }

  /** The newest generation heard of in this session. */
  newest = 0;

  /** What of this frame is new, or null. */
  accept(frame: AudioFrame): AudioFrame | null {
    if (frame.generation < this.floor || (this.generation !== null && frame.generation < this.generation)) {
      this.stale += 1;
      return null;
    }
    if (frame.generation !== this.generation) {
      this.generation = frame.generation;
      this.samples = 0;
      this.mention(frame.generation);
    }
    const known = Math.max(0, this.samples - frame.offset);
    if (known >= frame.pcm.length) {
      if (known > 0) this.duplicates += 1;
      return null;
    }
    // What lies behind a gap is played but not counted: after a resumption the server sends from the gap on.
    if (frame.offset <= this.samples) this.samples = frame.offset + frame.pcm.length;
    return known === 0 ? frame : { ...frame, offset: frame.offset + known, pcm: frame.pcm.subarray(known) };
  }

  mention(generation: number): void {
    this.newest = Math.max(this.newest, generation);
  }

  /** This generation and all before it are over. */
  clear(generation: number): void {
    this.mention(generation);
    this.floor = Math.max(this.floor, generation + 1);
    if (this.generation === null || this.generation > generation) return;
    this.generation = null;
    this.samples = 0;
  }

  /** A new session: generations count from the beginning again. */
  restart(): void {
    this.generation = null;
    this.samples = 0;
    this.floor = 0;
    this.newest = 0;
  }
}
