/** What flows while a session stands, both ways, and what of it survives its connection. */

import { VoiceError } from "../errors.js";
import { type AudioFrame, parseFrame } from "../wire/frames.js";
import type { Ready, ServerMessage } from "../wire/messages.js";
import { Backlog } from "./backlog.js";
import type { Sink } from "./commands.js";
import { Ledger } from "./ledger.js";
import { type Control, Outgoing } from "./outgoing.js";
import { Work } from "./work.js";

/** Seconds of audio in one message: the server likes 10 to 100 ms. */
const MESSAGE_SECONDS = 0.1;
const DRAIN_MS = 50;

export interface TrafficOptions {
  readonly inputRate: number;
  /** Seconds of microphone audio kept for the server that has not got it. */
  readonly backlogSeconds: number;
  /** Control messages kept for a connection to come. */
  readonly queueLength: number;
  /** Whether the line takes no more audio just now. */
  readonly congested: () => boolean;
  /** Milliseconds of some monotonic clock. */
  readonly now: () => number;
}

export class Traffic {
  readonly ledger: Ledger = new Ledger();
  readonly work: Work = new Work();
  readonly outgoing: Outgoing;
  readonly backlog: Backlog;
  roundTripMs: number | null = null;
  samplesSent = 0;
  samplesLost = 0;

  private played: { generation: number; samples: number } | null = null;
  private pinged = { id: -1, at: 0 };
  private readonly message: number;

  constructor(
    private readonly options: TrafficOptions,
    private readonly tell: Sink,
  ) {
    this.outgoing = new Outgoing(options.queueLength);
    this.backlog = new Backlog(Math.round(options.backlogSeconds * options.inputRate));
    this.message = Math.round(MESSAGE_SECONDS * options.inputRate);
  }

  /** A new session, which hears the microphone from `position` on. */
  restart(ready: Ready, position: number): void {
    this.ledger.restart();
    this.work.restart();
    this.outgoing.restart(position);
    this.backlog.restart(position);
    this.played = null;
    this.tell({ do: "output", command: { do: "open", rate: ready.audio.output.rate } });
  }

  /** The session goes on, and the server has received so many of its samples. */
  rewind(samples: number): void {
    this.backlog.rewind(samples);
  }

  /** Everything the server missed goes out, in the order in which it was said. */
  repeat(): void {
    if (this.played) this.tell({ do: "send", message: { type: "played", ...this.played } });
    this.outgoing.repeat();
    this.pump();
  }

  /** @throws VoiceError `queue_full` */
  say(message: Control): void {
    if (this.outgoing.add(message, this.backlog.end)) return;
    throw new VoiceError("queue_full", "too much waits for the connection already: wait until it is back", {
      retryable: true,
    });
  }

  /** The ear has heard so much; reports of an older session are not passed on. */
  heardByEar(generation: number, samples: number, open: boolean): void {
    if (generation <= 0 || generation > this.ledger.newest) return;
    this.played = { generation, samples };
    if (open) this.tell({ do: "send", message: { type: "played", generation, samples } });
  }

  /** Send what waits: audio and messages in the order in which they came about. */
  pump(): void {
    let said = false;
    for (let more = true; more; ) {
      const head = this.outgoing.head;
      more = this.sendAudio(head?.at ?? this.backlog.end);
      if (more || head === undefined || this.backlog.position < head.at) continue;
      this.tell({ do: "send", message: head.message });
      if (head.message.type === "text") this.work.asked();
      if (head.message.type === "reset") this.work.restart();
      this.outgoing.sent();
      said = more = true;
    }
    if (said) this.ping();
  }

  /** A sign of life, and the proof that all before it arrived. */
  ping(): void {
    this.pinged = { id: this.outgoing.last, at: this.options.now() };
    this.tell({ do: "send", message: { type: "ping", id: this.pinged.id } });
    this.tell({ do: "arm", timer: "pong", ms: 10_000 });
  }

  /** A message that was not heard before. */
  heard(message: ServerMessage): void {
    this.outgoing.heard(message);
    this.work.heard(message);
    switch (message.type) {
      case "pong":
        if (message.id === this.pinged.id) this.roundTripMs = this.options.now() - this.pinged.at;
        return;
      case "paused":
        this.ledger.mention(message.generation);
        return this.tell({ do: "output", command: { do: "pause", generation: message.generation } });
      case "resumed":
        return this.tell({ do: "output", command: { do: "resume", generation: message.generation } });
      case "interrupted":
        this.ledger.clear(message.generation);
        return this.tell({ do: "output", command: { do: "clear", generation: message.generation } });
    }
  }

  /** Audio of a reply. @throws VoiceError `wire_error` */
  audio(data: ArrayBuffer): void {
    const frame: AudioFrame | null = this.ledger.accept(parseFrame(data));
    if (frame === null) return;
    const { generation, offset, pcm } = frame;
    this.tell({ do: "emit", event: "audio", value: frame });
    this.tell({ do: "output", command: { do: "push", generation, offset, pcm } });
  }

  /** False where there is none to be sent before `limit`, or the line takes none. */
  private sendAudio(limit: number): boolean {
    this.leaveOut();
    if (this.backlog.position >= limit) return false;
    if (this.options.congested()) {
      this.tell({ do: "arm", timer: "drain", ms: DRAIN_MS });
      return false;
    }
    const pcm = this.backlog.take(limit, this.message);
    if (pcm === null) return false;
    this.samplesSent += pcm.length;
    this.tell({ do: "sendAudio", pcm });
    return true;
  }

  private leaveOut(): void {
    const samples = this.backlog.gap();
    if (samples === 0) return;
    this.samplesLost += samples;
    this.tell({ do: "emit", event: "audio_gap", value: { samples, seconds: samples / this.options.inputRate } });
  }
}
