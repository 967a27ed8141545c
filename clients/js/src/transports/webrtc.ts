/** Sound over WebRTC, JSON over a WebSocket beside it: `/webrtc/offer` and `/ws/webrtc/{id}`. */

import { microphone } from "../audio/processor.js";
import { VoiceError } from "../errors.js";
import type { Levels } from "../events.js";
import type { Hello } from "../wire/messages.js";
import type { Line, LineEvents, MediaControl, MediaEvents, Transport } from "./ports.js";
import { openSocket, resolved, SocketLine, type SocketLike, type Source, socketAddress } from "./websocket.js";

export interface WebRtcTransportOptions {
  /** Address of `/webrtc/offer`. Default: `webrtc/offer` beside the page. */
  readonly url?: Source<string | URL>;
  /** Sent as `Authorization: Bearer` with the offer. */
  readonly key?: Source<string>;
  /** STUN and TURN servers. Default: those the server names (`/webrtc/config`). */
  readonly iceServers?: RTCIceServer[];
  readonly constraints?: MediaTrackConstraints;
  /** Plays the reply. Default: an `<audio>` element of its own, outside the page. */
  readonly audio?: HTMLAudioElement;
  /** Makes the signalling socket. Default: the global `WebSocket`. */
  readonly socket?: (url: string) => SocketLike;
  /** Makes the peer connection. Default: the global `RTCPeerConnection`. */
  readonly peer?: (configuration: RTCConfiguration) => RTCPeerConnection;
  /** Sends the offer. Default: the global `fetch`. */
  readonly fetch?: typeof fetch;
}

/** The server's answer to an offer. */
interface Answer {
  readonly id: string;
  readonly sdp: string;
  readonly token: string;
}

/** Milliseconds between two looks at the levels. */
const LEVELS_MS = 100;
/** Candidates kept for a signalling socket that is not open yet. */
const MOST_CANDIDATES = 64;
/** Messages kept for a peer connection that is not there yet. */
const MOST_EARLY = 256;

/** The same conversation over WebRTC: better than a WebSocket where packets get lost, dearer everywhere. */
export class WebRtcTransport implements Transport {
  readonly media: MediaControl;
  private readonly microphone: Microphone;

  constructor(private readonly options: WebRtcTransportOptions = {}) {
    this.microphone = new Microphone(options);
    this.media = this.microphone;
  }

  connect(hello: Hello, events: LineEvents): Line {
    return new Call(new Desk(this.options), this.microphone, hello, events);
  }
}

/** Where calls are asked for and given up: the server's HTTP side. */
class Desk {
  constructor(readonly options: WebRtcTransportOptions) {}

  async peer(): Promise<RTCPeerConnection> {
    const { peer = (configuration) => new RTCPeerConnection(configuration), iceServers } = this.options;
    return peer({ iceServers: iceServers ?? (await this.servers()) });
  }

  async offer(sdp: string, hello: Hello): Promise<Answer> {
    // The formats of a call are WebRTC's.
    const { audio: _, ...wishes } = hello;
    const response = await this.ask("offer", { method: "POST", body: JSON.stringify({ type: "offer", sdp, hello: wishes }) });
    if (!response.ok) throw await refusal(response);
    // The server's promise, as everything it says on the wire is.
    return (await response.json()) as Answer;
  }

  /** The call is over, also where its messages cannot say so any more; a page that goes away still sends it. */
  hangUp(id: string): void {
    // Whether it is heard makes no difference to this side.
    void this.ask(encodeURIComponent(id), { method: "DELETE", keepalive: true }).catch(() => undefined);
  }

  async socket({ id, token }: Answer): Promise<SocketLike> {
    const address = new URL(`../ws/webrtc/${encodeURIComponent(id)}`, await this.address());
    return openSocket(await socketAddress(address, token), this.options.socket);
  }

  private async servers(): Promise<RTCIceServer[]> {
    const response = await this.ask("config", {});
    if (!response.ok) return [];
    const { ice_servers = [] } = (await response.json()) as { ice_servers?: RTCIceServer[] };
    return ice_servers;
  }

  private async ask(path: string, request: RequestInit): Promise<Response> {
    const { key, fetch: ask = fetch } = this.options;
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (key !== undefined) headers["authorization"] = `Bearer ${typeof key === "function" ? await key() : key}`;
    return ask(new URL(path, await this.address()), { ...request, headers });
  }

  private address(): Promise<URL> {
    return resolved(this.options.url ?? "webrtc/offer");
  }
}

/** An offer that was turned down. */
class Refusal extends VoiceError {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super("offer_failed", message, { retryable: status >= 500 && status !== 501 });
  }

  /** As a WebSocket would have been closed. */
  get close(): number {
    if (!this.retryable) return 1008;
    return this.status === 503 ? 1013 : 1011;
  }
}

async function refusal(response: Response): Promise<Refusal> {
  const said = (await response.text()).slice(0, 300);
  return new Refusal(response.status, `the server turned the call down (${response.status}): ${said}`);
}

/** One call: a peer connection and its signalling socket. */
class Call implements Line {
  readonly buffered = 0;
  private readonly socket: SocketLine;
  private candidates: string[] = [];
  /** What the server said before its sound could come. */
  private early: string[] = [];
  private signalling = false;
  private connected = false;
  private over = false;
  private peer: RTCPeerConnection | null = null;
  private id = "";

  constructor(
    private readonly desk: Desk,
    private readonly microphone: Microphone,
    private readonly hello: Hello,
    private readonly events: LineEvents,
  ) {
    this.socket = new SocketLine(() => this.dial(), {
      opened: () => this.signals(),
      message: (text) => this.receive(text),
      audio: () => undefined,
      closed: (code) => this.lost(code),
      failed: (cause) => events.failed(cause),
    });
  }

  send(text: string): void {
    this.socket.send(text);
  }

  sendAudio(): void {
    // The microphone's track carries it.
  }

  close(code: number): void {
    this.over = true;
    this.socket.close(code);
    this.hangUp();
  }

  private async dial(): Promise<SocketLike> {
    const peer = (this.peer = await this.desk.peer());
    if (this.over) {
      peer.close();
      throw new VoiceError("closed", "the call was given up before it was made");
    }
    peer.onicecandidate = ({ candidate }) => this.candidate(candidate);
    peer.onconnectionstatechange = () => {
      if (peer.connectionState === "failed") this.lost(1006);
      if (peer.connectionState === "connected") this.opened();
    };
    await this.microphone.attach(peer);
    await peer.setLocalDescription(await peer.createOffer());
    const answer = await this.desk.offer(peer.localDescription?.sdp ?? "", this.hello).catch((error: unknown) => {
      if (error instanceof Refusal && !this.over) {
        this.events.failed(error);
        this.lost(error.close);
      }
      throw error;
    });
    this.id = answer.id;
    // It may have been given up meanwhile.
    if (this.over) this.hangUp();
    await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    return this.desk.socket(answer);
  }

  private hangUp(): void {
    if (this.id) this.desk.hangUp(this.id);
    this.id = "";
    if (this.peer) this.microphone.detach(this.peer);
    this.peer?.close();
  }

  private signals(): void {
    this.signalling = true;
    for (const message of this.candidates) this.socket.send(message);
    this.candidates = [];
    this.opened();
  }

  /** Both are there, messages and sound: a reply to what is said from now on is heard from its first word. */
  private opened(): void {
    if (this.connected || !this.signalling || this.peer?.connectionState !== "connected") return;
    this.connected = true;
    this.events.opened();
    for (const text of this.early.splice(0)) this.events.message(text);
  }

  private candidate(candidate: RTCIceCandidate | null): void {
    const message = JSON.stringify({ type: "candidate", candidate: candidate?.toJSON() ?? null });
    if (this.signalling) this.socket.send(message);
    else if (this.candidates.length < MOST_CANDIDATES) this.candidates.push(message);
  }

  private receive(text: string): void {
    const candidate = candidateIn(text);
    if (candidate === undefined) this.hear(text);
    else this.peer?.addIceCandidate(candidate).catch((cause: unknown) => this.events.failed(cause));
  }

  private hear(text: string): void {
    if (this.connected) this.events.message(text);
    else if (this.early.length < MOST_EARLY) this.early.push(text);
  }

  private lost(code: number): void {
    if (this.over) return;
    this.close(code === 1006 ? 4000 : 1000);
    this.events.closed(code);
  }
}

/** A candidate (null: there are no more), or undefined where the message is another. */
function candidateIn(text: string): RTCIceCandidateInit | null | undefined {
  if (!text.includes("candidate")) return undefined;
  try {
    const value: { type?: unknown; candidate?: RTCIceCandidateInit | null } | null = JSON.parse(text);
    return value?.type === "candidate" ? (value.candidate ?? null) : undefined;
  } catch {
    // Not ours to complain of: the conversation's own reader will.
    return undefined;
  }
}

/** The microphone and the loudspeaker of one call after the other. */
class Microphone implements MediaControl {
  private events: MediaEvents | null = null;
  private stream: MediaStream | null = null;
  private peer: RTCPeerConnection | null = null;
  private sender: RTCRtpSender | null = null;
  private looking: ReturnType<typeof setInterval> | undefined;
  private audio: HTMLAudioElement | null;

  constructor(private readonly options: WebRtcTransportOptions) {
    this.audio = options.audio ?? null;
  }

  listen(events: MediaEvents): void {
    this.events = events;
  }

  async startMicrophone(): Promise<void> {
    const stream = await microphone(this.options.constraints);
    this.stream = stream;
    const [track] = stream.getAudioTracks();
    const gone = new VoiceError("microphone_unplugged", "the microphone was unplugged: plug it in and start again");
    if (track) track.onended = () => this.events?.ended(gone);
    await this.sender?.replaceTrack(track ?? null);
  }

  async stopMicrophone(): Promise<void> {
    for (const track of this.stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.stream = null;
    await this.sender?.replaceTrack(null);
  }

  async unlock(): Promise<void> {
    if (this.audio?.srcObject) await this.play(this.audio);
  }

  async attach(peer: RTCPeerConnection): Promise<void> {
    // Asked for at once, so that the microphone can come and go without another offer.
    const { sender } = peer.addTransceiver("audio", { direction: "sendrecv" });
    clearInterval(this.looking);
    this.peer = peer;
    this.sender = sender;
    const [track] = this.stream?.getAudioTracks() ?? [];
    if (track) await sender.replaceTrack(track);
    peer.ontrack = ({ streams, track: heard }) => {
      this.audio ??= new Audio();
      this.audio.srcObject = streams[0] ?? new MediaStream([heard]);
      void this.play(this.audio);
    };
    this.looking = setInterval(() => void this.look(peer), LEVELS_MS);
  }

  /** A call that was given up takes nothing from the one behind it. */
  detach(peer: RTCPeerConnection): void {
    if (peer !== this.peer) return;
    clearInterval(this.looking);
    this.sender = null;
    if (this.audio) this.audio.srcObject = null;
  }

  private async play(audio: HTMLAudioElement): Promise<void> {
    try {
      await audio.play();
      this.events?.blocked(false);
    } catch {
      this.events?.blocked(true);
    }
  }

  private async look(peer: RTCPeerConnection): Promise<void> {
    if (peer.connectionState !== "connected") return;
    const levels: { -readonly [K in keyof Levels]: Levels[K] } = {};
    for (const report of (await peer.getStats()).values() as Iterable<{ type: string; audioLevel?: number }>) {
      if (report.audioLevel === undefined) continue;
      if (report.type === "media-source") levels.microphone = report.audioLevel;
      if (report.type === "inbound-rtp") levels.reply = report.audioLevel;
    }
    this.events?.level(levels);
  }
}
