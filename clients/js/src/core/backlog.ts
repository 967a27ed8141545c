/** The last seconds of the microphone: what was sent, what waits, and what the server has to be sent again. */

interface Chunk {
  readonly from: number;
  readonly pcm: Int16Array;
}

/**
 * A ring of `capacity` samples. Positions count every sample that was ever appended; the server counts only what reached it
 * in the session, so `skipped` is the distance between the two counts.
 */
export class Backlog {
  private chunks: Chunk[] = [];
  private start = 0;
  private stop = 0;
  private next = 0;
  private skipped = 0;

  constructor(private readonly capacity: number) {}

  /** The position behind the newest sample. */
  get end(): number {
    return this.stop;
  }

  /** Samples that have never been sent, or have to be sent again. */
  get waiting(): number {
    return this.stop - Math.max(this.next, this.start);
  }

  append(pcm: Int16Array): void {
    this.chunks.push({ from: this.stop, pcm: pcm.slice() });
    this.stop += pcm.length;
    let oldest = this.chunks[0];
    // The newest chunk stays, however small the ring: it goes out next.
    while (oldest !== undefined && this.chunks.length > 1 && this.stop - this.start > this.capacity) {
      this.chunks.shift();
      this.start = oldest.from + oldest.pcm.length;
      oldest = this.chunks[0];
    }
  }

  /** A new session counts from zero: it hears what comes from `position` on. */
  restart(position: number): void {
    this.next = position;
    this.skipped = position;
  }

  /** The server has received `samples` of this session: what came after goes out again. */
  rewind(samples: number): void {
    this.next = Math.min(this.stop, samples + this.skipped);
  }

  /** Samples that should go out next but are no longer held; they are left out from here on. */
  gap(): number {
    const lost = this.start - this.next;
    if (lost <= 0) return 0;
    this.next = this.start;
    this.skipped += lost;
    return lost;
  }

  /** The next samples to be sent, at most `most` and none from `limit` on; null where there are none. */
  take(limit: number, most: number): Int16Array | null {
    const until = Math.min(limit, this.stop, this.next + most);
    if (until <= this.next) return null;
    const out = new Int16Array(until - this.next);
    for (const { from, pcm } of this.chunks) {
      const first = Math.max(from, this.next);
      const last = Math.min(from + pcm.length, until);
      if (first < last) out.set(pcm.subarray(first - from, last - from), first - this.next);
    }
    this.next = until;
    return out;
  }

  /** Where the next sample to be sent stands. */
  get position(): number {
    return this.next;
  }
}
