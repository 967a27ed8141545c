/** PCM of the reply that is being played: holds, orders and counts it. Pure: the playback worklet is its shell. */

export interface Played {
  generation: number;
  /** Samples of this generation handed to the loudspeaker, counted from its first. */
  samples: number;
}

export interface ReplyBufferOptions {
  /** Samples gathered before a reply starts, so that uneven arrival is not heard. */
  prefill: number;
  /** Samples of the ramps that keep a stop or a continuation from clicking. */
  fade: number;
  /** Most samples held; what goes beyond is refused and counted. */
  capacity: number;
  /** A report at least every so many samples of playing. */
  reportEvery: number;
}

interface Chunk {
  offset: number;
  pcm: Int16Array;
}

const FULL_SCALE = 32768;

/**
 * The newest generation wins: a frame of an older one, or of one that was cleared, is dropped whenever it arrives.
 *
 * A stop (pause, clear, running dry) happens between two samples: the count stands still at once, and only a ramp from the
 * last value down to zero follows. A continuation starts with the very next sample, under a rising ramp. So no sample is
 * ever lost or repeated, and `samples` is exact.
 */
export class ReplyBuffer {
  /** How often a reply ran dry and more of it came later: gaps somebody heard. */
  underruns = 0;
  /** Samples refused because the buffer was full. */
  overflow = 0;
  /** Frames dropped because their generation was over. */
  stale = 0;

  private chunks: Chunk[] = [];
  private head = 0;
  private generation = 0;
  private floor = 0;
  private position = 0;
  private end = 0;
  private buffered = 0;
  private waited = 0;
  private reported = 0;
  private playing = false;
  private paused = false;
  private starved = false;
  private fadeIn = 0;
  private tail = 0;
  private tailFrom = 0;
  private last = 0;

  constructor(
    private readonly options: ReplyBufferOptions,
    private readonly report: (played: Played) => void,
  ) {}

  /** Samples waiting to be played. */
  get waiting(): number {
    return this.buffered;
  }

  get active(): boolean {
    return this.playing && !this.paused;
  }

  push(generation: number, offset: number, pcm: Int16Array): void {
    if (generation < this.floor || generation < this.generation) {
      this.stale += 1;
      return;
    }
    if (generation > this.generation) this.begin(generation);
    const known = Math.max(0, this.end - offset);
    const fresh = known > 0 ? pcm.subarray(known) : pcm;
    if (fresh.length === 0) return;
    if (this.buffered + fresh.length > this.options.capacity) {
      this.overflow += fresh.length;
      return;
    }
    if (this.starved) {
      this.starved = false;
      this.underruns += 1;
      this.fadeIn = this.options.fade;
    }
    this.chunks.push({ offset: offset + known, pcm: fresh });
    this.end = offset + known + fresh.length;
    this.buffered += fresh.length;
  }

  /** Stand still at the current sample and say where that is. */
  pause(generation: number): void {
    if (generation < this.generation || generation < this.floor) return;
    if (generation > this.generation) this.begin(generation);
    if (!this.paused) {
      this.paused = true;
      if (this.playing) this.ramp();
    }
    this.tell(true);
  }

  /** Go on with the next sample. */
  resume(generation: number): void {
    if (generation !== this.generation || !this.paused) return;
    this.paused = false;
    if (this.playing) this.fadeIn = this.options.fade;
  }

  /** End this generation and all before it: nothing of them is played any more, whenever it arrives. */
  clear(generation: number): void {
    this.floor = Math.max(this.floor, generation + 1);
    if (this.generation <= generation) this.drop();
  }

  /** A new session: forget everything; generations count from the beginning again. */
  reset(): void {
    this.reported = this.position;
    this.drop();
    this.generation = 0;
    this.floor = 0;
    this.position = 0;
    this.reported = 0;
    this.end = 0;
  }

  /** Fill `out` with the next samples (−1 to 1), or silence. */
  render(out: Float32Array): void {
    out.fill(0);
    this.addTail(out, 0);
    if (!this.ready(out.length)) return;
    const written = this.copy(out);
    if (written < out.length) this.dry(out, written);
    if (this.position - this.reported >= this.options.reportEvery) this.tell(false);
  }

  private begin(generation: number): void {
    this.drop();
    this.generation = generation;
    this.position = 0;
    this.reported = 0;
    this.end = 0;
    this.paused = false;
  }

  private drop(): void {
    this.tell(false);
    if (this.active) this.ramp();
    this.chunks = [];
    this.head = 0;
    this.buffered = 0;
    this.waited = 0;
    this.playing = false;
    this.starved = false;
    this.fadeIn = 0;
  }

  private ready(quantum: number): boolean {
    if (this.paused) return false;
    if (this.playing) return true;
    if (this.buffered === 0) return false;
    // A reply shorter than the prefill must not wait for ever.
    const due = this.buffered >= this.options.prefill || this.waited >= this.options.prefill;
    this.waited += quantum;
    this.playing = due;
    return due;
  }

  private copy(out: Float32Array): number {
    let written = 0;
    let chunk = this.chunks[0];
    while (chunk !== undefined && written < out.length) {
      const count = Math.min(out.length - written, chunk.pcm.length - this.head);
      for (let i = 0; i < count; i += 1) {
        this.last = ((chunk.pcm[this.head + i] ?? 0) / FULL_SCALE) * this.rising();
        out[written + i] = (out[written + i] ?? 0) + this.last;
      }
      written += count;
      this.head += count;
      this.buffered -= count;
      this.position = chunk.offset + this.head;
      if (this.head < chunk.pcm.length) break;
      this.chunks.shift();
      this.head = 0;
      chunk = this.chunks[0];
    }
    return written;
  }

  private rising(): number {
    if (this.fadeIn === 0) return 1;
    this.fadeIn -= 1;
    return 1 - this.fadeIn / this.options.fade;
  }

  private dry(out: Float32Array, written: number): void {
    this.playing = false;
    this.starved = true;
    this.waited = 0;
    this.ramp();
    this.addTail(out, written);
    this.tell(false);
  }

  private ramp(): void {
    this.tail = this.options.fade;
    this.tailFrom = this.last;
    this.last = 0;
  }

  private addTail(out: Float32Array, from: number): void {
    for (let i = from; i < out.length && this.tail > 0; i += 1) {
      this.tail -= 1;
      out[i] = (out[i] ?? 0) + (this.tailFrom * this.tail) / this.options.fade;
    }
  }

  private tell(always: boolean): void {
    if (!always && this.position === this.reported) return;
    this.reported = this.position;
    this.report({ generation: this.generation, samples: this.position });
  }
}
