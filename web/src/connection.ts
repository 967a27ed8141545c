/** The socket to /ws/audio: opens, says hello, parses, keeps alive, comes back after a loss. */

import type { KeyProblem, Keys } from "./key";
import {
  type AudioFrame,
  type ClientMessage,
  INPUT_RATE,
  OUTPUT_RATE,
  parseFrame,
  parseMessage,
  type ServerMessage,
  WireError,
  type Wishes,
} from "./protocol";
import { Reconnection, type Verdict } from "./reconnection";

const PING_EVERY = 15_000;
const PONG_WITHIN = 10_000;
/** One second of microphone audio. What cannot be sent in time is worth nothing, so it is dropped and counted. */
const MOST_UNSENT = 2 * INPUT_RATE;

export interface ConnectionEvents {
  connecting(): void;
  message(message: ServerMessage): void;
  audio(frame: AudioFrame): void;
  wireError(error: WireError): void;
  lost(verdict: Verdict): void;
  /** Nothing is tried again before there is another key. */
  keyWanted(problem: KeyProblem): void;
  roundTrip(milliseconds: number): void;
}

export class Connection {
  /** Microphone frames dropped because the line did not take them. */
  unsent = 0;

  private socket: WebSocket | null = null;
  private retry: number | undefined;
  private pinger: number | undefined;
  private pongTimer: number | undefined;
  private pingedAt = 0;
  private readonly reconnection = new Reconnection();
  /** Counts attempts: what an earlier one still waits for no longer matters. */
  private attempt = 0;

  constructor(
    private readonly url: URL,
    private readonly keys: Keys,
    private readonly wishes: () => Wishes,
    private readonly events: ConnectionEvents,
  ) {}

  get open(): boolean {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  connect(): void {
    this.close();
    this.events.connecting();
    if (this.keys.needed) void this.admitted();
    else this.dial(this.url, false);
  }

  /** First a token, then the socket. */
  private async admitted(): Promise<void> {
    const attempt = this.attempt;
    const admission = await this.keys.admit();
    if (attempt !== this.attempt) return;
    if (admission.admitted) {
      const url = new URL(this.url);
      url.searchParams.set("token", admission.token);
      this.dial(url, true);
    } else if (admission.problem === "away") {
      this.retryLater(1006);
    } else {
      this.events.keyWanted(admission.problem);
    }
  }

  /** `asked`: whether a key is wanted is known already. */
  private dial(url: URL, asked: boolean): void {
    const socket = new WebSocket(url);
    let opened = false;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      opened = true;
      this.hello();
      this.pinger = setInterval(() => this.ping(), PING_EVERY);
    };
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => this.receive(event.data);
    socket.onclose = (event) => {
      // Browsers do not say why a socket was refused: find out whether it is for want of a key.
      if (opened || asked) return this.lost(event.code);
      this.socket = null;
      void this.admitted();
    };
    this.socket = socket;
  }

  /** Ask for a session. It may be asked again after an error: nothing is open before `ready`. */
  hello(): void {
    const audio = { input_rate: INPUT_RATE, output_rate: OUTPUT_RATE };
    this.send({ type: "hello", audio, acknowledge: true, ...this.wishes() });
  }

  /** Leave without coming back. */
  close(): void {
    this.stopTimers();
    this.attempt += 1;
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "goodbye" }));
    socket.close(1000);
  }

  /** False where there is no open connection. */
  send(message: ClientMessage): boolean {
    if (!this.socket || !this.open) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  sendAudio(pcm: Int16Array): boolean {
    if (!this.socket || !this.open) return false;
    if (this.socket.bufferedAmount > MOST_UNSENT) {
      this.unsent += 1;
      return false;
    }
    this.socket.send(pcm as Int16Array<ArrayBuffer>);
    return true;
  }

  private receive(data: string | ArrayBuffer): void {
    try {
      if (typeof data !== "string") {
        this.events.audio(parseFrame(data));
        return;
      }
      const message = parseMessage(data);
      if (message.type === "ready") {
        this.reconnection.succeeded();
        this.ping();
      }
      if (message.type === "pong") this.pong();
      this.events.message(message);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.events.wireError(error);
    }
  }

  private ping(): void {
    if (this.pongTimer !== undefined || !this.send({ type: "ping" })) return;
    this.pingedAt = performance.now();
    // A line that is cut without a word looks open for minutes.
    this.pongTimer = setTimeout(() => {
      const socket = this.socket;
      this.lost(1006);
      socket?.close();
    }, PONG_WITHIN);
  }

  private pong(): void {
    clearTimeout(this.pongTimer);
    this.pongTimer = undefined;
    this.events.roundTrip(performance.now() - this.pingedAt);
  }

  private lost(code: number): void {
    this.stopTimers();
    if (this.socket) this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket = null;
    this.retryLater(code);
  }

  private retryLater(code: number): void {
    const verdict = this.reconnection.closed(code);
    if (verdict.retry) this.retry = setTimeout(() => this.connect(), verdict.delay * 1000);
    this.events.lost(verdict);
  }

  private stopTimers(): void {
    clearTimeout(this.retry);
    clearInterval(this.pinger);
    clearTimeout(this.pongTimer);
    this.pongTimer = undefined;
  }
}
