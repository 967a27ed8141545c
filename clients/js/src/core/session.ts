/**
 * The life of a session over the connections that carry it: events in, commands out. It has no clock, no sockets, no promises.
 */

import { VoiceError } from "../errors.js";
import type { ClientState, EventName, SessionLost, VoiceEvents } from "../events.js";
import { parseMessage, PROTOCOL_VERSION } from "../wire/frames.js";
import type { Hello, Ready, Resumption, ServerMessage, SessionResumed } from "../wire/messages.js";
import { announce, emission } from "./announce.js";
import type { Sink, Timer } from "./commands.js";
import type { Control } from "./outgoing.js";
import type { Reconnection, Verdict } from "./reconnection.js";
import { Traffic, type TrafficOptions } from "./traffic.js";
import { type Wishes, wished } from "./wishes.js";

const OPENING_MS = 10_000;
const PING_MS = 15_000;
const ABNORMAL = 1006;
const FINAL = new Set<Verdict["reason"]>(["closed", "ended", "taken_over"]);
const REFUSALS = new Set(["session_not_found", "resume_gap"]);
const TIMERS: readonly Timer[] = ["retry", "opening", "ping", "pong", "drain"];

export interface SessionOptions extends TrafficOptions {
  readonly audio: NonNullable<Hello["audio"]>;
  readonly acknowledge: boolean;
  readonly wishes: Wishes;
  /** Whether the transport itself asks for the session, and carries its sound. */
  readonly media: boolean;
}

/**
 * - `idle`: nothing is open. `waiting`: for the next try. `opening`: a connection is being made.
 * - `greeting`: `hello` was said. `resuming`: `resume` was said. `replaying`: what was missed is coming in. `open`: in use.
 */
type Link = "idle" | "waiting" | "opening" | "greeting" | "resuming" | "replaying" | "open";

export class Session {
  readonly traffic: Traffic;
  ready: Ready | null = null;
  reconnections = 0;
  duplicates = 0;

  private link: Link = "idle";
  private wishes: Wishes;
  private ticket: Resumption | null = null;
  private session = "";
  private seq = 0;
  private resumed: SessionResumed | null = null;
  private replayLeft = 0;
  /** Where a new session would begin to hear the microphone. */
  private unheard = 0;
  private retryAfter: number | null = null;
  /** Somebody ended this session on purpose: another is not opened of itself. */
  private dismissed = false;
  private listening = false;
  private shown: ClientState = "DISCONNECTED";

  constructor(
    private readonly options: SessionOptions,
    private readonly reconnection: Reconnection,
    private readonly tell: Sink,
  ) {
    this.wishes = options.wishes;
    this.traffic = new Traffic(options, tell);
  }

  get state(): ClientState {
    if (this.link === "idle") return "DISCONNECTED";
    if (this.link !== "open") return this.ready || this.reconnection.attempts > 0 ? "RECONNECTING" : "CONNECTING";
    if (this.traffic.work.busy) return "PROCESSING";
    return this.listening ? "LISTENING" : "CONNECTED";
  }

  get open(): boolean {
    return this.link === "open";
  }

  connect(): void {
    if (this.link !== "idle") return;
    this.reconnection.succeeded();
    this.dial();
  }

  /** The network is there again: do not wait for the next try. */
  online(): void {
    if (this.link === "waiting") this.dial();
  }

  disconnect(): void {
    if (this.link === "idle") return;
    if (this.link === "open" || this.link === "replaying" || this.link === "greeting") {
      this.tell({ do: "send", message: { type: "goodbye" } });
    }
    this.hangUp(1000);
    this.over({ reason: "closed", delay: null }, 1000);
  }

  /** The connection is there. */
  opened(): void {
    if (this.link !== "opening") return;
    if (this.ticket === null) return this.greet("not_resumable");
    this.to("resuming");
    const { generation, samples } = this.traffic.ledger.held;
    const { session, seq, ticket } = this;
    this.tell({ do: "send", message: { type: "resume", session, token: ticket.token, seq, generation, samples } });
  }

  message(text: string): void {
    this.tell({ do: "disarm", timer: "pong" });
    this.guarded(() => this.receive(parseMessage(text)));
    this.show();
  }

  audio(data: ArrayBuffer): void {
    this.tell({ do: "disarm", timer: "pong" });
    // Audio comes behind everything that was to come again.
    if (this.link === "replaying") this.settle();
    this.guarded(() => this.traffic.audio(data));
  }

  /** The connection is gone, or never came about. */
  closed(code: number): void {
    if (this.link === "idle" || this.link === "waiting") return;
    if (this.link === "open" || this.link === "replaying") this.unheard = this.traffic.backlog.position;
    const verdict: Verdict = this.dismissed
      ? { reason: "ended", delay: null }
      : this.reconnection.closed(code, this.retryAfter);
    this.retryAfter = null;
    this.over(verdict, code);
  }

  timer(timer: Timer): void {
    switch (timer) {
      case "retry":
        return this.online();
      case "ping":
        return this.keepAlive();
      case "drain":
        if (this.open) this.traffic.pump();
        return;
      case "opening":
      case "pong":
        // A line that is cut without a word looks open for minutes.
        this.hangUp(4000);
        this.closed(ABNORMAL);
    }
  }

  /** Say something, now or when the connection is back. @throws VoiceError `queue_full` */
  say(message: Control): void {
    this.traffic.say(message);
    this.wishes = wished(this.wishes, message);
    if (this.open) this.traffic.pump();
    this.show();
  }

  microphone(pcm: Int16Array): void {
    this.traffic.backlog.append(pcm);
    if (this.open) this.traffic.pump();
  }

  played(generation: number, samples: number): void {
    this.traffic.heardByEar(generation, samples, this.open);
  }

  hear(listening: boolean): void {
    this.listening = listening;
    this.show();
  }

  private dial(): void {
    if (this.ready) this.reconnections += 1;
    this.to("opening");
    this.tell({ do: "disarm", timer: "retry" });
    this.tell({ do: "arm", timer: "opening", ms: OPENING_MS });
    this.tell({ do: "connect", hello: this.hello() });
  }

  private greet(reason: SessionLost["reason"]): void {
    if (this.session) this.emit("session_lost", { session: this.session, reason });
    this.session = "";
    this.ticket = null;
    this.to("greeting");
    if (!this.options.media) this.tell({ do: "send", message: this.hello() });
  }

  private hello(): Hello {
    const { audio, acknowledge } = this.options;
    return { type: "hello", version: PROTOCOL_VERSION, audio, acknowledge, ...this.wishes };
  }

  private receive(message: ServerMessage): void {
    if (message.type === "session_resumed") return this.resume(message);
    if (message.type === "ready") return this.begin(message);
    if (this.link === "greeting" || this.link === "resuming") return this.refused(message);
    const fresh = this.isNew(message.seq);
    if (fresh) {
      this.traffic.heard(message);
      if (message.type === "error" && message.code === "session_ended") this.dismissed = true;
      announce(message, this.tell);
    }
    if (this.link !== "replaying") return;
    this.replayLeft -= 1;
    if (this.replayLeft <= 0) this.settle();
  }

  private begin(ready: Ready): void {
    if (this.link !== "greeting") return;
    this.ready = ready;
    this.dismissed = false;
    this.session = ready.session;
    // Older servers say nothing of either.
    this.ticket = ready.resume ?? null;
    this.seq = ready.seq ?? 0;
    this.traffic.restart(ready, this.unheard);
    this.established();
    announce(ready, this.tell);
    this.traffic.pump();
  }

  private resume(message: SessionResumed): void {
    if (this.link !== "resuming") return;
    this.resumed = message;
    this.ticket = message.resume;
    this.replayLeft = message.replayed;
    this.traffic.rewind(message.input_samples);
    this.to("replaying");
    if (this.replayLeft === 0) this.settle();
  }

  /** All that was missed has come: what arrived of our own is known now, and the rest goes out. */
  private settle(): void {
    const { session, replayed, seq } = this.resumed ?? { session: this.session, replayed: 0, seq: 0 };
    this.seq = Math.max(this.seq, seq);
    this.established();
    this.emit("session_resumed", { session, replayed });
    this.traffic.repeat();
  }

  private established(): void {
    this.reconnection.succeeded();
    this.to("open");
    this.tell({ do: "disarm", timer: "opening" });
    this.keepAlive();
  }

  private keepAlive(): void {
    this.traffic.ping();
    this.tell({ do: "arm", timer: "ping", ms: PING_MS });
  }

  /** Before a session stands only errors are said. */
  private refused(message: ServerMessage): void {
    if (message.type !== "error") return;
    if (this.link === "resuming" && REFUSALS.has(message.code)) return this.greet(message.code);
    announce(message, this.tell);
    this.retryAfter = message.retry_after;
    if (message.retryable || this.link !== "greeting") return;
    const asked = Object.keys(this.wishes).length > 0;
    this.wishes = {};
    // A restarted server may not know a voice or provider any more: that must not keep anybody out.
    if (this.ready && asked) return this.greet("");
    this.hangUp(1000);
    this.over({ reason: "refused", delay: null }, 1000);
  }

  /** Whether a numbered message was not heard before. */
  private isNew(seq: number | undefined): boolean {
    if (seq === undefined) return true;
    if (seq <= this.seq) {
      this.duplicates += 1;
      return false;
    }
    const missed = seq - this.seq - 1;
    if (missed > 0) this.emit("error", new VoiceError("sequence_gap", `${missed} messages of the server are missing`));
    this.seq = seq;
    return true;
  }

  private hangUp(code: number): void {
    this.tell({ do: "close", code });
  }

  private over(verdict: Verdict, code: number): void {
    for (const timer of TIMERS) this.tell({ do: "disarm", timer });
    const { reason, delay } = verdict;
    if (delay === null) {
      this.unheard = this.traffic.backlog.end;
      if (FINAL.has(reason)) this.forget();
    } else {
      this.tell({ do: "arm", timer: "retry", ms: delay * 1000 });
    }
    const attempt = this.reconnection.attempts;
    this.to(delay === null ? "idle" : "waiting");
    this.emit("disconnected", { reason, code, retryIn: delay, attempt });
  }

  /** A session that is over for good answers nothing that was said to it. Any other may still be there for the next `connect`. */
  private forget(): void {
    this.ready = null;
    this.ticket = null;
    this.session = "";
    this.traffic.outgoing.clear();
  }

  private to(link: Link): void {
    this.link = link;
    this.show();
  }

  private show(): void {
    const from = this.shown;
    const to = this.state;
    if (from === to) return;
    this.shown = to;
    this.emit("statechange", { from, to });
  }

  private emit<K extends EventName>(event: K, value: VoiceEvents[K]): void {
    this.tell(emission(event, value));
  }

  private guarded(body: () => void): void {
    try {
      body();
    } catch (error) {
      if (!(error instanceof VoiceError)) throw error;
      this.emit("error", error);
    }
  }
}
