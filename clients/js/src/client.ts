/** A conversation with a Vivavoce server. */

import { AudioPlayback } from "./audio/playback.js";
import type { AudioInput, AudioInputEvents, AudioOutput } from "./audio/ports.js";
import { AudioProcessor } from "./audio/processor.js";
import type { Control } from "./core/outgoing.js";
import type { ReconnectOptions } from "./core/reconnection.js";
import type { Wishes } from "./core/wishes.js";
import { VoiceError } from "./errors.js";
import type { ClientMetrics, ClientState, EventName, Listener } from "./events.js";
import { Runner } from "./runner.js";
import type { Transport } from "./transports/ports.js";
import { type SocketLike, type Source, WebSocketTransport } from "./transports/websocket.js";
import type { AudioWish, Ready, ServerMessage, Settings } from "./wire/messages.js";

export type Mode = Settings["mode"];
export type ProviderKind = "stt" | "llm" | "tts";

/** Everything is optional: in a page that the server itself serves, `new RealtimeVoiceClient()` will do. */
export interface VoiceClientOptions extends Wishes {
  /** Address of `/ws/audio`. Default: `ws/audio` beside the page. */
  readonly url?: Source<string | URL>;
  /** A one-time token, or how to get one. */
  readonly token?: Source<string>;
  /** Makes the WebSocket where there is no global one. */
  readonly socket?: (url: string) => SocketLike;
  /** Another way to the server than a WebSocket; then `url`, `token` and `socket` are its own affair. */
  readonly transport?: Transport;
  /** The microphone. Default: the browser's, where there is one; null for none. */
  readonly input?: AudioInput | null;
  /** The loudspeaker. Default: the browser's, where there is one; null for none: then listen to `audio`. */
  readonly output?: AudioOutput | null;
  /** Formats. Default: 16 kHz in, 24 kHz out. */
  readonly audio?: AudioWish;
  /** Whether `played` will be told. Default: true where there is an output. */
  readonly acknowledge?: boolean;
  readonly reconnect?: ReconnectOptions;
  /** Seconds of microphone audio kept for a connection that is away. Default 10, which is also the most the server takes. */
  readonly backlogSeconds?: number;
  /** Texts and control messages kept for a connection that is away. Default 64. */
  readonly queueLength?: number;
}

const INPUT_RATE = 16_000;
const OUTPUT_RATE = 24_000;
const MOST_BACKLOG = 10;
const MOST_QUEUED = 64;
const MOST_TEXT = 5_000;

/**
 * Connection, routing, state and events. Make one, `on(…)` what matters, `connect()`, `startListening()`.
 *
 * A connection that drops is made again and the session taken up where it broke off. Texts and control messages said meanwhile
 * wait in a bounded queue, the microphone in a bounded ring.
 */
export class RealtimeVoiceClient {
  private readonly runner: Runner;
  private readonly transport: Transport;
  private readonly input: AudioInput | null;
  private readonly output: AudioOutput | null;
  private readonly inputRate: number;
  private inForce: Settings | null = null;
  private mode: Mode;
  private speech = false;
  private held = false;
  private failure: VoiceError | null = null;
  private microphone: Promise<void> | null = null;
  private readonly wake = (): void => this.runner.run((session) => session.online());

  constructor(options: VoiceClientOptions = {}) {
    const { url, token, socket, transport, input, output, audio, acknowledge, reconnect, ...rest } = options;
    const { backlogSeconds = MOST_BACKLOG, queueLength = MOST_QUEUED, ...wishes } = rest;
    this.transport =
      transport ??
      new WebSocketTransport({ url: url ?? "ws/audio", ...(token !== undefined && { token }), ...(socket && { socket }) });
    const browser = typeof AudioContext !== "undefined" && this.transport.media === null;
    this.input = input === undefined && browser ? new AudioProcessor() : (input ?? null);
    this.output = output === undefined && browser ? new AudioPlayback() : (output ?? null);
    this.inputRate = audio?.input_rate ?? INPUT_RATE;
    this.mode = wishes.mode ?? "auto";
    this.runner = new Runner({
      transport: this.transport,
      output: this.output,
      reconnect: reconnect ?? {},
      audio: { output_rate: OUTPUT_RATE, ...audio, input_rate: this.inputRate },
      acknowledge: acknowledge ?? this.output !== null,
      wishes,
      inputRate: this.inputRate,
      backlogSeconds,
      queueLength,
    });
    this.on("message", (message) => this.follow(message));
    this.on("error", (error) => {
      this.failure = error;
    });
    this.transport.media?.listen({
      level: (levels) => this.runner.emitter.emit("level", levels),
      blocked: (blocked) => this.runner.emitter.emit("sound_blocked", blocked),
      ended: (error) => this.unplugged(error),
    });
  }

  get state(): ClientState {
    return this.runner.session.state;
  }

  /** What the server said when it opened the present session; null where there is none. */
  get ready(): Ready | null {
    return this.runner.session.ready;
  }

  /** Settings in force. */
  get settings(): Settings | null {
    return this.inForce;
  }

  get metrics(): ClientMetrics {
    return this.runner.metrics();
  }

  /** Typed texts that the server is not known to have, in order: they go out when the connection is back. */
  get unsent(): readonly string[] {
    return this.runner.session.traffic.outgoing.texts;
  }

  get listening(): boolean {
    return this.microphone !== null;
  }

  /** Returns what takes the listener off again. */
  on<K extends EventName>(event: K, listener: Listener<K>): () => void {
    return this.runner.emitter.on(event, listener);
  }

  once<K extends EventName>(event: K, listener: Listener<K>): () => void {
    return this.runner.emitter.once(event, listener);
  }

  off<K extends EventName>(event: K, listener: Listener<K>): void {
    this.runner.emitter.off(event, listener);
  }

  /**
   * Resolves when a session is open. Rejects with a VoiceError where the server refuses or tries are used up; a connection that
   * is lost for a moment is made again meanwhile.
   */
  connect(): Promise<Ready> {
    const { ready, open } = this.runner.session;
    if (ready && open) return Promise.resolve(ready);
    return new Promise((resolve, reject) => {
      this.failure = null;
      const offs = [
        this.on("ready", (message) => {
          for (const off of offs) off();
          resolve(message);
        }),
        this.on("session_resumed", () => {
          for (const off of offs) off();
          if (this.ready) resolve(this.ready);
        }),
        this.on("disconnected", ({ reason, retryIn }) => {
          if (retryIn !== null) return;
          for (const off of offs) off();
          reject(this.failure ?? new VoiceError(`connection_${reason}`, `there is no connection to the server: ${reason}`));
        }),
      ];
      globalThis.addEventListener?.("online", this.wake);
      this.runner.run((session) => session.connect());
    });
  }

  /** Say goodbye and let go of microphone, loudspeaker and everything that waits. */
  async disconnect(): Promise<void> {
    globalThis.removeEventListener?.("online", this.wake);
    this.runner.run((session) => session.disconnect());
    await this.stopListening();
    await this.output?.close();
  }

  /** Open the microphone. Rejects with a VoiceError `microphone_…`. */
  startListening(): Promise<void> {
    this.microphone ??= this.openMicrophone().catch((error: unknown) => {
      this.microphone = null;
      throw error;
    });
    return this.microphone;
  }

  /** Close the microphone. What was being said is over: nothing will follow, not even silence. */
  async stopListening(): Promise<void> {
    if (this.microphone === null) return;
    await this.microphone;
    await this.input?.flush();
    if (this.speech && this.mode === "auto" && this.state !== "DISCONNECTED") this.commit();
    await this.closeMicrophone();
  }

  /** Push-to-talk: key or button down. The microphone stays open between two presses, but is heard only while pressed. */
  press(): Promise<void> {
    this.held = true;
    return this.startListening();
  }

  /** Push-to-talk: key or button up. The turn is over. */
  async release(): Promise<void> {
    if (!this.held) return;
    // The last piece of a frame goes out before the commit.
    await this.input?.flush();
    this.held = false;
    this.runner.emitter.emit("level", { microphone: 0 });
    if (this.microphone) this.commit();
  }

  /** PCM of a source of your own, mono, at the input rate: in place of an `input`. */
  sendAudio(pcm: Int16Array): void {
    if (this.transport.media) throw new VoiceError("no_frames", "this transport takes a microphone, not frames");
    this.runner.run((session) => session.microphone(pcm));
  }

  /** A player of your own has played so many samples of a reply: where there is no `output` and `acknowledge` is on. */
  played(generation: number, samples: number): void {
    this.runner.run((session) => session.played(generation, samples));
  }

  /** A typed turn. Where the connection is away it waits. Throws VoiceError `invalid_text` or `queue_full`. */
  sendText(text: string): void {
    // Characters, not halves of them.
    const { length } = [...text.trim()];
    if (length < 1 || length > MOST_TEXT) {
      throw new VoiceError("invalid_text", `a text has 1 to ${MOST_TEXT} characters, this one has ${length}`);
    }
    this.say({ type: "text", text });
  }

  /** The user's turn is over. */
  commit(): void {
    this.say({ type: "commit" });
  }

  /** Cut the reply. */
  interrupt(): void {
    this.say({ type: "interrupt" });
  }

  /** Forget the conversation. */
  reset(): void {
    this.say({ type: "reset" });
  }

  setLanguage(language: string): void {
    this.say({ type: "setLanguage", language });
  }

  setVoice(voice: string): void {
    this.say({ type: "setVoice", voice });
  }

  setMode(mode: Mode): void {
    this.mode = mode;
    this.say({ type: "setMode", mode });
  }

  setProvider(kind: ProviderKind, name: string): void {
    this.say({ type: "setProvider", kind, name });
  }

  /** Let sound out. Browsers allow it only from a click or key press: call this from one. */
  async unlock(): Promise<void> {
    await (this.transport.media ?? this.output)?.unlock();
  }

  private say(message: Control): void {
    this.runner.run((session) => session.say(message));
  }

  private follow(message: ServerMessage): void {
    switch (message.type) {
      case "ready":
        this.inForce = message.settings;
        this.mode = message.settings.mode;
        this.speech = false;
        return;
      case "settings":
        if (this.inForce && message.name in this.inForce) this.inForce = { ...this.inForce, [message.name]: message.value };
        this.mode = this.inForce?.mode ?? this.mode;
        return;
      case "speech_started":
        this.speech = true;
        return;
      case "speech_stopped":
      case "turn_discarded":
        this.speech = false;
    }
  }

  private async openMicrophone(): Promise<void> {
    const { media } = this.transport;
    if (media) await media.startMicrophone();
    else if (this.input) await this.input.start(this.inputRate, this.inputEvents());
    else throw new VoiceError("no_microphone", "there is no microphone here: pass an `input`, or use sendAudio");
    this.runner.run((session) => session.hear(true));
    this.runner.emitter.emit("listening_started", null);
  }

  private async closeMicrophone(): Promise<void> {
    this.microphone = null;
    this.speech = this.held = false;
    await (this.transport.media ? this.transport.media.stopMicrophone() : this.input?.stop());
    this.runner.run((session) => session.hear(false));
    this.runner.emitter.emit("level", { microphone: 0 });
    this.runner.emitter.emit("listening_stopped", null);
  }

  private inputEvents(): AudioInputEvents {
    return {
      frame: (pcm, level) => {
        const heard = this.mode !== "push_to_talk" || this.held;
        this.runner.emitter.emit("level", { microphone: heard ? level : 0 });
        if (heard) this.runner.run((session) => session.microphone(pcm));
      },
      ended: (error) => this.unplugged(error),
    };
  }

  private unplugged(error: VoiceError): void {
    void this.closeMicrophone();
    this.runner.emitter.emit("error", error);
  }
}
