/** The golden dialogues of the wire, with the client in the client's part; the server replays the same files in Python. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Command } from "../src/core/commands.js";
import { Reconnection } from "../src/core/reconnection.js";
import { Session } from "../src/core/session.js";
import type { Hello, ServerMessage } from "../src/wire/messages.js";
import { READY } from "./model-server.js";

interface Pcm {
  hex?: string;
  samples?: number;
  value?: number;
}

interface Line {
  dialogue?: string;
  from?: "client" | "server" | "session";
  json?: Record<string, unknown> & { type: string };
  text?: string;
  binary?: Pcm & { version?: number; flags?: number; turn: number; revision: number; generation: number; offset: number };
  partial?: boolean;
  close?: number;
  cut?: boolean;
  connect?: boolean;
}

const FOLDER = join(process.cwd(), "..", "..", "tests", "wire");
const STAMP = { turn: 0, revision: 0, generation: 0 };
/** What a message holds that a dialogue leaves out. */
const WHOLE: Record<string, object> = {
  ready: { ...READY, session: "sess_golden" },
  response_complete: { ...STAMP, text: "", interrupted: false },
  error: { ...STAMP, message: "", retryable: false, retry_after: null },
};

function samples(pcm: Pcm): Int16Array {
  if (pcm.hex === undefined) return new Int16Array(pcm.samples ?? 0).fill(pcm.value ?? 0);
  const bytes = Buffer.from(pcm.hex.replaceAll(" ", ""), "hex");
  return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

function frame(spec: NonNullable<Line["binary"]>): ArrayBuffer {
  if (spec.hex !== undefined) {
    const bytes = Uint8Array.from(Buffer.from(spec.hex.replaceAll(" ", ""), "hex"));
    return bytes.buffer;
  }
  const pcm = samples(spec);
  const data = new ArrayBuffer(16 + pcm.length * 2);
  const view = new DataView(data);
  view.setUint8(0, spec.version ?? 1);
  view.setUint8(1, spec.flags ?? 0);
  view.setUint16(2, spec.revision, true);
  view.setUint32(4, spec.turn, true);
  view.setUint32(8, spec.generation, true);
  view.setUint32(12, spec.offset, true);
  pcm.forEach((sample, i) => view.setInt16(16 + 2 * i, sample, true));
  return data;
}

/** `found` has everything that is named in `expected`. */
function agrees(expected: unknown, found: unknown): boolean {
  if (typeof expected !== "object" || expected === null || typeof found !== "object" || found === null) return expected === found;
  const values = new Map<string, unknown>(Object.entries(found));
  return Object.entries(expected).every(([key, value]) => agrees(value, values.get(key)));
}

/** `part`, with what it leaves out, at any depth. */
function filled(whole: unknown, part: unknown): unknown {
  const plain = (value: unknown): value is object => typeof value === "object" && value !== null && !Array.isArray(value);
  if (!plain(whole) || !plain(part)) return part === undefined ? whole : part;
  const known = new Map<string, unknown>(Object.entries(whole));
  for (const [key, value] of Object.entries(part)) known.set(key, filled(known.get(key), value));
  return Object.fromEntries(known);
}

/** Plays the server's lines to a client, does what the client's lines say, and checks what comes of both. */
class Replay {
  readonly commands: Command[] = [];
  readonly skipped: string[] = [];
  private readonly session: Session;
  private seq = 0;
  private token = "";
  /** The answer to what this client did not say is not for it. */
  private unasked = false;

  constructor(lines: Line[]) {
    // The one that is accepted; others are not this client's.
    const opened = lines.findIndex((line) => line.json?.type === "ready");
    const hello = lines.slice(0, opened).findLast((line) => line.from === "client" && line.json?.type === "hello")?.json;
    // A line of the protocol's own making.
    const { type: _type, version: _version, audio, acknowledge = false, ...wishes } = (hello ?? {}) as unknown as Hello;
    const options = { inputRate: audio?.input_rate ?? 16_000, backlogSeconds: 10, queueLength: 64, congested: () => false };
    this.session = new Session(
      { ...options, audio: audio ?? {}, acknowledge, wishes, media: false, now: () => 0 },
      new Reconnection({}, () => 0),
      (command) => this.commands.push(command),
    );
    this.session.connect();
    this.session.opened();
  }

  line(line: Line): void {
    if (line.cut) this.session.closed(1006);
    else if (line.connect) this.reconnect();
    else if (line.from === "server") this.server(line);
    else if (line.from === "client") this.client(line);
  }

  private reconnect(): void {
    this.session.timer("retry");
    this.session.opened();
  }

  private server(line: Line): void {
    const { unasked } = this;
    this.unasked = false;
    if (unasked) return;
    if (line.json) this.hears(line.json);
    else if (line.binary) this.plays(line.binary);
    else if (line.close !== undefined) {
      this.session.closed(line.close);
      assert(this.take((command) => command.do === "emit" && command.event === "disconnected"), "`disconnected` is missing");
    }
  }

  /** A message arrives whole, and is told as it is. */
  private hears(json: NonNullable<Line["json"]>): void {
    const numbered = typeof json["seq"] === "number" ? {} : { seq: (this.seq += 1) };
    const message = filled({ ...WHOLE[json.type], ...numbered }, json);
    if (json.type === "ready" || json.type === "session_resumed") this.token = "TOKEN";
    this.session.message(JSON.stringify(message));
    if (typeof json["seq"] === "number") this.seq = json["seq"];
    if (json.type === "session_resumed") return;
    const found = this.take((command) => command.do === "emit" && command.event === "message" && agrees(json, command.value));
    assert(found, `${JSON.stringify(json)} was not told`);
    const own = json.type === "pong" ? true : this.take((command) => command.do === "emit" && command.event === json.type);
    assert(own, `there is no event ${json.type}`);
    this.checkOutput(json.type);
  }

  private checkOutput(type: string): void {
    const orders: Partial<Record<string, string>> = { paused: "pause", resumed: "resume", interrupted: "clear", ready: "open" };
    const order = orders[type];
    if (order === undefined) return;
    assert(this.take((command) => command.do === "output" && command.command.do === order), `the output was not told to ${order}`);
  }

  private plays(spec: NonNullable<Line["binary"]>): void {
    const data = frame(spec);
    this.session.audio(data);
    const pcm = new Int16Array(data, 16);
    const played = this.take(
      (command) =>
        command.do === "output" &&
        command.command.do === "push" &&
        Buffer.from(command.command.pcm.slice().buffer).equals(Buffer.from(pcm.slice().buffer)),
    );
    assert(played, `the frame ${JSON.stringify(spec)} was not played`);
  }

  /** The application does what leads to this line, and the line is sent. */
  private client(line: Line): void {
    if (line.binary) return this.speaks(line.binary);
    const { json } = line;
    if (!json || !this.does(json)) {
      this.skipped.push(JSON.stringify(json ?? line.text));
      this.unasked = json?.type === "resume" || json?.type === "hello";
      return;
    }
    const sent = this.take((command) => command.do === "send" && agrees(this.own(json), command.message));
    assert(sent, `${JSON.stringify(json)} was not sent`);
  }

  /** `TOKEN` stands for the one given last. */
  private own(json: NonNullable<Line["json"]>): object {
    return json["token"] === "TOKEN" ? { ...json, token: this.token } : json;
  }

  private speaks(spec: Pcm): void {
    if (spec.hex !== undefined) {
      // Half a sample: a client has no way to say that.
      this.skipped.push(JSON.stringify(spec));
      return;
    }
    const pcm = samples(spec);
    this.session.microphone(pcm);
    let count = 0;
    for (let sent = this.take((c) => c.do === "sendAudio"); sent; sent = this.take((c) => c.do === "sendAudio")) {
      count += sent.do === "sendAudio" ? sent.pcm.length : 0;
    }
    // Without a hello the session opens with the first audio for the server, and with its own hello for this client.
    assert(count === pcm.length || this.session.state === "CONNECTING", `${count} samples of ${pcm.length} were sent`);
  }

  /** False where no application of this client can bring it about. */
  private does(json: NonNullable<Line["json"]>): boolean {
    const { session } = this;
    const text = (name: string): string => String(json[name]);
    switch (json.type) {
      case "hello":
      case "resume":
        // Said by itself, and once: what a dialogue tries besides is not this client's way.
        return this.commands.some((command) => command.do === "send" && agrees(this.own(json), command.message));
      case "ping":
        if (json["id"] !== undefined || json["extra"] !== undefined) return false;
        session.timer("ping");
        return true;
      case "goodbye":
        // A client that says goodbye hears no answer: it is said last.
        session.disconnect();
        return true;
      case "played":
        if (Number(json["samples"]) < 0) return false;
        session.played(Number(json["generation"]), Number(json["samples"]));
        return true;
      case "commit":
      case "interrupt":
      case "reset":
        session.say({ type: json.type });
        return true;
      case "text":
        if (text("text").trim() === "") return false;
        session.say({ type: "text", text: text("text") });
        return true;
      case "setLanguage":
        session.say({ type: "setLanguage", language: text("language") });
        return true;
      case "setVoice":
        session.say({ type: "setVoice", voice: text("voice") });
        return true;
      case "setMode":
        session.say({ type: "setMode", mode: text("mode") as "auto" });
        return true;
      case "setProvider":
        session.say({ ...json, type: "setProvider" });
        return true;
      default:
        return false;
    }
  }

  /** The first such command is used up; undefined where there is none. */
  private take(like: (command: Command) => boolean): Command | undefined {
    const at = this.commands.findIndex(like);
    return at === -1 ? undefined : this.commands.splice(at, 1)[0];
  }

  get over(): boolean {
    return this.session.state === "DISCONNECTED";
  }
}

/** Client lines that are not this client's way: broken on purpose, or another client's habits. */
const FOREIGN: Record<string, number> = { "audio-first": 1, "bad-messages": 9, resume: 3, "wake-words": 1 };

const files = readdirSync(FOLDER).filter((name) => name.endsWith(".jsonl")).sort();
const told = new Set<ServerMessage["type"] | string>();

for (const file of files) {
  test(file, () => {
    const lines: Line[] = readFileSync(join(FOLDER, file), "utf8").split("\n").filter(Boolean).map((text) => JSON.parse(text));
    const replay = new Replay(lines);
    for (const [number, line] of lines.entries()) {
      if (line.from === "server" && line.json) told.add(line.json.type);
      if (replay.over) break;
      try {
        replay.line(line);
      } catch (error) {
        throw new Error(`line ${number + 1}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    }
    const name = file.replace(".jsonl", "");
    assert.equal(replay.skipped.length, FOREIGN[name] ?? 0, `skipped: ${replay.skipped.join(", ")}`);
  });
}

test("the dialogues are there", () => assert(files.length >= 6 && told.size >= 15));
