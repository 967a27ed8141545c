/** The shape of a sound that grows while it arrives: the loudest of each stretch, drawn as bars. */

/** Seconds of sound per bar. */
const STRETCH = 0.05;
const BAR = 3;
const GAP = 2;

export class Wave extends HTMLElement {
  private readonly canvas = document.createElement("canvas");
  private peaks: number[] = [];
  private filled = 0;
  private highest = 0;

  connectedCallback(): void {
    if (this.canvas.parentElement) return;
    this.canvas.setAttribute("aria-hidden", "true");
    this.append(this.canvas);
    new ResizeObserver(() => this.draw()).observe(this);
    document.addEventListener("vv-theme", () => this.draw());
  }

  clear(): void {
    this.peaks = [];
    this.filled = this.highest = 0;
    this.draw();
  }

  add(samples: Int16Array, rate: number): void {
    const stretch = Math.round(rate * STRETCH);
    for (const sample of samples) {
      this.highest = Math.max(this.highest, Math.abs(sample));
      this.filled += 1;
      if (this.filled < stretch) continue;
      this.peaks.push(this.highest / 32_768);
      this.filled = this.highest = 0;
    }
    this.draw();
  }

  private draw(): void {
    const { clientWidth: width, clientHeight: height } = this;
    const ratio = devicePixelRatio;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const paint = this.canvas.getContext("2d");
    if (!paint || width === 0) return;
    paint.scale(ratio, ratio);
    const style = getComputedStyle(this);
    const most = Math.floor(width / (BAR + GAP));
    // A long sound is drawn whole: each bar then stands for more of it.
    const each = Math.max(1, Math.ceil(this.peaks.length / most));
    for (let bar = 0; bar < most; bar += 1) {
      const part = this.peaks.slice(bar * each, (bar + 1) * each);
      const tall = Math.max(2, Math.max(0, ...part) * height * 0.95);
      paint.fillStyle = style.getPropertyValue(part.length ? "--it" : "--line");
      paint.fillRect(bar * (BAR + GAP), (height - tall) / 2, BAR, tall);
    }
  }
}
