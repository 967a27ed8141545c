/** Lets a turn happen again at its own pace: the user's words, the silence there was, the reply as far as it was heard. */

import type { TurnDetail, Voice } from "./shapes";
import { speechEnd } from "./turn-times";

export interface ReplayEvents {
  /** Seconds after the turn began. */
  at(seconds: number): void;
  ended(): void;
}

const TAIL = 0.3;

export class Replay {
  private context: AudioContext | null = null;
  private frame: number | undefined;
  private started = 0;
  playing = false;

  constructor(
    private readonly turn: TurnDetail,
    private readonly sound: ((voice: Voice) => Promise<ArrayBuffer>) | null,
    private readonly events: ReplayEvents,
  ) {}

  async play(): Promise<void> {
    this.stop();
    this.playing = true;
    const context = new AudioContext();
    this.context = context;
    let end = this.turn.steps.at(-1)?.at ?? 0;
    try {
      const voices = await Promise.all(this.turn.recorded.map(async (voice) => [voice, await this.decoded(context, voice)] as const));
      if (this.context !== context) return;
      // The user's recording begins a little before the turn was noticed.
      const lead = Math.max(0, ...this.turn.recorded.map((voice) => -this.startOf(voice)));
      this.started = context.currentTime + 0.05 + lead;
      for (const [voice, buffer] of voices) {
        if (!buffer) continue;
        const source = new AudioBufferSourceNode(context, { buffer });
        source.connect(context.destination);
        source.start(this.started + this.startOf(voice));
        end = Math.max(end, this.startOf(voice) + buffer.duration);
      }
    } catch (error) {
      this.stop();
      throw error;
    }
    this.follow(end + TAIL);
  }

  stop(): void {
    this.playing = false;
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    this.frame = undefined;
    void this.context?.close();
    this.context = null;
  }

  /** Seconds after the turn's begin at which a voice's recording starts. */
  private startOf(voice: Voice): number {
    const { speech_end, waterfall } = this.turn;
    const end = speechEnd(this.turn);
    return voice === "user" ? end - speech_end : end + (waterfall.first_played ?? waterfall.first_sent ?? 0);
  }

  private async decoded(context: AudioContext, voice: Voice): Promise<AudioBuffer | null> {
    return this.sound ? context.decodeAudioData(await this.sound(voice)) : null;
  }

  private follow(end: number): void {
    const context = this.context;
    if (!context) return;
    const seconds = context.currentTime - this.started;
    this.events.at(Math.max(0, seconds));
    if (seconds >= end) {
      this.stop();
      this.events.ended();
      return;
    }
    this.frame = requestAnimationFrame(() => this.follow(end));
  }
}
