/** Control messages: kept in order until they are sent, and remembered until the server is known to have them. */

import type { ClientMessage, ServerMessage } from "../wire/messages.js";

/** What an application says besides audio. */
export type Control = Exclude<ClientMessage, { type: "hello" | "resume" | "played" | "ping" | "goodbye" }>;

interface Entry {
  readonly message: Control;
  /** The microphone position at which it was said: audio before it goes out first. */
  readonly at: number;
  /** Its number, once it was sent. */
  readonly number: number;
}

/**
 * A message that was sent may have been lost with its connection. That it arrived is known from the `pong` of a `ping` sent
 * behind it, or from an event that only it can cause; the server repeats both when the session is taken up again. What then
 * remains unproven is sent again.
 */
export class Outgoing {
  private waiting: Entry[] = [];
  private unproven: Entry[] = [];
  private numbered = 0;
  /** Turns that were spoken: their transcription proves no typed text. */
  private spoken = new Set<number>();

  constructor(private readonly most: number) {}

  /** Messages that wait to be sent. */
  get length(): number {
    return this.waiting.length;
  }

  /** Texts that the server is not known to have, in order. */
  get texts(): string[] {
    return [...this.unproven, ...this.waiting].flatMap(({ message }) => (message.type === "text" ? message.text : []));
  }

  /** Number of the last message that was sent: the id of a ping that proves it and all before it. */
  get last(): number {
    return this.numbered;
  }

  get head(): { readonly message: Control; readonly at: number } | undefined {
    return this.waiting[0];
  }

  /** False where the queue is full. */
  add(message: Control, at: number): boolean {
    if (this.waiting.length >= this.most) return false;
    this.waiting.push({ message, at, number: 0 });
    return true;
  }

  /** The head was sent. */
  sent(): void {
    const entry = this.waiting.shift();
    if (entry === undefined) return;
    this.numbered += 1;
    this.unproven.push({ ...entry, number: this.numbered });
    if (this.unproven.length > this.most) this.unproven.shift();
  }

  /** Take note of what an event of the server proves. */
  heard(message: ServerMessage): void {
    switch (message.type) {
      case "pong":
        if (typeof message.id === "number") this.proveUpTo(message.id);
        return;
      case "settings":
        return this.prove((control) => sets(control, message.name, message.value));
      case "interrupted":
        if (message.reason === "command") this.prove((control) => control.type === "interrupt");
        return;
      case "speech_started":
        this.spoken.add(message.turn);
        return;
      case "transcription":
        return this.read(message.turn, message.text, message.final);
      case "turn_discarded":
        this.spoken.delete(message.turn);
        return this.drop("commit");
    }
  }

  /** The session goes on: what is unproven goes out again, before what waits. */
  repeat(): void {
    this.waiting = [...this.unproven, ...this.waiting];
    this.unproven = [];
  }

  /**
   * Another session begins, which hears the microphone from `position` on. Words that may have been lost are said again, and
   * what it hears is committed; the rest was meant for the old session. Settings are in the `hello` of the new one.
   */
  restart(position: number): void {
    this.repeat();
    this.waiting = this.waiting.filter(
      ({ message, at }) => message.type === "text" || (message.type === "commit" && at > position),
    );
    this.numbered = 0;
    this.spoken.clear();
  }

  clear(): void {
    this.waiting = [];
    this.unproven = [];
    this.numbered = 0;
    this.spoken.clear();
  }

  private read(turn: number, text: string, final: boolean): void {
    if (!final) {
      this.spoken.add(turn);
      return;
    }
    if (!this.spoken.delete(turn)) return this.prove((control) => control.type === "text" && control.text.trim() === text);
    this.drop("commit");
  }

  /** The first message like this arrived, and so did all before it. */
  private prove(like: (control: Control) => boolean): void {
    const entry = this.unproven.find(({ message }) => like(message));
    if (entry) this.proveUpTo(entry.number);
  }

  private proveUpTo(number: number): void {
    this.unproven = this.unproven.filter((entry) => entry.number > number);
  }

  /** A spoken turn is over, by the first of these or by itself: it must not end the next one. */
  private drop(type: Control["type"]): void {
    const at = this.unproven.findIndex(({ message }) => message.type === type);
    if (at !== -1) this.unproven.splice(at, 1);
  }
}

function sets(control: Control, name: string, value: string): boolean {
  switch (control.type) {
    case "setLanguage":
      return name === "language" && control.language === value;
    case "setVoice":
      return name === "voice" && control.voice === value;
    case "setMode":
      return name === "mode" && control.mode === value;
    default:
      return false;
  }
}
