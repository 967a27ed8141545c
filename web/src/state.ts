/** What the page knows, and how what the server says changes it. Pure functions on plain data. */

import type { Disconnected } from "../../clients/js/src/index";
import type { KeyProblem } from "./key";
import type { ProviderKind, Ready, ServerMessage, Settings, Stamp, Voice, Waterfall } from "./protocol";

export type MicrophoneProblem = "insecure" | "refused" | "absent" | "busy" | "unplugged" | "failed";

export interface Reply {
  generation: number;
  text: string;
  phase: "speaking" | "paused" | "interrupted" | "done";
  /** Where it was interrupted: the words that reached the ear. */
  heard: string | null;
}

export interface Turn {
  /** Session and turn: turns of a new session count from one again. */
  key: string;
  said: string;
  final: boolean;
  reply: Reply | null;
  tools: { name: string; result: string }[];
  waterfall: Waterfall | null;
}

export type Link = "connecting" | "open" | "lost" | "full" | "refused";
export type Microphone = "off" | "asking" | "on";

export interface Notice {
  tone: "error" | "hint";
  text: string;
}

export interface State {
  link: Link;
  microphone: Microphone;
  /** Push-to-talk: the key or button is down. */
  held: boolean;
  /** The server hears speech. */
  speech: boolean;
  /** It waits to be called by one of `settings.wake_words`. */
  asleep: boolean;
  session: string;
  settings: Settings | null;
  languages: readonly string[];
  providers: Readonly<Record<ProviderKind, readonly string[]>>;
  voices: readonly Voice[];
  modes: Ready["modes"];
  textLimit: number;
  turns: Turn[];
  /** Typed, and not known to have arrived. */
  unsent: readonly string[];
  notice: Notice | null;
  /** Why a key is asked for; null while none is. */
  key: KeyProblem | null;
  soundBlocked: boolean;
}

/** Turns kept on the page. */
export const MOST_TURNS = 200;

export const initial: State = {
  link: "connecting",
  microphone: "off",
  held: false,
  speech: false,
  asleep: false,
  session: "",
  settings: null,
  languages: [],
  providers: { stt: [], llm: [], tts: [] },
  voices: [],
  modes: ["auto", "push_to_talk"],
  textLimit: 5000,
  turns: [],
  unsent: [],
  notice: null,
  key: null,
  soundBlocked: false,
};

export function onServer(state: State, message: ServerMessage): State {
  switch (message.type) {
    case "ready":
      return onReady(state, message);
    case "speech_started":
      return { ...state, speech: true };
    case "speech_stopped":
      return { ...state, speech: false };
    case "woke":
      return { ...state, asleep: false };
    case "slept":
      return { ...state, asleep: true };
    case "turn_discarded":
      return withoutEmptyTurn({ ...state, speech: false }, message);
    case "turn_continued":
      return continued(state, message);
    case "transcription":
      return withTurn(state, message, () => ({ said: message.text, final: message.final }));
    case "reply_started":
      return withReply(state, message);
    case "text":
      return ofReply(state, message, (reply) => ({ ...reply, text: reply.text + message.content }));
    case "paused":
      return ofReply(state, message, (reply) => ({ ...reply, phase: "paused" }));
    case "resumed":
      return ofReply(state, message, (reply) => ({ ...reply, phase: "speaking" }));
    case "interrupted":
      return ofReply(state, message, (reply) => ({ ...reply, phase: "interrupted", heard: message.heard }));
    case "response_complete":
      return onComplete(state, message);
    case "tool":
      return withTurn(state, message, (turn) => ({
        tools: [...turn.tools, { name: message.name, result: message.result }],
      }));
    case "settings":
      return onSetting(state, message.name, message.value);
    case "error":
      return { ...state, notice: { tone: "error", text: message.message } };
    case "goodbye":
      return { ...state, notice: { tone: "hint", text: "The server is stopping. The page comes back with it." } };
    default:
      return state;
  }
}

const ENDED: Record<string, string> = {
  taken_over: "This conversation goes on in another window. Reload this page to begin another here.",
  ended: "The server ended this session. Reload the page to begin another.",
  refused: "The server refused this page. Check that you are allowed to use it, then reload.",
};

export function onLost(state: State, gone: Disconnected): State {
  const after = { ...state, speech: false, settings: null };
  // The form that asks for a key says more.
  if (state.key) return { ...after, link: "refused", notice: null };
  if (gone.retryIn === null) {
    const text = ENDED[gone.reason] ?? "There is no connection to the server. Reload the page to try again.";
    return { ...after, link: "refused", notice: { tone: "error", text } };
  }
  const seconds = Math.max(1, Math.round(gone.retryIn));
  if (gone.reason === "full") {
    const text = `The server is full. Trying again in ${seconds} s.`;
    return { ...after, link: "full", notice: { tone: "error", text } };
  }
  if (gone.reason === "failed") {
    // The server's own words say more, where it had time for some.
    const why = state.notice?.text ?? "The server failed; its log says why.";
    return { ...after, link: "lost", notice: { tone: "error", text: `${why} Trying again in ${seconds} s.` } };
  }
  const text = `No connection to the server. Is “vivavoce serve” running? Trying again in ${seconds} s.`;
  return { ...after, link: "lost", notice: { tone: "error", text } };
}

/** The session goes on as if nothing had happened. */
export function onBack(state: State, settings: Settings | null): State {
  return { ...state, link: "open", settings, notice: null, key: null };
}

/** Whether what is typed now will be said some time. */
export function canType(state: State): boolean {
  return state.link !== "refused" || state.key !== null;
}

/** Sessions the turns belong to, in order. The present one is the last, though nothing may have been said in it. */
export function sessionsOf(state: State): string[] {
  const all = state.turns.map((turn) => sessionOf(turn));
  return [...new Set(state.turns.length > 0 ? [...all, state.session] : all)];
}

export function sessionOf(turn: Turn): string {
  return turn.key.slice(0, turn.key.lastIndexOf("/"));
}

const MICROPHONE: Record<MicrophoneProblem, string> = {
  insecure:
    "Browsers give the microphone only to secure pages. Open this page as http://localhost or http://127.0.0.1, or over https.",
  refused: "The microphone is blocked for this page. Allow it in the browser’s address bar, then press the button again.",
  absent: "No microphone was found. Plug one in and press the button again, or type below.",
  busy: "The microphone did not start; another program may hold it. Close that and press the button again.",
  unplugged: "The microphone was unplugged. Plug it in and press the button again.",
  failed: "The microphone could not be opened. Reload the page; if it stays, try another browser.",
};

/** What a code of the client library means for the microphone; null where it is no matter of that. */
export function microphoneProblem(code: string): MicrophoneProblem | null {
  const problem = /^microphone_(.+)$/.exec(code)?.[1] ?? "";
  return problem in MICROPHONE ? (problem as MicrophoneProblem) : null;
}

export function onMicrophoneProblem(state: State, problem: MicrophoneProblem): State {
  return { ...state, microphone: "off", held: false, notice: { tone: "error", text: MICROPHONE[problem] } };
}

/** The reply that is being spoken or stands paused, if any. */
export function currentReply(state: State): Reply | null {
  const reply = state.turns.findLast((turn) => turn.reply)?.reply ?? null;
  return reply && (reply.phase === "speaking" || reply.phase === "paused") ? reply : null;
}

export type Activity = "away" | "asking" | "idle" | "ready" | "listening" | "hearing" | "thinking" | "speaking" | "paused";

/** What is going on, in one word: for the talk button and its label. */
export function activity(state: State): Activity {
  if (!state.settings) return "away";
  if (state.microphone === "asking") return "asking";
  const reply = currentReply(state);
  if (state.held || (state.speech && state.microphone === "on" && !reply)) return "hearing";
  if (reply) return reply.phase === "paused" ? "paused" : "speaking";
  const turn = state.turns.at(-1);
  // A turn of a lost session waits for nothing.
  const waiting = turn?.final && !turn.reply && !turn.waterfall && turn.key.startsWith(`${state.session}/`);
  if (waiting) return "thinking";
  if (state.microphone === "off") return "idle";
  return state.settings.mode === "push_to_talk" ? "ready" : "listening";
}

function onReady(state: State, ready: Ready): State {
  const { session, settings, languages, providers, voices, modes, limits } = ready;
  return {
    ...state,
    link: "open",
    session,
    settings,
    languages,
    providers,
    voices,
    modes,
    textLimit: limits.text_characters[1],
    speech: false,
    asleep: (settings.wake_words ?? []).length > 0,
    notice: null,
    key: null,
    turns: state.turns.map(ended),
  };
}

/** What a lost session left unfinished will not go on. */
function ended(turn: Turn): Turn {
  const reply = turn.reply;
  if (!reply || reply.phase === "done" || reply.phase === "interrupted") return { ...turn, final: true };
  return { ...turn, final: true, reply: { ...reply, phase: "done" } };
}

function onComplete(state: State, message: Extract<ServerMessage, { type: "response_complete" }>): State {
  const measured = knows(state, message) ? withTurn(state, message, () => ({ waterfall: message.waterfall })) : state;
  return ofReply(measured, message, (reply) => ({
    ...reply,
    phase: message.interrupted ? "interrupted" : "done",
    heard: message.interrupted ? message.text : null,
  }));
}

function onSetting(state: State, name: string, value: string): State {
  if (!state.settings || !(name in state.settings)) return state;
  return { ...state, settings: { ...state.settings, [name]: value } };
}

function withoutEmptyTurn(state: State, stamp: Stamp): State {
  const key = keyOf(state, stamp);
  return { ...state, turns: state.turns.filter((turn) => turn.key !== key || turn.final || turn.reply !== null) };
}

/** The end of an earlier turn is taken back: what was said of it comes again with this one, nothing was heard of its reply. */
function continued(state: State, message: Extract<ServerMessage, { type: "turn_continued" }>): State {
  const earlier = keyOf(state, { ...message, turn: message.continues });
  return { ...state, turns: state.turns.filter((turn) => turn.key !== earlier) };
}

function withReply(state: State, stamp: Stamp): State {
  const { generation } = stamp;
  return withTurn(state, stamp, ({ reply }) =>
    reply && reply.generation >= generation ? {} : { reply: { generation, text: "", phase: "speaking", heard: null } },
  );
}

/** What is told of a reply that is not on the page (forgotten, or older than the one there) changes nothing. */
function ofReply(state: State, stamp: Stamp, change: (reply: Reply) => Reply): State {
  if (!knows(state, stamp)) return state;
  return withTurn(state, stamp, ({ reply }) => (reply?.generation === stamp.generation ? { reply: change(reply) } : {}));
}

function knows(state: State, stamp: Stamp): boolean {
  const key = keyOf(state, stamp);
  return state.turns.some((turn) => turn.key === key);
}

function withTurn(state: State, stamp: Stamp, change: (turn: Turn) => Partial<Turn>): State {
  const key = keyOf(state, stamp);
  const at = state.turns.findLastIndex((turn) => turn.key === key);
  const before = state.turns[at] ?? { key, said: "", final: false, reply: null, tools: [], waterfall: null };
  const turn = { ...before, ...change(before) };
  const turns = at === -1 ? [...state.turns, turn].slice(-MOST_TURNS) : state.turns.with(at, turn);
  return { ...state, turns };
}

function keyOf(state: State, stamp: Stamp): string {
  return `${state.session}/${stamp.turn}`;
}
