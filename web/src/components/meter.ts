/** Draws the last seconds of both voices as bars that move out from the button. */

const BAR = 3;
const GAP = 3;
const TICK = 50;

export interface Levels {
  microphone: number;
  reply: number;
}

export class Meter {
  private readonly history: Levels[] = [];
  private timer: number | undefined;
  private readonly still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly button: HTMLElement,
    private readonly levels: Levels,
  ) {}

  start(): void {
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    document.addEventListener("vv-theme", () => this.draw());
    this.timer ??= setInterval(() => this.tick(), TICK);
  }

  private tick(): void {
    const now = { microphone: loudness(this.levels.microphone), reply: loudness(this.levels.reply) };
    this.button.style.setProperty("--level", Math.max(now.microphone, now.reply).toFixed(3));
    const quiet = this.history.every(({ microphone, reply }) => microphone === 0 && reply === 0);
    if (document.hidden || this.still.matches || (quiet && now.microphone === 0 && now.reply === 0)) return;
    this.history.unshift(now);
    this.history.length = Math.min(this.history.length, Math.ceil(this.canvas.clientWidth / 2 / (BAR + GAP)));
    this.draw();
  }

  private draw(): void {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = devicePixelRatio;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const paint = this.canvas.getContext("2d");
    if (!paint) return;
    paint.scale(ratio, ratio);
    const style = getComputedStyle(this.canvas);
    const colours = { microphone: style.getPropertyValue("--you"), reply: style.getPropertyValue("--it") };
    const start = this.button.offsetWidth / 2 + 14;
    this.history.forEach(({ microphone, reply }, index) => {
      const distance = start + index * (BAR + GAP);
      const fade = 1 - distance / (width / 2);
      if (fade <= 0) return;
      const level = Math.max(microphone, reply);
      const tall = Math.max(2, level * height * 0.9);
      paint.globalAlpha = fade;
      paint.fillStyle = reply > microphone ? colours.reply : colours.microphone;
      for (const x of [width / 2 + distance, width / 2 - distance - BAR]) {
        paint.fillRect(x, (height - tall) / 2, BAR, tall);
      }
    });
  }
}

/** Root mean square to 0–1 over 45 dB, as the ear takes it. */
function loudness(level: number): number {
  if (level <= 0) return 0;
  return Math.max(0, Math.min(1, (20 * Math.log10(level) + 50) / 45));
}
