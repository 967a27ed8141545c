/**
 * Streaming sample-rate conversion for browsers that do not give the rate asked for.
 *
 * Convolution with a Hann-windowed sinc whose cut-off lies at 0.9 of the lower Nyquist frequency (J. O. Smith, *Digital Audio
 * Resampling*). `ZERO_CROSSINGS` on each side; delay is that many samples of the lower rate.
 */
const ZERO_CROSSINGS = 12;
const CUTOFF = 0.9;

export class Resampler {
  private readonly step: number;
  private readonly bandwidth: number;
  private readonly reach: number;
  private history: Float32Array;
  /** Position of the next output sample, in input samples from the start of `history`. */
  private next: number;

  constructor(inputRate: number, outputRate: number) {
    this.step = inputRate / outputRate;
    this.bandwidth = CUTOFF * Math.min(1, outputRate / inputRate);
    this.reach = Math.ceil(ZERO_CROSSINGS / this.bandwidth);
    this.history = new Float32Array(this.reach);
    this.next = this.reach;
  }

  process(input: Float32Array): Float32Array {
    const samples = new Float32Array(this.history.length + input.length);
    samples.set(this.history);
    samples.set(input, this.history.length);
    const out: number[] = [];
    while (this.next + this.reach < samples.length) {
      out.push(this.at(samples, this.next));
      this.next += this.step;
    }
    const keep = Math.max(0, Math.floor(this.next) - this.reach);
    this.history = samples.slice(keep);
    this.next -= keep;
    return Float32Array.from(out);
  }

  private at(samples: Float32Array, position: number): number {
    const first = Math.max(0, Math.ceil(position - this.reach));
    const last = Math.min(samples.length - 1, Math.floor(position + this.reach));
    let sum = 0;
    for (let i = first; i <= last; i += 1) sum += (samples[i] ?? 0) * this.kernel(i - position);
    return sum;
  }

  private kernel(distance: number): number {
    const x = Math.PI * distance * this.bandwidth;
    const sinc = Math.abs(x) < 1e-9 ? 1 : Math.sin(x) / x;
    return this.bandwidth * sinc * (0.5 + 0.5 * Math.cos((Math.PI * distance) / (this.reach + 1)));
  }
}
