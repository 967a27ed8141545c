/** Cuts a stream of float samples into PCM16 frames of one size, which end at multiples of it. */

export interface Frame {
  pcm: Int16Array;
  /** Root mean square, 0 to 1. */
  level: number;
}

export class Framer {
  private frame: Int16Array;
  private filled = 0;
  private energy = 0;
  /** Samples until the next multiple: what was flushed belongs to its frame. */
  private left: number;

  constructor(
    private readonly samples: number,
    private readonly emit: (frame: Frame) => void,
  ) {
    this.frame = new Int16Array(samples);
    this.left = samples;
  }

  push(input: Float32Array): void {
    for (const value of input) {
      const clipped = Math.max(-1, Math.min(1, value));
      this.frame[this.filled] = Math.round(clipped * 32767);
      this.energy += clipped * clipped;
      this.filled += 1;
      if (this.filled === this.left) this.flush();
    }
  }

  /** Emit what there is, even if it is less than a frame. */
  flush(): void {
    if (this.filled === 0) return;
    const pcm = this.filled === this.samples ? this.frame : this.frame.slice(0, this.filled);
    this.emit({ pcm, level: Math.sqrt(this.energy / this.filled) });
    this.left = this.left - this.filled || this.samples;
    this.frame = new Int16Array(this.samples);
    this.filled = 0;
    this.energy = 0;
  }
}
