import assert from "node:assert/strict";
import { test } from "node:test";
import { commonScale, marksOf } from "../src/components/latency";
import { splitHeard } from "../src/heard";
import type { Ready, ServerMessage, Waterfall } from "../src/protocol";
import {
  activity,
  canType,
  currentReply,
  initial,
  microphoneProblem,
  onBack,
  onLost,
  onMicrophoneProblem,
  onServer,
  sessionsOf,
  type State,
} from "../src/state";

const READY: Ready = {
  type: "ready",
  session: "s1",
  settings: { language: "en", voice: "a", mode: "auto", stt: "x", llm: "y", tts: "z" },
  languages: ["en"],
  providers: { stt: ["x"], llm: ["y"], tts: ["z"] },
  voices: [],
  modes: ["auto", "push_to_talk", "manual"],
  limits: { text_characters: [1, 5000] },
};

const WATERFALL: Waterfall = {
  transcript: 130,
  decision: 180,
  first_token: 150,
  first_audio: 175,
  first_sent: 181,
  first_played: 240,
  total: 240,
  wait: 100,
  speculated: true,
  revisions: 1,
};

const stamp = { turn: 1, revision: 1, generation: 1 };

function after(...messages: ServerMessage[]): State {
  return [READY as ServerMessage, ...messages].reduce(onServer, initial);
}

const said: ServerMessage = { type: "transcription", ...stamp, text: "what time is it", final: true };
const answer: ServerMessage[] = [
  { type: "reply_started", ...stamp },
  { type: "text", ...stamp, content: "It is " },
  { type: "text", ...stamp, content: "half past nine." },
];

test("a whole turn: interim, final, reply, waterfall", () => {
  const interim = after({ type: "transcription", ...stamp, generation: 0, text: "what", final: false });
  assert.equal(interim.turns[0]?.final, false);
  const state = after(said, ...answer, {
    type: "response_complete",
    ...stamp,
    text: "It is half past nine.",
    interrupted: false,
    waterfall: WATERFALL,
  });
  assert.equal(state.turns.length, 1);
  assert.equal(state.turns[0]?.said, "what time is it");
  assert.deepEqual(state.turns[0]?.reply, { generation: 1, text: "It is half past nine.", phase: "done", heard: null });
  assert.equal(state.turns[0]?.waterfall?.total, 240);
  assert.equal(currentReply(state), null);
});

test("pause, resumption and interruption are followed; a stale generation changes nothing", () => {
  const speaking = after(said, ...answer);
  assert.equal(activity(speaking), "speaking");
  const paused = onServer(speaking, { type: "paused", ...stamp });
  assert.equal(activity(paused), "paused");
  assert.equal(activity(onServer(paused, { type: "resumed", ...stamp, at: 5 })), "speaking");
  const cut = onServer(paused, { type: "interrupted", ...stamp, at: 5, heard: "It is half" });
  assert.equal(cut.turns[0]?.reply?.heard, "It is half");
  assert.equal(currentReply(cut), null);
  const second = onServer(cut, { type: "reply_started", ...stamp, generation: 2 });
  const next = onServer(second, { type: "text", ...stamp, generation: 2, content: "New." });
  const stale = onServer(next, { type: "text", ...stamp, content: "old" });
  assert.equal(stale.turns[0]?.reply?.text, "New.");
});

test("it sleeps until it is called, and again when it is quiet", () => {
  const settings = { ...READY.settings, wake_words: ["okay_nabu"] };
  const asleep = onServer(initial, { ...READY, settings });
  assert.equal(asleep.asleep, true);
  const stamp = { turn: 0, revision: 0, generation: 0 };
  const awake = onServer(asleep, { ...stamp, type: "woke", word: "okay_nabu" });
  assert.equal(awake.asleep, false);
  assert.equal(onServer(awake, { ...stamp, type: "slept" }).asleep, true);
  assert.equal(onServer(initial, READY).asleep, false);
});

test("noise that was taken for a turn leaves nothing behind", () => {
  const heard = after({ type: "transcription", ...stamp, text: "uh", final: false });
  assert.equal(onServer(heard, { type: "turn_discarded", ...stamp, reason: "noise" }).turns.length, 0);
  assert.equal(onServer(after(said), { type: "turn_discarded", ...stamp, reason: "noise" }).turns.length, 1);
});

test("a turn whose end is taken back becomes part of the one that goes on", () => {
  const next = { turn: 2, revision: 0, generation: 1 };
  const cut = after(said, ...answer, { type: "interrupted", ...stamp, at: 0, heard: "" });
  const more = onServer(cut, { type: "transcription", ...next, text: "in the", final: false });
  const gone = onServer(more, { type: "turn_continued", ...next, continues: 1 });
  assert.deepEqual(
    gone.turns.map((turn) => turn.said),
    ["in the"],
  );
  const whole = onServer(gone, { type: "transcription", ...next, text: "what time is it in the", final: false });
  assert.deepEqual(
    whole.turns.map((turn) => [turn.said, turn.final, turn.reply]),
    [["what time is it in the", false, null]],
  );
  const late = onServer(whole, { type: "text", ...stamp, content: "more" });
  assert.equal(late.turns.length, 1, "news of the withdrawn reply bring nothing back");
  const unknown = onServer(whole, { type: "turn_continued", ...next, continues: 77 });
  assert.equal(unknown.turns.length, 1);
});

test("a new session keeps what was said and starts its own turns", () => {
  const lost = onLost(after(said, ...answer), { reason: "lost", code: 1006, retryIn: 2, attempt: 1 });
  assert(lost.notice?.text.includes("Trying again in 2 s"));
  assert.equal(activity(lost), "away");
  const back = onServer(onServer(lost, { ...READY, session: "s2" }), said);
  assert.equal(back.turns.length, 2);
  assert.equal(back.turns[0]?.reply?.phase, "done");
  assert.equal(back.notice, null);
});

test("a session that goes on is the same as before", () => {
  const before = after(said, ...answer);
  const lost = onLost(before, { reason: "lost", code: 1006, retryIn: 2, attempt: 1 });
  const back = onBack(lost, READY.settings);
  assert.deepEqual(back, { ...before, link: "open" });
  assert.equal(currentReply(back)?.phase, "speaking", "its reply is spoken on");
});

test("a new session is told apart from the one before, though nothing was said in it yet", () => {
  assert.deepEqual(sessionsOf(after()), [], "nothing was said that could be forgotten");
  assert.deepEqual(sessionsOf(after(said)), ["s1"]);
  const again = onServer(after(said), { ...READY, session: "s2" });
  assert.deepEqual(sessionsOf(again), ["s1", "s2"]);
  assert.deepEqual(sessionsOf(onServer(again, said)), ["s1", "s2"]);
  assert.deepEqual(sessionsOf({ ...again, turns: [] }), [], "who forgets the conversation forgets that there was one");
});

test("one may type while the connection is away, and while a key is asked for, but not when all is over", () => {
  const lost = onLost(after(), { reason: "lost", code: 1006, retryIn: 2, attempt: 1 });
  const over = onLost(after(), { reason: "ended", code: 1000, retryIn: null, attempt: 1 });
  const asked = onLost({ ...after(), key: "ended" }, { reason: "refused", code: 1008, retryIn: null, attempt: 1 });
  assert.deepEqual([initial, after(), lost, over, asked].map(canType), [true, true, true, false, true]);
  assert.deepEqual([asked.link, asked.notice], ["refused", null], "the form that asks for it says more");
});

test("a session that is over for good says why", () => {
  for (const reason of ["taken_over", "ended", "refused", "gave_up"] as const) {
    const over = onLost(after(), { reason, code: 1000, retryIn: null, attempt: 1 });
    assert.equal(over.link, "refused");
    assert(/[Rr]eload/.test(over.notice?.text ?? ""), reason);
  }
});

test("codes of the library that are about the microphone", () => {
  assert.equal(microphoneProblem("microphone_busy"), "busy");
  assert.deepEqual(["microphone_", "microphone_x", "wire_error", ""].map(microphoneProblem), [null, null, null, null]);
});

test("each problem with the microphone says what to do", () => {
  for (const problem of ["insecure", "refused", "absent", "busy", "unplugged", "failed"] as const) {
    const state = onMicrophoneProblem({ ...after(), microphone: "asking", held: true }, problem);
    assert.equal(state.microphone, "off");
    assert.equal(state.held, false);
    assert((state.notice?.text.length ?? 0) > 40);
  }
});

test("news of a conversation that was forgotten does not bring it back", () => {
  const forgotten = { ...after(said, ...answer), turns: [] };
  const cut = onServer(forgotten, { type: "interrupted", ...stamp, at: 5, heard: "It is" });
  const waterfall = WATERFALL;
  const done = onServer(cut, { type: "response_complete", ...stamp, text: "It is", interrupted: true, waterfall });
  assert.deepEqual(done.turns, []);
});

test("a failing server's own words stay, with the time of the next try", () => {
  const told = after({ type: "error", code: "engine_missing", message: "No voice; run `x`.", retryable: false });
  const lost = onLost(told, { reason: "failed", code: 1011, retryIn: 3.2, attempt: 1 });
  assert.equal(lost.notice?.text, "No voice; run `x`. Trying again in 3 s.");
});

test("settings follow the server; unknown messages are ignored", () => {
  const state = after({ type: "settings", ...stamp, name: "language", value: "de" });
  assert.equal(state.settings?.language, "de");
  assert.equal(onServer(state, { type: "from_the_future" } as unknown as ServerMessage), state);
});

test("the words that were heard are found in the written reply", () => {
  const text = "Well, **nine** o'clock. It's nine o'clock already!";
  assert.deepEqual(splitHeard(text, "Well, nine o'clock."), ["Well, **nine** o'clock.", " It's nine o'clock already!"]);
  assert.deepEqual(splitHeard(text, ""), ["", text]);
  assert.deepEqual(splitHeard(text, text), [text, ""]);
  assert.deepEqual(splitHeard("There are 12 apples and pears.", "There are twelve apples"), [
    "There are 12 apples",
    " and pears.",
  ]);
  assert.deepEqual(splitHeard("The theatre is open.", "The the"), ["The", " theatre is open."]);
});

test("latency marks come in the order of time, on a common scale", () => {
  const labels = marksOf(WATERFALL).map(({ stage }) => stage);
  assert.deepEqual(labels, ["transcript", "token", "audio", "decision", "played"]);
  assert.equal(marksOf({ ...WATERFALL, first_token: null }).length, 4);
  assert.equal(commonScale([]), 500);
  assert.equal(commonScale([WATERFALL, { ...WATERFALL, first_played: 760 }]), 1000);
});
