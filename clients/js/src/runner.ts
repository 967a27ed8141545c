/** The shell of the core: carries out its commands on a line, an output and timers. */

import type { AudioOutput, AudioOutputEvents, OutputCounts } from "./audio/ports.js";
import type { Command, OutputCommand, Timer } from "./core/commands.js";
import { Reconnection, type ReconnectOptions } from "./core/reconnection.js";
import { Session, type SessionOptions } from "./core/session.js";
import { type ClientMetrics, Emitter } from "./events.js";
import type { Line, LineEvents, Transport } from "./transports/ports.js";
import { VoiceError } from "./errors.js";

/** Seconds of audio the network may lag behind before more is held back. */
const MOST_LAG = 1;
const METRICS_MS = 1_000;

export interface RunnerOptions extends Omit<SessionOptions, "congested" | "now" | "media"> {
  readonly transport: Transport;
  readonly output: AudioOutput | null;
  readonly reconnect: ReconnectOptions;
}

export class Runner {
  readonly emitter: Emitter = new Emitter();
  readonly session: Session;
  private line: Line | null = null;
  private readonly queue: Command[] = [];
  private draining = false;
  private readonly timers = new Map<Timer, ReturnType<typeof setTimeout>>();
  private counts: OutputCounts = { underruns: 0, overflow: 0, stale: 0 };
  private told = 0;

  constructor(private readonly options: RunnerOptions) {
    const most = MOST_LAG * 2 * options.inputRate;
    const outside = { congested: () => (this.line?.buffered ?? 0) > most, now: () => performance.now() };
    this.session = new Session(
      { ...options, ...outside, media: options.transport.media !== null },
      new Reconnection(options.reconnect),
      (command) => this.queue.push(command),
    );
  }

  /** Let the core take something in, and do what it says. What listeners do meanwhile comes after. */
  run(body: (session: Session) => void): void {
    try {
      body(this.session);
    } finally {
      this.drain();
    }
  }

  metrics(): ClientMetrics {
    const { traffic, reconnections, duplicates } = this.session;
    const { underruns, overflow, stale } = this.counts;
    return {
      roundTripMs: traffic.roundTripMs,
      samplesSent: traffic.samplesSent,
      samplesWaiting: traffic.backlog.waiting,
      samplesLost: traffic.samplesLost,
      messagesWaiting: traffic.outgoing.length,
      reconnections,
      underruns,
      overflow,
      stale: stale + traffic.ledger.stale,
      duplicates: duplicates + traffic.ledger.duplicates,
    };
  }

  private drain(): void {
    if (this.draining) return;
    this.draining = true;
    try {
      for (let command = this.queue.shift(); command !== undefined; command = this.queue.shift()) this.obey(command);
    } finally {
      this.draining = false;
    }
  }

  private obey(command: Command): void {
    switch (command.do) {
      case "emit":
        this.emitter.emit(command.event, command.value);
        if (command.event === "message" && command.value.type === "pong") this.measure();
        return;
      case "connect":
        this.line = this.options.transport.connect(command.hello, this.lineEvents());
        return;
      case "send":
        return this.line?.send(JSON.stringify(command.message));
      case "sendAudio":
        return this.line?.sendAudio(command.pcm);
      case "close":
        this.line?.close(command.code);
        this.line = null;
        return;
      case "arm":
        return this.arm(command.timer, command.ms);
      case "disarm":
        return this.disarm(command.timer);
      case "output":
        if (this.options.output) this.play(this.options.output, command.command);
    }
  }

  /** Events of this line; those of an older one, come too late, say nothing. */
  private lineEvents(): LineEvents {
    let line: Line | null = null;
    const current = (body: (session: Session) => void): void => {
      line ??= this.line;
      if (line === this.line) this.run(body);
    };
    return {
      opened: () => current((session) => session.opened()),
      message: (text) => current((session) => session.message(text)),
      audio: (data) => current((session) => session.audio(data)),
      closed: (code) => current((session) => session.closed(code)),
      failed: (cause) => current(() => this.complain(cause)),
    };
  }

  private complain(cause: unknown): void {
    const error =
      cause instanceof VoiceError
        ? cause
        : new VoiceError("connection_failed", "the connection to the server failed", { retryable: true, cause });
    this.queue.push({ do: "emit", event: "error", value: error });
  }

  private arm(timer: Timer, ms: number): void {
    this.disarm(timer);
    const fire = (): void => {
      this.timers.delete(timer);
      this.run((session) => session.timer(timer));
    };
    this.timers.set(timer, setTimeout(fire, ms));
  }

  private disarm(timer: Timer): void {
    clearTimeout(this.timers.get(timer));
    this.timers.delete(timer);
  }

  private play(output: AudioOutput, command: OutputCommand): void {
    switch (command.do) {
      case "open":
        return output.open(command.rate, this.outputEvents());
      case "push":
        return output.push(command.generation, command.offset, command.pcm);
      default:
        return output[command.do](command.generation);
    }
  }

  private outputEvents(): AudioOutputEvents {
    return {
      played: (generation, samples) => this.run((session) => session.played(generation, samples)),
      level: (reply) => this.emitter.emit("level", { reply }),
      counts: (counts) => {
        this.counts = counts;
        if (performance.now() - this.told >= METRICS_MS) this.measure();
      },
      blocked: (blocked) => this.emitter.emit("sound_blocked", blocked),
      failed: (error) => this.emitter.emit("error", error),
    };
  }

  private measure(): void {
    this.told = performance.now();
    this.emitter.emit("metrics", this.metrics());
  }
}
