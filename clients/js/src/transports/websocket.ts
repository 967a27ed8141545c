/** PCM and JSON over a WebSocket: `/ws/audio`. */

import { VoiceError } from "../errors.js";
import type { Hello } from "../wire/messages.js";
import type { Line, LineEvents, MediaControl, Transport } from "./ports.js";

/** The part of a WebSocket that is used: a browser's, React Native's, or that of the package `ws`. */
export interface SocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: string | Int16Array<ArrayBuffer>): void;
  close(code?: number): void;
}

/** Close codes of a line that never came about: another try may do; another try would change nothing. */
const [NEVER_OPENED, REFUSED] = [1006, 1008];

/**
 * A value, or how to come by it. What is thrown there counts as a connection that failed, which is tried again; a VoiceError that
 * is not `retryable` ends the tries, as `refused`.
 */
export type Source<T> = T | (() => T | Promise<T>);

export interface WebSocketTransportOptions {
  /** Address of `/ws/audio`; `http` and `https` count as `ws` and `wss`. */
  readonly url: Source<string | URL>;
  /** A one-time token (`POST /api/token`), asked for anew with every connection where it is a function. */
  readonly token?: Source<string>;
  /** Makes the socket. Default: the global `WebSocket`. Node 20 has none: pass `(url) => new WebSocket(url)` of `ws`. */
  readonly socket?: (url: string) => SocketLike;
}

export class WebSocketTransport implements Transport {
  readonly media: MediaControl | null = null;

  constructor(private readonly options: WebSocketTransportOptions) {}

  connect(_hello: Hello, events: LineEvents): Line {
    return new SocketLine(() => this.open(), events);
  }

  private async open(): Promise<SocketLike> {
    const address = await socketAddress(this.options.url, this.options.token);
    return openSocket(address, this.options.socket);
  }
}

/** An address, absolute: beside the page where there is one, so that it also works behind a proxy that serves it under a path. */
export async function resolved(url: Source<string | URL>): Promise<URL> {
  return new URL(await value(url), typeof document === "undefined" ? undefined : document.baseURI);
}

/** The address to open, with its token. */
export async function socketAddress(url: Source<string | URL>, token: Source<string> | undefined): Promise<URL> {
  const address = await resolved(url);
  address.protocol = address.protocol.replace("http", "ws");
  if (token !== undefined) address.searchParams.set("token", await value(token));
  return address;
}

export function openSocket(address: URL, make: ((url: string) => SocketLike) | undefined): SocketLike {
  if (make) return make(address.href);
  if (typeof WebSocket !== "undefined") return new WebSocket(address);
  throw new VoiceError("no_websocket", "there is no WebSocket here: pass `socket`, for instance made with the package ws");
}

function value<T extends string | URL>(source: Source<T>): T | Promise<T> {
  return typeof source === "function" ? source() : source;
}

/** A socket as a line; it may still have to be made. */
export class SocketLine implements Line {
  private socket: SocketLike | null = null;
  private over = false;

  constructor(
    open: () => Promise<SocketLike>,
    private readonly events: LineEvents,
  ) {
    open().then(
      (socket) => this.attach(socket),
      (cause: unknown) => this.lost(cause instanceof VoiceError && !cause.retryable ? REFUSED : NEVER_OPENED, cause),
    );
  }

  get buffered(): number {
    return this.socket?.bufferedAmount ?? 0;
  }

  send(text: string): void {
    this.socket?.send(text);
  }

  sendAudio(pcm: Int16Array): void {
    // What is sent was cut out of the backlog: it lies in a buffer of its own, which is never a shared one.
    this.socket?.send(pcm as Int16Array<ArrayBuffer>);
  }

  close(code: number): void {
    this.over = true;
    this.socket?.close(code);
  }

  private attach(socket: SocketLike): void {
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.unless(() => this.events.opened());
    socket.onmessage = ({ data }: { data: unknown }) => this.unless(() => this.receive(data));
    socket.onerror = (event: unknown) => this.unless(() => this.events.failed(event));
    socket.onclose = ({ code }: { code: number }) => this.lost(code);
    if (this.over) socket.close();
  }

  private receive(data: unknown): void {
    if (typeof data === "string") this.events.message(data);
    else if (data instanceof ArrayBuffer) this.events.audio(data);
  }

  private lost(code: number, cause?: unknown): void {
    this.unless(() => {
      this.over = true;
      if (cause !== undefined) this.events.failed(cause);
      this.events.closed(code);
    });
  }

  private unless(body: () => void): void {
    if (!this.over) body();
  }
}
