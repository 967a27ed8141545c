/** The signalling of the WebRTC transport: a peer connection that is written down, a real HTTP and WebSocket server. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { test } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { RealtimeVoiceClient, VoiceError, WebRtcTransport } from "../src/index.js";
import { READY } from "./model-server.js";
import { socket, until } from "./socket-server.js";

const LIMIT = { timeout: 20_000 };

/** The part of an RTCPeerConnection that the transport uses. */
class Peer {
  readonly calls: unknown[] = [];
  /** Milliseconds from the answer to sound. */
  delay = 20;
  connectionState = "new";
  localDescription: { sdp: string } | null = null;
  onicecandidate: ((event: { candidate: unknown }) => void) | null = null;
  onconnectionstatechange: (() => void) | null = null;

  constructor(readonly configuration: unknown) {}

  addTransceiver(kind: string, options: unknown): object {
    this.calls.push(["transceiver", kind, options]);
    return { sender: { replaceTrack: () => Promise.resolve() } };
  }

  createOffer(): Promise<object> {
    return Promise.resolve({ type: "offer", sdp: "offer-sdp" });
  }

  setLocalDescription(description: { sdp: string }): Promise<void> {
    this.localDescription = description;
    this.onicecandidate?.({ candidate: { toJSON: () => ({ candidate: "early" }) } });
    return Promise.resolve();
  }

  setRemoteDescription(description: unknown): Promise<void> {
    this.calls.push(["answer", description]);
    setTimeout(() => {
      this.connectionState = "connected";
      this.onconnectionstatechange?.();
    }, this.delay);
    return Promise.resolve();
  }

  addIceCandidate(candidate: unknown): Promise<void> {
    this.calls.push(["candidate", candidate]);
    return Promise.resolve();
  }

  close(): void {
    this.calls.push(["close"]);
  }
}

interface Offer {
  readonly path: string | undefined;
  readonly authorization: string | undefined;
  readonly body: { type: string; sdp: string; hello: Record<string, unknown> };
}

async function body(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const piece of request) text += String(piece);
  return text;
}

async function calling(
  use: (call: {
    client: RealtimeVoiceClient;
    peers: Peer[];
    offers: Offer[];
    said: string[];
    visitors: WebSocket[];
    paths: (string | undefined)[];
    asked: string[];
  }) => Promise<void>,
  statuses: number[] = [],
): Promise<void> {
  const offers: Offer[] = [];
  const asked: string[] = [];
  const http = createServer((request, response) => {
    void body(request).then((text) => {
      asked.push(`${request.method} ${request.url}`);
      if (request.url?.endsWith("/config")) return response.end(JSON.stringify({ ice_servers: [{ urls: "turn:t" }] }));
      if (request.method === "DELETE") return response.writeHead(204).end();
      offers.push({ path: request.url, authorization: request.headers.authorization, body: JSON.parse(text) });
      const status = statuses.shift() ?? 201;
      response.writeHead(status, { "content-type": "application/json" });
      const answer = { id: `call ${offers.length}`, sdp: "answer-sdp", type: "answer", token: "tok" };
      return response.end(status === 201 ? JSON.stringify(answer) : "pip install it");
    });
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const sockets = new WebSocketServer({ server: http });
  const [said, visitors, paths]: [string[], WebSocket[], (string | undefined)[]] = [[], [], []];
  sockets.on("connection", (visitor, request) => {
    visitors.push(visitor);
    paths.push(request.url);
    visitor.on("message", (data) => said.push(String(data)));
    visitor.send(JSON.stringify({ ...READY, session: `s${visitors.length}`, seq: 1, resume: null }));
  });
  const address = http.address();
  assert(address !== null && typeof address === "object");
  const peers: Peer[] = [];
  const transport = new WebRtcTransport({
    url: `http://127.0.0.1:${address.port}/under/webrtc/offer`,
    key: () => Promise.resolve("secret"),
    socket,
    peer: (configuration) => {
      const peer = new Peer(configuration);
      peers.push(peer);
      // The browser's own class cannot be had here; this is the part of it that is used.
      return peer as unknown as RTCPeerConnection;
    },
  });
  const client = new RealtimeVoiceClient({ transport, language: "en", reconnect: { firstDelay: 0.01, attempts: 2 } });
  try {
    await use({ client, peers, offers, said, visitors, paths, asked });
  } finally {
    await client.disconnect();
    sockets.close();
    http.closeAllConnections();
    http.close();
  }
}

test("an offer, an answer, candidates both ways, and the same messages as over a WebSocket", LIMIT, () =>
  calling(async ({ client, peers, offers, said, visitors, paths, asked }) => {
    const ready = await client.connect();
    assert.equal(ready.session, "s1");
    const [peer, visitor] = [peers[0], visitors[0]];
    assert(peer && visitor);
    const { path, authorization, body: offer } = offers[0] ?? { body: undefined };
    assert.deepEqual([path, authorization], ["/under/webrtc/offer", "Bearer secret"]);
    assert.deepEqual([offer?.type, offer?.sdp, offer?.hello], [
      "offer",
      "offer-sdp",
      { type: "hello", version: 1, acknowledge: false, language: "en" },
    ]);
    assert.deepEqual(paths, ["/under/ws/webrtc/call%201?token=tok"]);
    assert.deepEqual(peer.calls[0], ["transceiver", "audio", { direction: "sendrecv" }]);
    peer.onicecandidate?.({ candidate: null });
    client.sendText("a candidate for the job");
    visitor.send(JSON.stringify({ type: "candidate", candidate: { candidate: "theirs" } }));
    visitor.send(JSON.stringify({ type: "text", seq: 2, turn: 1, revision: 1, generation: 1, content: 'a "candidate"' }));
    const told = await new Promise((resolve) => client.once("text", ({ content }) => resolve(content)));
    assert.equal(told, 'a "candidate"');
    assert.deepEqual(peer.calls.slice(1), [
      ["answer", { type: "answer", sdp: "answer-sdp" }],
      ["candidate", { candidate: "theirs" }],
    ]);
    await until(() => said.some((text) => text.includes("for the job")));
    const candidates = said.map((text) => JSON.parse(text)).filter(({ type }) => type === "candidate");
    assert.deepEqual(candidates, [
      { type: "candidate", candidate: { candidate: "early" } },
      { type: "candidate", candidate: null },
    ]);
    assert.throws(() => client.sendAudio(new Int16Array(2)), VoiceError);
    await client.disconnect();
    assert.deepEqual(peer.calls.at(-1), ["close"]);
    await until(() => said.some((text) => text.includes("goodbye")) && asked.includes("DELETE /under/webrtc/call%201"));
  }));

test("a call that fails is made again, and the application is told", LIMIT, () =>
  calling(async ({ client, peers }) => {
    await client.connect();
    const [peer] = peers;
    assert(peer);
    const lost = new Promise((resolve) => client.once("session_lost", resolve));
    peer.connectionState = "failed";
    peer.onconnectionstatechange?.();
    assert.deepEqual(await lost, { session: "s1", reason: "not_resumable" });
    await until(() => client.state === "CONNECTED");
    assert.equal(client.ready?.session, "s2");
    assert.deepEqual(peers.map(({ configuration }) => configuration), [
      { iceServers: [{ urls: "turn:t" }] },
      { iceServers: [{ urls: "turn:t" }] },
    ]);
  }));

test("a server that has no WebRTC is not asked again; one that is full is", LIMIT, async () => {
  await calling(async ({ client, offers }) => {
    await assert.rejects(client.connect(), (error) => error instanceof VoiceError && error.message.includes("pip install it"));
    assert.equal(offers.length, 1);
  }, [501]);
  await calling(async ({ client, offers }) => {
    await client.connect();
    assert.equal(offers.length, 2);
  }, [503]);
});
