/** A server that keeps the protocol of `/ws/audio`, resumption included, without engines: what it hears it writes down. */

import type { ClientMessage, Ready, Resume, ServerMessage, SessionResumed } from "../src/wire/messages.js";

export const READY: Ready = {
  type: "ready",
  seq: 1,
  resume: null,
  session: "",
  version: 1,
  audio: {
    input: { rate: 16_000, encoding: "pcm_s16le", channels: 1 },
    output: { rate: 24_000, frame_ms: 20, header_bytes: 16, encoding: "pcm_s16le", channels: 1 },
  },
  settings: {
    language: "en",
    voice: "anna",
    mode: "auto",
    stt: "ears",
    llm: "mind",
    tts: "voice",
    speculation: "local",
    acknowledge: true,
    wake_words: [],
    wake_timeout: 8,
  },
  languages: ["en", "es"],
  providers: { stt: ["ears"], llm: ["mind"], tts: ["voice"] },
  voices: [{ id: "anna", name: "Anna", language: "en", gender: null }],
  modes: ["auto", "push_to_talk", "manual"],
  limits: {
    audio_message_bytes: [2, 1_000_000],
    text_characters: [1, 5_000],
    control_messages_per_minute: 240,
    played_per_second: 60,
    audio_speed: 4,
    audio_burst_seconds: 10,
  },
};

const FRAME = 480;

/** How the server reaches a client. */
export interface Visitor {
  message(text: string): void;
  audio(data: ArrayBuffer): void;
  close(code: number): void;
}

type Body = Partial<ServerMessage> & { type: ServerMessage["type"] };

/** One session and everything that happened in it. */
export class ModelSession {
  readonly log: string[] = [];
  /** Every microphone sample received. */
  readonly input: number[] = [];
  readonly texts: string[] = [];
  /** Other control messages, with the number of microphone samples received before each. */
  readonly controls: { type: string; at: number }[] = [];
  /** Samples of each reply, and how many were sent to whoever was there. */
  readonly replies = new Map<number, { pcm: number[]; sent: number; over: boolean }>();
  readonly played: [number, number][] = [];
  visitor: Visitor | null = null;
  /** Visitors this session has had. */
  visits = 0;
  token = "";
  /** A token that was used, as long as nothing proves that the client has its successor. */
  before = "";
  turn = 0;
  generation = 0;

  constructor(readonly id: string) {}

  tell(body: Body): void {
    const stamp = { turn: this.turn, revision: 1, generation: this.generation };
    const text = JSON.stringify({ ...stamp, ...body, seq: this.log.length + 1 });
    this.log.push(text);
    this.visitor?.message(text);
  }

  /** The next reply begins. */
  reply(): void {
    this.generation += 1;
    this.replies.set(this.generation, { pcm: [], sent: 0, over: false });
    this.tell({ type: "reply_started" });
  }

  /** `count` samples of the reply, each with the value of its place. */
  speak(count: number): void {
    const reply = this.replies.get(this.generation);
    if (!reply || reply.over) return;
    for (let i = 0; i < count; i += 1) reply.pcm.push((reply.pcm.length + 1) % 30_000);
    this.flush();
  }

  interrupt(reason: string): void {
    const reply = this.replies.get(this.generation);
    if (!reply || reply.over) return;
    reply.over = true;
    this.tell({ type: "interrupted", at: 0, heard: "", reason });
  }

  flush(): void {
    for (const [generation, reply] of this.replies) {
      while (this.visitor && !reply.over && reply.sent < reply.pcm.length) {
        const pcm = reply.pcm.slice(reply.sent, reply.sent + FRAME);
        this.visitor.audio(frame(this.turn, generation, reply.sent, pcm));
        reply.sent += pcm.length;
      }
    }
  }
}

export interface ModelOptions {
  /** A used token stays good until the client is heard on its new connection. */
  readonly lenient?: boolean;
  /** Whether sessions can be resumed at all. */
  readonly resumable?: boolean;
}

export class ModelServer {
  readonly sessions: ModelSession[] = [];
  private tokens = 0;

  constructor(private readonly options: ModelOptions = {}) {}

  visit(visitor: Visitor): Visit {
    return new Visit(this, visitor, this.options);
  }

  newToken(): string {
    this.tokens += 1;
    return `token-${this.tokens}`;
  }

  /** Time is up for everybody who is away. */
  expire(): void {
    for (const session of this.sessions) {
      if (session.visitor === null) session.token = "";
    }
  }
}

/** One connection. */
export class Visit {
  session: ModelSession | null = null;

  constructor(
    private readonly server: ModelServer,
    private readonly visitor: Visitor,
    private readonly options: ModelOptions,
  ) {}

  message(text: string): void {
    const said: ClientMessage = JSON.parse(text);
    if (this.session === null) return this.first(said);
    if (this.session.visitor !== this.visitor) return;
    this.session.before = "";
    this.take(this.session, said);
  }

  audio(pcm: Int16Array): void {
    if (this.session?.visitor !== this.visitor) return;
    this.session.before = "";
    this.session.input.push(...pcm);
  }

  /** The connection is gone. */
  lost(): void {
    if (this.session === null || this.session.visitor !== this.visitor) return;
    this.session.visitor = null;
  }

  private first(said: ClientMessage): void {
    if (said.type === "resume") return this.resume(said);
    if (said.type !== "hello") throw new Error(`a session begins with hello, not ${said.type}`);
    const session = new ModelSession(`session-${this.server.sessions.length + 1}`);
    this.server.sessions.push(session);
    this.carry(session);
    const resumable = this.options.resumable ?? true;
    session.token = resumable ? this.server.newToken() : "";
    const resume = resumable ? { token: session.token, window_s: 60 } : null;
    session.tell({ ...READY, session: session.id, ...{ resume } });
  }

  private resume(said: Resume): void {
    const session = this.server.sessions.find(({ id, token, before }) => id === said.session && token !== "" && [token, before].includes(said.token));
    const sent = session?.replies.get(said.generation ?? -1);
    if (!session || said.seq > session.log.length || (said.samples ?? 0) > (sent?.pcm.length ?? 0)) {
      const code = session ? "resume_gap" : "session_not_found";
      const error = { type: "error", seq: 1, turn: 0, revision: 0, generation: 0, code, message: code, retryable: false };
      return this.visitor.message(JSON.stringify({ ...error, retry_after: null }));
    }
    session.visitor?.close(4001);
    session.before = this.options.lenient ? said.token : "";
    session.token = this.server.newToken();
    this.carry(session);
    const missed = session.log.slice(said.seq);
    const resumed: SessionResumed = {
      type: "session_resumed",
      seq: said.seq,
      session: session.id,
      input_samples: session.input.length,
      resume: { token: session.token, window_s: 60 },
      replayed: missed.length,
    };
    this.visitor.message(JSON.stringify(resumed));
    for (const text of missed) this.visitor.message(text);
    for (const [generation, reply] of session.replies) {
      const held = generation === said.generation ? (said.samples ?? 0) : generation < (said.generation ?? 0) ? reply.sent : 0;
      reply.sent = Math.min(reply.sent, held);
    }
    session.flush();
  }

  private carry(session: ModelSession): void {
    this.session = session;
    session.visitor = this.visitor;
    session.visits += 1;
  }

  private take(session: ModelSession, said: ClientMessage): void {
    switch (said.type) {
      case "ping":
        return session.tell({ type: "pong", id: said.id ?? null });
      case "played":
        session.played.push([said.generation, said.samples]);
        return;
      case "goodbye":
        session.tell({ type: "goodbye", reason: "the client said goodbye" });
        session.token = "";
        return this.visitor.close(1000);
      case "text":
        session.texts.push(said.text);
        session.turn += 1;
        return session.tell({ type: "transcription", text: said.text.trim(), final: true, stable: 0 });
      case "commit":
        session.turn += 1;
        session.tell({ type: "speech_started", at: 0 });
        session.tell({ type: "transcription", text: "spoken words", final: true, stable: 0 });
        break;
      case "interrupt":
        session.interrupt("command");
        break;
      case "setVoice":
        session.tell({ type: "settings", name: "voice", value: said.voice });
    }
    session.controls.push({ type: said.type, at: session.input.length });
  }
}

export function frame(turn: number, generation: number, offset: number, pcm: readonly number[], version = 1): ArrayBuffer {
  const data = new ArrayBuffer(16 + pcm.length * 2);
  const view = new DataView(data);
  view.setUint8(0, version);
  view.setUint16(2, 1, true);
  view.setUint32(4, turn, true);
  view.setUint32(8, generation, true);
  view.setUint32(12, offset, true);
  pcm.forEach((sample, i) => view.setInt16(16 + 2 * i, sample, true));
  return data;
}
