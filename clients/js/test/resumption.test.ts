/** Whatever happens to the connections, nothing said is lost or repeated, in either direction. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModelSession } from "./model-server.js";
import { type ModelOptions, ModelServer } from "./model-server.js";
import { Network } from "./network.js";
import { random } from "./random.js";

const FRAME = 320;
const RUNS = 200;
const STEPS = 300;

interface Course {
  readonly server: ModelServer;
  readonly network: Network;
  readonly spoken: number[];
  readonly typed: string[];
  readonly commits: number[];
}

function begin(options: ModelOptions, backlogSeconds: number): Course {
  const server = new ModelServer(options);
  const network = new Network(server, { backlogSeconds });
  return { server, network, spoken: [], typed: [], commits: [] };
}

/** Samples that say where they stand. */
function microphone({ network, spoken }: Course): void {
  const pcm = Int16Array.from({ length: FRAME }, (_, i) => ((spoken.length + i) % 30_000) + 1);
  spoken.push(...pcm);
  network.session.microphone(pcm);
}

function say(course: Course): void {
  const text = `text ${course.typed.length + 1}`;
  course.typed.push(text);
  course.network.session.say({ type: "text", text });
}

function commit({ network, commits, spoken }: Course): void {
  // Before the first session, and with nothing said, there is nothing to commit.
  if (spoken.length === 0) return;
  commits.push(spoken.length);
  network.session.say({ type: "commit" });
}

function serverActs({ server }: Course, chance: () => number): void {
  const session = server.sessions.at(-1);
  if (!session) return;
  const which = chance();
  if (which < 0.2) session.reply();
  else if (which < 0.8) session.speak(Math.floor(chance() * 2_000));
  else if (which < 0.85) session.interrupt("speech");
  else session.tell({ type: "text", content: "word " });
}

function hear({ network, server }: Course): void {
  // The ear hears what is held, or a part of it.
  const session = server.sessions.at(-1);
  const [generation, heard] = [...network.output].at(-1) ?? [0, []];
  if (session && heard.length > 0) network.session.played(generation, heard.length);
}

function step(course: Course, chance: () => number, cuts: number): void {
  const { network } = course;
  const which = chance();
  if (which < 0.3) network.deliverUp(network.cables[Math.floor(chance() * network.cables.length)] ?? null);
  else if (which < 0.6) network.deliverDown();
  else if (which < 0.7) microphone(course);
  else if (which < 0.72) say(course);
  else if (which < 0.73) commit(course);
  else if (which < 0.83) serverActs(course, chance);
  else if (which < 0.85) hear(course);
  else if (which < 0.86) network.congested = chance() < 0.5;
  else if (which < 0.93) network.fire("retry");
  else if (which < 0.95) network.fire("drain");
  else if (which < 0.955) network.fire("ping");
  else if (which < 0.956) network.fire("pong");
  else if (chance() < cuts) network.cut();
}

function run(seed: number, options: ModelOptions, backlogSeconds = 10): Course {
  const chance = random(seed);
  const course = begin(options, backlogSeconds);
  const { network } = course;
  network.session.connect();
  for (let i = 0; i < STEPS; i += 1) {
    network.chance = chance();
    step(course, chance, 0.5);
  }
  network.settle();
  return course;
}

/** What the client was told of a session, message for message. */
function told(network: Network, session: ModelSession): string[] {
  const messages = network.of("message").map((message) => JSON.stringify(message));
  const begins = messages.findIndex((text) => text.includes(`"session":"${session.id}"`));
  return begins === -1 ? [] : messages.slice(begins);
}

/** The session; others may have been opened whose `ready` never arrived: nothing was said in them. */
function only(server: ModelServer, where: string): ModelSession {
  const session = server.sessions.at(-1);
  assert(session, where);
  for (const orphan of server.sessions.slice(0, -1)) {
    assert.deepEqual([orphan.input, orphan.texts, orphan.controls], [[], [], []], where);
  }
  return session;
}

function checkReplies(network: Network, session: ModelSession): void {
  for (const [generation, { pcm, over }] of session.replies) {
    const heard = network.output.get(generation) ?? [];
    assert.deepEqual(heard, pcm.slice(0, heard.length), `reply ${generation} is not what was spoken`);
    const newest = generation === session.generation;
    if (newest && !over) assert.equal(heard.length, pcm.length, `reply ${generation} did not come whole`);
  }
}

test("cut at any point, an uncut conversation comes out: messages, reply, microphone, texts and commits", () => {
  let visits = 0;
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const course = run(seed, { lenient: true });
    const { network, server, spoken, typed, commits } = course;
    const where = `seed ${seed}`;
    const session = only(server, where);
    visits += session.visits;
    assert.deepEqual(network.of("session_lost"), [], where);
    assert.deepEqual(network.of("error"), [], where);
    assert.deepEqual(told(network, session), session.log, where);
    assert.deepEqual(session.input, spoken, where);
    assert.deepEqual(session.texts, typed, where);
    assert.deepEqual(session.controls.filter(({ type }) => type === "commit").map(({ at }) => at), commits, where);
    checkReplies(network, session);
    assert.equal(network.session.traffic.outgoing.length, 0, where);
  }
  assert(visits > 3 * RUNS, `the connections were hardly ever cut: ${visits / RUNS} a run`);
});

test("where a token is lost with its answer, the application is told, and what was typed is said in the new session", () => {
  let lost = 0;
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const { network, server, typed } = run(seed, {});
    const where = `seed ${seed}`;
    lost += network.of("session_lost").length;
    assert.deepEqual(network.of("error"), [], where);
    for (const { reason } of network.of("session_lost")) assert.equal(reason, "session_not_found", where);
    const received = server.sessions.flatMap(({ texts }) => texts);
    assert.deepEqual(new Set(received), new Set(typed), where);
    for (const { texts } of server.sessions) assert.deepEqual(texts, [...new Set(texts)], where);
    const session = server.sessions.at(-1);
    assert(session);
    assert.deepEqual(told(network, session), session.log, where);
    checkReplies(network, session);
  }
  assert(lost > RUNS / 20, `only ${lost} sessions were lost`);
});

test("what the ring cannot hold is left out and told, sample for sample", () => {
  let gaps = 0;
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const { network, server, spoken } = run(seed, { lenient: true }, 0.06);
    const session = only(server, `seed ${seed}`);
    const told = network.of("audio_gap");
    gaps += told.length;
    const missing = told.reduce((sum, { samples }) => sum + samples, 0);
    assert.equal(session.input.length + missing, spoken.length, `seed ${seed}`);
    // The first sample is 1 and each is one more than the one before, but behind a gap.
    const jumps = session.input.filter((value, i) => value !== ((session.input[i - 1] ?? 0) % 30_000) + 1).length;
    assert(jumps <= told.length, `seed ${seed}: ${jumps} jumps, ${told.length} gaps told`);
  }
  assert(gaps > RUNS / 4, `only ${gaps} gaps`);
});

test("a session whose time is up is told as lost; the new one hears what was said since the connection broke", () => {
  const course = begin({ lenient: true }, 10);
  const { network, server, spoken } = course;
  network.session.connect();
  network.settle();
  for (let i = 0; i < 5; i += 1) microphone(course);
  network.settle();
  network.cut();
  network.deliverUp();
  network.deliverDown();
  const before = spoken.length;
  for (let i = 0; i < 3; i += 1) microphone(course);
  say(course);
  network.session.say({ type: "interrupt" });
  network.session.say({ type: "setVoice", voice: "lucia" });
  server.expire();
  network.settle();
  assert.deepEqual(network.of("session_lost"), [{ session: "session-1", reason: "session_not_found" }]);
  const [, session] = server.sessions;
  assert.deepEqual(session?.input, spoken.slice(before));
  assert.deepEqual(session?.texts, ["text 1"]);
  assert.deepEqual(session?.controls, [], "what was meant for the old session stays unsaid");
  assert.equal(network.of("ready").length, 2);
});

test("a server without resumption gets a new session, and the application is told", () => {
  const course = begin({ resumable: false }, 10);
  const { network, server } = course;
  network.session.connect();
  network.settle();
  network.cut();
  network.settle();
  assert.deepEqual(network.of("session_lost"), [{ session: "session-1", reason: "not_resumable" }]);
  assert.equal(server.sessions.length, 2);
});
