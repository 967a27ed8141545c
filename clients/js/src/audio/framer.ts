/** Cuts a stream of float samples into PCM16 frames of one size. */

export interface Frame {
  pcm: Int16Array;
  /** Root mean square, 0 to 1. */
  level: number;
}

export class Framer {
  private frame: Int16Array;
  private filled = 0;
  private energy = 0;

  constructor(
    private readonly samples: number,
    private readonly emit: (frame: Frame) => void,
  ) {
    this.frame = new Int16Array(samples);
  }

  push(input: Float32Array): void {
    for (const value of input) {
      const clipped = Math.max(-1, Math.min(1, value));
      this.frame[this.filled] = Math.round(clipped * 32767);
      this.energy += clipped * clipped;
      this.filled += 1;
      if (this.filled === this.samples) this.flush();
    }
  }

  /** Emit what there is, even if it is less than a frame. */
  flush(): void {
    if (this.filled === 0) return;
    const pcm = this.filled === this.samples ? this.frame : this.frame.slice(0, this.filled);
    this.emit({ pcm, level: Math.sqrt(this.energy / this.filled) });
    this.frame = new Int16Array(this.samples);
    this.filled = 0;
    this.energy = 0;
  }
}
