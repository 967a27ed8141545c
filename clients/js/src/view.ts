/** A conversation as something to be shown: how what the server says changes it. Pure functions on plain data. */

import type { VoiceError } from "./errors.js";
import type { ClientState } from "./events.js";
import type { ServerMessage, Settings } from "./wire/messages.js";

/** One exchange. */
export interface TurnView {
  /** Session and turn: turns of a new session count from one again. */
  readonly key: string;
  /** What the user said, as read so far. */
  readonly said: string;
  readonly final: boolean;
  readonly reply: string;
  readonly phase: "none" | "speaking" | "paused" | "interrupted" | "done";
  /** Where the reply was cut: the words that reached the ear. */
  readonly heard: string | null;
}

export interface VoiceView {
  readonly state: ClientState;
  /** The microphone is on. */
  readonly listening: boolean;
  /** The server hears speech. */
  readonly speech: boolean;
  readonly session: string;
  readonly settings: Settings | null;
  /** The newest last; at most 100. */
  readonly turns: readonly TurnView[];
  readonly error: VoiceError | null;
  /** The browser holds sound back: call `unlock()` from a click. */
  readonly soundBlocked: boolean;
}

const MOST_TURNS = 100;

export const EMPTY_VIEW: VoiceView = {
  state: "DISCONNECTED",
  listening: false,
  speech: false,
  session: "",
  settings: null,
  turns: [],
  error: null,
  soundBlocked: false,
};

export function onMessage(view: VoiceView, message: ServerMessage): VoiceView {
  switch (message.type) {
    case "ready":
      return { ...view, session: message.session, settings: message.settings, speech: false, error: null };
    case "settings":
      return view.settings ? { ...view, settings: { ...view.settings, [message.name]: message.value } } : view;
    case "speech_started":
      return { ...view, speech: true };
    case "speech_stopped":
      return { ...view, speech: false };
    case "turn_discarded":
      return without({ ...view, speech: false }, message.turn, (turn) => !turn.final && turn.phase === "none");
    case "turn_continued":
      return without(view, message.continues, () => true);
    case "transcription":
      return withTurn(view, message.turn, () => ({ said: message.text, final: message.final }));
    case "reply_started":
      return withTurn(view, message.turn, () => ({ reply: "", phase: "speaking", heard: null }));
    case "text":
      return withTurn(view, message.turn, (turn) => ({ reply: turn.reply + message.content }));
    case "paused":
      return withTurn(view, message.turn, () => ({ phase: "paused" }));
    case "resumed":
      return withTurn(view, message.turn, () => ({ phase: "speaking" }));
    case "interrupted":
      return withTurn(view, message.turn, () => ({ phase: "interrupted", heard: message.heard }));
    case "response_complete":
      return withTurn(view, message.turn, () =>
        message.interrupted ? { phase: "interrupted", heard: message.text } : { phase: "done" },
      );
    default:
      return view;
  }
}

function without(view: VoiceView, turn: number, which: (turn: TurnView) => boolean): VoiceView {
  const key = keyOf(view, turn);
  return { ...view, turns: view.turns.filter((known) => known.key !== key || !which(known)) };
}

function withTurn(view: VoiceView, number: number, change: (turn: TurnView) => Partial<TurnView>): VoiceView {
  const key = keyOf(view, number);
  const at = view.turns.findLastIndex((turn) => turn.key === key);
  const before = view.turns[at] ?? { key, said: "", final: false, reply: "", phase: "none", heard: null };
  const turn: TurnView = { ...before, ...change(before) };
  const turns = at === -1 ? [...view.turns, turn].slice(-MOST_TURNS) : view.turns.with(at, turn);
  return { ...view, turns };
}

function keyOf(view: VoiceView, turn: number): string {
  return `${view.session}/${turn}`;
}
