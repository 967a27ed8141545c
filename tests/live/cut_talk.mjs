// Talks to a real server through a proxy that is cut, and prints what came of it as JSON:
//   node cut_talk.mjs PORT SPEECH.pcm CUTS
// SPEECH is 16 kHz PCM; CUTS is how often the connection breaks in each turn.
import { readFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { once } from "node:events";
import { RealtimeVoiceClient } from "@vivavoce/client";
import { WebSocket } from "ws";

const [port, speech, cuts] = [Number(process.argv[2]), await readFile(process.argv[3]), Number(process.argv[4])];
const FRAME = 320;
const RATE = 24_000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const lines = new Set();
const proxy = createServer((near) => {
  const far = connect(port, "127.0.0.1");
  lines.add(near);
  near.pipe(far).pipe(near);
  for (const end of [near, far]) {
    end.setNoDelay(true);
    end.on("error", () => undefined);
    end.on("close", () => {
      lines.delete(near);
      near.destroy();
      far.destroy();
    });
  }
});
proxy.listen(0, "127.0.0.1");
await once(proxy, "listening");
const cut = () => {
  for (const line of lines) line.resetAndDestroy();
};

/** A loudspeaker without sound: plays what it has in real time, and says how far it came. */
class Ear {
  played = new Map();
  pcm = new Map();
  gaps = 0;
  opened = 0;
  #paused = false;
  #timer = setInterval(() => this.#play(), 50);

  open(_rate, events) {
    this.opened += 1;
    this.events = events;
  }
  push(generation, offset, pcm) {
    const held = this.pcm.get(generation) ?? [];
    if (offset !== held.length) this.gaps += 1;
    held.push(...pcm);
    this.pcm.set(generation, held);
  }
  pause() {
    this.#paused = true;
  }
  resume() {
    this.#paused = false;
  }
  clear(generation) {
    this.pcm.delete(generation);
    this.#paused = false;
  }
  async unlock() {}
  async close() {
    clearInterval(this.#timer);
  }
  #play() {
    const [generation, held] = [...this.pcm].at(-1) ?? [];
    if (held === undefined || this.#paused) return;
    const before = this.played.get(generation) ?? 0;
    const now = Math.min(held.length, before + RATE / 20);
    this.played.set(generation, now);
    if (now > before) this.events.played(generation, now);
  }
}

const ear = new Ear();
const report = { resumed: 0, lost: [], errors: [], gaps: [], disconnected: 0, finals: [], replies: [], seq: [], typed: "" };
const client = new RealtimeVoiceClient({
  url: `ws://127.0.0.1:${proxy.address().port}/ws/audio`,
  socket: (url) => new WebSocket(url),
  output: ear,
  reconnect: { firstDelay: 0.05, longestDelay: 0.2 },
});
client.on("session_resumed", () => (report.resumed += 1));
client.on("session_lost", ({ reason }) => report.lost.push(reason));
client.on("disconnected", () => (report.disconnected += 1));
client.on("audio_gap", ({ samples }) => report.gaps.push(samples));
client.on("error", ({ code }) => code !== "connection_failed" && report.errors.push(code));
client.on("message", ({ seq }) => report.seq.push(seq));
client.on("transcription", ({ text, final }) => final && report.finals.push(text));
client.on("response_complete", ({ text, interrupted, generation }) => {
  const [samples, played] = [ear.pcm.get(generation)?.length ?? 0, ear.played.get(generation) ?? 0];
  report.replies.push({ text, interrupted, samples, played });
});
const { resume } = await client.connect();
report.resumable = resume !== undefined && resume !== null;

// The microphone never stops, and keeps pace with the clock however busy this machine is.
let spoken = 0;
let words = null;
const began = performance.now();
const microphone = setInterval(() => {
  while ((spoken / 16) < performance.now() - began) {
    const frame = new Int16Array(FRAME);
    if (words !== null) {
      frame.set(words.subarray(0, FRAME));
      words = words.length > FRAME ? words.subarray(FRAME) : null;
    }
    spoken += FRAME;
    client.sendAudio(frame);
  }
}, 20);

const replies = async (count) => {
  for (const until = Date.now() + 60_000; report.replies.length < count; await sleep(20)) {
    if (Date.now() > until) throw new Error(`no reply ${count}: ${JSON.stringify(report)}`);
  }
};
const back = async () => {
  while (client.state === "RECONNECTING" || client.state === "CONNECTING") await sleep(5);
};

// A typed turn, cut as it is said and in mid-reply.
client.sendText("what can you do");
cut();
await back();
for (let i = 0; i < cuts; i += 1) {
  await sleep(300);
  cut();
  await back();
}
await replies(1);

// A spoken turn, cut in mid-word.
await sleep(500);
words = new Int16Array(speech.buffer, speech.byteOffset, speech.length >> 1).slice();
for (let i = 0; i < cuts; i += 1) {
  await sleep(250);
  cut();
  await back();
}
await replies(2);
clearInterval(microphone);
while (client.metrics.samplesWaiting > 0) await sleep(5);
// A pong behind the last sample: the server has it.
await new Promise((resolve) => {
  client.on("message", ({ type }) => type === "pong" && resolve());
  client.setMode(client.settings.mode);
});
const { sessions } = await (await fetch(`http://127.0.0.1:${port}/api/status`)).json();
report.heard = sessions.map(({ audio }) => audio.bytes / 2);
Object.assign(report, { spoken, sent: client.metrics.samplesSent, opened: ear.opened, breaks: ear.gaps });
await client.disconnect();
proxy.close();
cut();
console.log(JSON.stringify(report));
