/** The life of a session over its connections: states, refusals, timers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { VoiceError } from "../src/errors.js";
import type { ClientMessage } from "../src/wire/messages.js";
import { frame, ModelServer, READY } from "./model-server.js";
import { Network } from "./network.js";

function established(options: ConstructorParameters<typeof Network>[1] = {}): { server: ModelServer; network: Network } {
  const server = new ModelServer();
  const network = new Network(server, options);
  network.session.connect();
  network.settle();
  return { server, network };
}

/** A core whose server is the test itself. */
function alone(options: ConstructorParameters<typeof Network>[1] = {}): Network {
  const network = new Network(new ModelServer(), options);
  network.session.connect();
  network.session.opened();
  return network;
}

function tell(network: Network, message: object): void {
  network.session.message(JSON.stringify({ turn: 0, revision: 0, generation: 0, ...message }));
}

function sent(network: Network): ClientMessage[] {
  return network.cables.flatMap(({ up }) => up.filter((item) => typeof item === "string").map((text) => JSON.parse(text)));
}

const ready = (seq = 1): object => ({ ...READY, session: "s1", seq, resume: { token: "t1", window_s: 60 } });

test("states follow the session, the microphone and the work that is being done", () => {
  const { server, network } = established();
  const { session } = network;
  const [there] = server.sessions;
  assert(there);
  assert.equal(session.state, "CONNECTED");
  session.hear(true);
  assert.equal(session.state, "LISTENING");
  session.say({ type: "text", text: "hello" });
  assert.equal(session.state, "PROCESSING");
  network.settle();
  there.reply();
  network.settle();
  assert.equal(session.state, "PROCESSING");
  there.tell({ type: "response_complete", text: "hi", interrupted: false });
  network.settle();
  assert.equal(session.state, "LISTENING");
  network.cut();
  network.deliverDown();
  assert.equal(session.state, "RECONNECTING");
  network.settle();
  assert.equal(session.state, "LISTENING");
  session.hear(false);
  session.disconnect();
  const states = network.of("statechange").map(({ to }) => to);
  assert.deepEqual(states, [
    "CONNECTING",
    "CONNECTED",
    "LISTENING",
    "PROCESSING",
    "LISTENING",
    "RECONNECTING",
    "LISTENING",
    "CONNECTED",
    "DISCONNECTED",
  ]);
  network.of("statechange").forEach(({ from }, i, all) => assert.equal(from, i === 0 ? "DISCONNECTED" : all[i - 1]?.to));
});

test("a discarded or continued turn, a failed one and a reset end the work; somebody else's do not", () => {
  const endings: [object, boolean][] = [
    [{ type: "turn_discarded", turn: 1, reason: "noise" }, true],
    [{ type: "turn_continued", turn: 2, continues: 1 }, true],
    [{ type: "response_complete", turn: 1, text: "", interrupted: false }, true],
    [{ type: "error", turn: 1, code: "worker_lost", message: "died", retryable: true, retry_after: null }, true],
    [{ type: "turn_discarded", turn: 2, reason: "backchannel" }, false],
    [{ type: "response_complete", turn: 0, text: "", interrupted: false }, false],
  ];
  for (const [message, ends] of endings) {
    const network = alone();
    tell(network, ready());
    tell(network, { type: "transcription", turn: 1, text: "hi", final: true, stable: 2 });
    assert.equal(network.session.state, "PROCESSING");
    tell(network, message);
    assert.equal(network.session.state, ends ? "CONNECTED" : "PROCESSING", JSON.stringify(message));
  }
  const network = alone();
  tell(network, ready());
  network.session.say({ type: "text", text: "hi" });
  network.session.say({ type: "reset" });
  assert.equal(network.session.state, "CONNECTED");
});

test("a first hello that is refused ends the attempt with the server's words", () => {
  const network = alone({ wishes: { voice: "nobody" } });
  tell(network, { type: "error", code: "unknown_voice", message: "no voice 'nobody'", retryable: false, retry_after: null });
  assert.equal(network.session.state, "DISCONNECTED");
  assert.deepEqual(network.of("error").map(({ code, message }) => [code, message]), [["unknown_voice", "no voice 'nobody'"]]);
  assert.deepEqual(network.of("disconnected"), [{ reason: "refused", code: 1000, retryIn: null, attempt: 0 }]);
});

test("a later hello that is refused is said again without wishes", () => {
  const { server, network } = established({ wishes: { voice: "anna" } });
  network.session.say({ type: "setLanguage", language: "es" });
  network.session.say({ type: "setProvider", kind: "tts", name: "other" });
  network.settle();
  server.expire();
  network.cut();
  network.deliverUp();
  network.deliverDown();
  server.expire();
  network.fire("retry");
  network.session.opened();
  tell(network, { type: "error", code: "session_not_found", message: "gone", retryable: false, retry_after: null });
  const hello = sent(network).at(-1);
  assert(hello?.type === "hello");
  assert.deepEqual([hello.language, hello.voice, hello.provider], ["es", undefined, { tts: "other" }]);
  tell(network, { type: "error", code: "unknown_provider", message: "no tts 'other'", retryable: false, retry_after: null });
  const plain = sent(network).at(-1);
  assert(plain?.type === "hello");
  assert.deepEqual(Object.keys(plain).sort(), ["acknowledge", "audio", "type", "version"]);
  tell(network, ready());
  assert.equal(network.session.state, "CONNECTED");
});

test("close codes decide whether another try is made", () => {
  const expected: [number, string, boolean][] = [
    [1000, "ended", false],
    [1001, "lost", true],
    [1002, "refused", false],
    [1006, "lost", true],
    [1008, "refused", false],
    [1011, "failed", true],
    [1013, "full", true],
    [4001, "taken_over", false],
  ];
  for (const [code, reason, again] of expected) {
    const { network } = established();
    network.session.closed(code);
    const [last] = network.of("disconnected");
    assert.equal(last?.reason, reason, String(code));
    assert.equal(last?.retryIn !== null, again, String(code));
    assert.equal(network.timers.has("retry"), again, String(code));
    assert.equal(network.session.state, again ? "RECONNECTING" : "DISCONNECTED", String(code));
  }
});

test("a session that somebody ended on purpose is not opened again of itself", () => {
  const { network } = established();
  tell(network, { type: "error", code: "session_ended", message: "Go.", retryable: false, retry_after: null });
  network.session.closed(1001);
  assert.equal(network.of("disconnected")[0]?.reason, "ended");
  assert.equal(network.timers.has("retry"), false);
  network.session.connect();
  network.settle();
  network.session.closed(1001);
  assert.equal(network.of("disconnected")[1]?.reason, "lost", "the next one is another");
});

test("a full server is asked again when it said", () => {
  const network = alone();
  tell(network, { type: "error", code: "full", message: "full", retryable: true, retry_after: 7 });
  network.session.closed(1013);
  assert.equal(network.of("disconnected")[0]?.retryIn, 7);
});

test("a silent line is given up and made again; any sign of life keeps it", () => {
  const { server, network } = established();
  assert(!network.timers.has("pong"), "its pong came");
  network.fire("ping");
  assert(network.timers.has("pong") && network.timers.has("ping"));
  server.sessions[0]?.reply();
  server.sessions[0]?.speak(480);
  network.deliverDown();
  assert(!network.timers.has("pong"));
  network.fire("ping");
  network.fire("pong");
  assert.equal(network.session.state, "RECONNECTING");
  network.settle();
  assert.equal(network.session.state, "CONNECTED");
  assert.equal(network.of("session_resumed").length, 1);
});

test("a connection that does not come about in time is given up", () => {
  const network = new Network(new ModelServer());
  network.session.connect();
  network.fire("opening");
  assert.equal(network.session.state, "RECONNECTING");
  assert.equal(network.of("disconnected")[0]?.reason, "lost");
});

test("no timer outlives a session", () => {
  const { network } = established();
  network.session.disconnect();
  assert.deepEqual([...network.timers], []);
  assert.equal(sent(network).at(-1)?.type, "goodbye");
  assert.deepEqual(network.of("disconnected"), [{ reason: "closed", code: 1000, retryIn: null, attempt: 0 }]);
});

test("texts are unsent until the server is known to have them, and an end for good forgets them", () => {
  const { network } = established();
  const { traffic } = network.session;
  network.session.say({ type: "text", text: "a" });
  network.session.say({ type: "commit" });
  assert.deepEqual(traffic.outgoing.texts, ["a"], "sent, and not known to have arrived");
  network.cut();
  network.deliverDown();
  network.session.say({ type: "text", text: "b" });
  assert.deepEqual(traffic.outgoing.texts, ["a", "b"]);
  network.settle();
  assert.deepEqual(traffic.outgoing.texts, []);
  network.session.closed(1006);
  network.session.say({ type: "text", text: "c" });
  network.session.disconnect();
  assert.deepEqual(traffic.outgoing.texts, []);
});

test("who was refused for good and connects again is told what became of the session", () => {
  const { server, network } = established();
  const refused = (): void => {
    network.cut();
    network.deliverUp();
    network.session.closed(1008);
    assert.equal(network.session.state, "DISCONNECTED");
  };
  refused();
  network.session.connect();
  network.settle();
  assert.deepEqual([network.of("session_resumed").length, network.of("session_lost").length], [1, 0]);
  assert.equal(network.session.ready?.session, "session-1");
  refused();
  server.expire();
  network.session.connect();
  network.settle();
  assert.deepEqual(network.of("session_lost").map(({ reason }) => reason), ["session_not_found"]);
  network.session.disconnect();
  network.session.connect();
  network.settle();
  assert.equal(network.of("session_lost").length, 1, "one that was ended is not asked for");
});

test("the queue is bounded, and what does not fit is refused aloud", () => {
  const network = new Network(new ModelServer(), { queueLength: 3 });
  for (let i = 0; i < 3; i += 1) network.session.say({ type: "text", text: `t${i}` });
  assert.throws(() => network.session.say({ type: "text", text: "more" }), (error) => error instanceof VoiceError && error.code === "queue_full");
  network.session.connect();
  network.settle();
  network.session.say({ type: "text", text: "room again" });
});

test("the network's return cuts the waiting short", () => {
  const { network } = established();
  network.session.closed(1006);
  network.session.online();
  assert(!network.timers.has("retry"));
  network.settle();
  assert.equal(network.session.state, "CONNECTED");
});

test("messages that are none, and frames that are none, are complained of and harm nothing", () => {
  const { network } = established();
  for (const text of ["", "null", "3", "[]", "{}", '{"type":3}', "nonsense"]) network.session.message(text);
  network.session.audio(new ArrayBuffer(15));
  network.session.audio(frame(1, 1, 0, [1], 2));
  network.session.audio(new ArrayBuffer(17));
  assert.deepEqual(new Set(network.of("error").map(({ code }) => code)), new Set(["wire_error"]));
  assert.equal(network.of("error").length, 10);
  tell(network, { type: "something_new", seq: 3, what: 1 });
  assert.equal(network.of("message").at(-1)?.type, "something_new");
  assert.equal(network.session.state, "CONNECTED");
});

test("a missing number is told, a repeated one is dropped", () => {
  const network = alone();
  tell(network, ready());
  tell(network, { type: "text", content: "a", seq: 2 });
  tell(network, { type: "text", content: "a", seq: 2 });
  assert.equal(network.of("text").length, 1);
  assert.equal(network.session.duplicates, 1);
  tell(network, { type: "text", content: "c", seq: 5 });
  assert.deepEqual(network.of("error").map(({ code, message }) => [code, message]), [
    ["sequence_gap", "2 messages of the server are missing"],
  ]);
});

test("acknowledgements of an older session, or of nothing, stay unsaid; the last one is repeated after a resumption", () => {
  const { server, network } = established();
  const [there] = server.sessions;
  network.session.played(1, 100);
  network.session.played(0, 100);
  there?.reply();
  there?.speak(960);
  network.settle();
  network.session.played(1, 480);
  network.session.played(2, 1);
  network.cut();
  network.deliverUp();
  network.deliverDown();
  network.session.played(1, 960);
  network.settle();
  assert.deepEqual(there?.played, [[1, 960]], "the one under way was lost with the connection");
});

test("audio waits while the line is congested, and what is behind it waits too", () => {
  const { server, network } = established();
  const [there] = server.sessions;
  network.congested = true;
  network.session.microphone(new Int16Array(320).fill(1));
  network.session.say({ type: "commit" });
  network.deliverUp();
  assert.equal(there?.input.length, 0);
  assert(network.timers.has("drain"));
  network.fire("drain");
  assert(network.timers.has("drain"), "still congested");
  network.settle();
  assert.deepEqual(there?.controls, [{ type: "commit", at: 320 }]);
});

test("a transport that carries sound itself says no hello and resumes nothing", () => {
  const network = alone({ media: true });
  assert.deepEqual(sent(network), []);
  tell(network, { ...READY, session: "call", seq: 1, resume: null });
  assert.equal(network.session.state, "CONNECTED");
});
