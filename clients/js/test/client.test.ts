/** The client as an application sees it, over real sockets. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AudioInput,
  type AudioInputEvents,
  type AudioOutput,
  type AudioOutputEvents,
  RealtimeVoiceClient,
  type VoiceClientOptions,
  VoiceError,
  type VoiceEvents,
} from "../src/index.js";
import type { ModelSession } from "./model-server.js";
import { serve, type SocketServer, socket, until } from "./socket-server.js";

const LIMIT = { timeout: 20_000 };

class TestInput implements AudioInput {
  events: AudioInputEvents | null = null;
  rate = 0;
  stops = 0;
  refusal: VoiceError | null = null;
  /** What a flush still brings. */
  rest: Int16Array | null = null;

  start(rate: number, events: AudioInputEvents): Promise<void> {
    this.rate = rate;
    this.events = events;
    return this.refusal ? Promise.reject(this.refusal) : Promise.resolve();
  }

  flush(): Promise<void> {
    if (this.rest) this.events?.frame(this.rest, 0.1);
    this.rest = null;
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.stops += 1;
    this.events = null;
    return Promise.resolve();
  }
}

class TestOutput implements AudioOutput {
  events: AudioOutputEvents | null = null;
  rate = 0;
  readonly orders: string[] = [];
  readonly heard: number[] = [];

  open(rate: number, events: AudioOutputEvents): void {
    this.rate = rate;
    this.events = events;
    this.orders.push("open");
  }

  push(generation: number, offset: number, pcm: Int16Array): void {
    assert.equal(offset, this.heard.length);
    this.heard.push(...pcm);
    this.events?.played(generation, this.heard.length);
  }

  pause(generation: number): void {
    this.orders.push(`pause ${generation}`);
  }

  resume(generation: number): void {
    this.orders.push(`resume ${generation}`);
  }

  clear(generation: number): void {
    this.orders.push(`clear ${generation}`);
  }

  unlock(): Promise<void> {
    this.orders.push("unlock");
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.orders.push("close");
    return Promise.resolve();
  }
}

interface Talk {
  readonly server: SocketServer;
  readonly client: RealtimeVoiceClient;
  readonly input: TestInput;
  readonly output: TestOutput;
  readonly session: ModelSession;
}

async function talking(body: (talk: Talk) => Promise<void>, options: VoiceClientOptions = {}): Promise<void> {
  const server = await serve({ lenient: true });
  const [input, output] = [new TestInput(), new TestOutput()];
  const reconnect = { firstDelay: 0.01, longestDelay: 0.05 };
  const client = new RealtimeVoiceClient({ url: server.url, socket, input, output, reconnect, ...options });
  try {
    await client.connect();
    const session = server.model.sessions.at(-1);
    assert(session);
    await body({ server, client, input, output, session });
  } finally {
    await client.disconnect();
    await server.close();
  }
}

test("a turn from microphone to loudspeaker", LIMIT, () =>
  talking(async ({ client, input, output, session }) => {
    const seen: string[] = [];
    for (const name of ["listening_started", "transcription", "text", "audio", "response_complete"] as const) {
      client.on(name, () => seen.push(name));
    }
    await client.startListening();
    assert.deepEqual([input.rate, output.rate, client.state], [16_000, 24_000, "LISTENING"]);
    input.events?.frame(new Int16Array(320).fill(5), 0.2);
    client.commit();
    await until(() => session.controls.length === 1);
    assert.deepEqual(session.controls, [{ type: "commit", at: 320 }]);
    await until(() => client.state === "PROCESSING");
    session.reply();
    session.tell({ type: "text", content: "Hello." });
    session.speak(960);
    session.tell({ type: "paused" });
    session.tell({ type: "resumed", at: 480, reason: "noise" });
    session.tell({ type: "response_complete", text: "Hello.", interrupted: false });
    await until(() => client.state === "LISTENING" && session.played.length === 2);
    assert.deepEqual(session.played, [[1, 480], [1, 960]]);
    assert.deepEqual(output.orders, ["open", "pause 1", "resume 1"]);
    assert.deepEqual(seen, ["listening_started", "transcription", "text", "audio", "audio", "response_complete"]);
    assert.deepEqual(client.metrics.samplesSent, 320);
  }));

test("cut in mid-reply again and again, the reply comes whole and the microphone too", LIMIT, () =>
  talking(async ({ server, client, input, output, session }) => {
    await client.startListening();
    let spoken = 0;
    session.reply();
    for (let round = 0; round < 8; round += 1) {
      for (let i = 0; i < 5; i += 1) input.events?.frame(new Int16Array(320).map(() => (spoken += 1)), 0.1);
      client.sendText(`round ${round}`);
      session.speak(1_000);
      if (round % 2 === 0) await until(() => session.input.length >= round * 1_600);
      server.cut();
      session.speak(500);
      session.tell({ type: "text", content: `word ${round} ` });
      if (round % 3 === 0) await until(() => client.state !== "RECONNECTING" && session.visitor !== null);
    }
    await until(() => output.heard.length === 12_000 && session.texts.length === 8 && session.input.length === spoken);
    assert.deepEqual(session.input, Array.from({ length: spoken }, (_, i) => i + 1));
    assert.deepEqual(output.heard, session.replies.get(1)?.pcm);
    assert.deepEqual(session.texts, Array.from({ length: 8 }, (_, i) => `round ${i}`));
    assert.equal(server.model.sessions.length, 1);
    assert(session.visits > 3, `only ${session.visits} connections`);
    assert.deepEqual(output.orders, ["open"], "the loudspeaker is not opened anew");
  }));

test("texts typed while the server is away arrive in order when it is back", LIMIT, () =>
  talking(async ({ server, client, session }) => {
    const lost = new Promise((resolve) => client.once("disconnected", resolve));
    server.cut();
    await lost;
    client.sendText("one");
    client.setVoice("anna");
    client.sendText("two");
    assert.equal(client.metrics.messagesWaiting, 3);
    await until(() => session.texts.length === 2);
    assert.deepEqual(session.texts, ["one", "two"]);
  }));

test("a server that is not there: connecting ends after the tries it was given", LIMIT, async () => {
  const server = await serve();
  await server.close();
  const client = new RealtimeVoiceClient({ url: server.url, socket, reconnect: { firstDelay: 0.005, attempts: 2 } });
  const losses: VoiceEvents["disconnected"][] = [];
  client.on("disconnected", (loss) => losses.push(loss));
  await assert.rejects(client.connect(), (error) => error instanceof VoiceError && error.code === "connection_failed");
  assert.deepEqual(losses.map(({ reason }) => reason), ["lost", "lost", "gave_up"]);
  assert.equal(client.state, "DISCONNECTED");
  await assert.rejects(client.startListening(), (error) => error instanceof VoiceError && error.code === "no_microphone");
});

test("where there is no WebSocket, the error says what to do", LIMIT, async () => {
  const client = new RealtimeVoiceClient({ url: "ws://127.0.0.1:9/", reconnect: { attempts: 0 } });
  if (typeof WebSocket !== "undefined") return;
  await assert.rejects(client.connect(), /pass `socket`/);
});

test("a token is asked for with every connection", LIMIT, async () => {
  let tokens = 0;
  const token = (): Promise<string> => Promise.resolve(`once ${(tokens += 1)}`);
  await talking(
    async ({ server, client }) => {
      server.cut();
      await new Promise((resolve) => client.once("session_resumed", resolve));
      assert.deepEqual(server.visits, ["/ws/audio?token=once+1", "/ws/audio?token=once+2"]);
    },
    { token },
  );
});

test("a source that says no ends the tries; what was typed is kept, and so is the session, for the next connect", LIMIT, async () => {
  let problem: Error | null = null;
  let asked = 0;
  const token = (): string => {
    asked += 1;
    if (problem) throw problem;
    return `once ${asked}`;
  };
  await talking(
    async ({ server, client, session }) => {
      const losses: VoiceEvents["disconnected"][] = [];
      client.on("disconnected", (loss) => losses.push(loss));
      problem = new TypeError("nobody answers");
      server.cut();
      client.sendText("one");
      await until(() => losses.length > 2);
      assert(losses.every(({ reason, retryIn }) => reason === "lost" && retryIn !== null), "nobody there is no refusal");
      problem = new VoiceError("busy", "later", { retryable: true });
      const known = losses.length;
      await until(() => losses.length > known + 1);
      assert.equal(losses.at(-1)?.reason, "lost");
      problem = new VoiceError("not_admitted", "no");
      await until(() => client.state === "DISCONNECTED");
      const [last] = losses.slice(-1);
      assert.deepEqual([last?.reason, last?.code, last?.retryIn], ["refused", 1008, null]);
      client.sendText("two");
      assert.deepEqual(client.unsent, ["one", "two"]);
      const before = asked;
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal(asked, before, "it is not asked again");
      problem = null;
      const resumed = new Promise((resolve) => client.once("session_resumed", resolve));
      await client.connect();
      await resumed;
      await until(() => session.texts.length === 2 && client.unsent.length === 0);
      assert.deepEqual([session.texts, server.model.sessions.length], [["one", "two"], 1]);
    },
    { token, reconnect: { firstDelay: 0.01, longestDelay: 0.05, attempts: Infinity } },
  );
});

test("push-to-talk: heard only while pressed, to the last sample, and committed on release", LIMIT, () =>
  talking(
    async ({ client, input, session }) => {
      const levels: number[] = [];
      client.on("level", ({ microphone = -1 }) => levels.push(microphone));
      client.setMode("push_to_talk");
      await client.press();
      input.events?.frame(new Int16Array(320), 0.3);
      input.rest = new Int16Array(100);
      await client.release();
      input.events?.frame(new Int16Array(320), 0.4);
      await client.press();
      input.events?.frame(new Int16Array(320), 0.5);
      await client.release();
      await client.release();
      await until(() => session.controls.length === 3);
      const commits = session.controls.filter(({ type }) => type === "commit");
      assert.deepEqual(commits.map(({ at }) => at), [420, 740]);
      assert.deepEqual(levels, [0.3, 0.1, 0, 0, 0.5, 0]);
      assert.equal(input.stops, 0, "the microphone stays open between two presses");
    },
    { mode: "push_to_talk" },
  ));

test("closing the microphone in mid-speech ends the turn; it may be opened again", LIMIT, () =>
  talking(async ({ client, input, session }) => {
    await Promise.all([client.startListening(), client.startListening()]);
    session.tell({ type: "speech_started", at: 0 });
    await new Promise((resolve) => client.once("speech_started", resolve));
    await client.stopListening();
    await client.stopListening();
    await until(() => session.controls.length === 1);
    assert.deepEqual([session.controls[0]?.type, input.stops, client.listening], ["commit", 1, false]);
    await client.startListening();
    assert(client.listening);
  }));

test("a microphone that is refused or pulled out is told, and can be asked for again", LIMIT, () =>
  talking(async ({ client, input }) => {
    input.refusal = new VoiceError("microphone_refused", "no");
    await assert.rejects(client.startListening(), (error) => error === input.refusal);
    input.refusal = null;
    await client.startListening();
    const errors: string[] = [];
    client.on("error", ({ code }) => errors.push(code));
    const stopped = new Promise((resolve) => client.once("listening_stopped", resolve));
    input.events?.ended(new VoiceError("microphone_unplugged", "gone"));
    await stopped;
    assert.deepEqual([errors, client.listening, client.state], [["microphone_unplugged"], false, "CONNECTED"]);
  }));

test("without an output nothing is acknowledged, and frames are there to be played", LIMIT, () =>
  talking(
    async ({ client, session }) => {
      const pcm: number[] = [];
      client.on("audio", (frame) => pcm.push(...frame.pcm));
      session.reply();
      session.speak(500);
      await until(() => pcm.length === 500);
      client.played(1, 250);
      await until(() => session.played.length > 0);
      assert.deepEqual(session.played, [[1, 250]]);
    },
    { output: null },
  ));

test("what a listener does comes after what it was told of, and what it throws stops nobody", LIMIT, async () => {
  const thrown: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => thrown.push(error));
  try {
    await talking(async ({ client, session }) => {
      const order: string[] = [];
      client.on("message", (message) => {
        if (message.type !== "speech_started") return;
        client.sendText("from a listener");
        order.push("said");
        throw new Error("a listener's own fault");
      });
      client.on("speech_started", () => order.push("told"));
      session.tell({ type: "speech_started", at: 0 });
      await until(() => session.texts.length === 1);
      assert.deepEqual(order, ["said", "told"]);
    });
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
  }
  assert.deepEqual(thrown.map(String), ["Error: a listener's own fault"]);
});

test("texts are checked before they are said", () => {
  const client = new RealtimeVoiceClient({ url: "ws://127.0.0.1:9/", socket });
  for (const text of ["", "  \n", "x".repeat(5_001)]) {
    assert.throws(() => client.sendText(text), (error) => error instanceof VoiceError && error.code === "invalid_text");
  }
});

test("disconnecting ends everything, and connecting begins anew", LIMIT, () =>
  talking(async ({ server, client, input, output, session }) => {
    await client.startListening();
    await client.disconnect();
    assert.deepEqual([client.state, client.ready, input.stops, output.orders.at(-1)], ["DISCONNECTED", null, 1, "close"]);
    await until(() => session.token === "" && session.visitor === null);
    const ready = await client.connect();
    assert.equal(ready.session, "session-2");
    assert.equal(server.model.sessions.length, 2);
    assert.equal(await client.connect(), ready);
  }));
