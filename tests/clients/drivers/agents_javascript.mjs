// OpenAI's Agents library for JavaScript over its WebSocket transport: `node agents_javascript.mjs URL RECORDING FOLDER`.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { Inbox, acts, load, recorded, speak } from "./acting.mjs";

const [url, recording, folder] = process.argv.slice(2);
const { RealtimeAgent, RealtimeSession, tool } = await load("@openai/agents/realtime");
const { z } = await load("zod");
// The library's own judge of frames, which it does not export: what it refuses it passes over in silence.
const resolve = createRequire(pathToFileURL(process.cwd() + "/package.json")).resolve;
const inside = path.dirname(resolve("@openai/agents-realtime"));
const { parseRealtimeEvent } = await import(pathToFileURL(path.join(inside, "openaiRealtimeEvents.mjs")).href);

const frames = [];
const wrong = [];
const cities = [];

const unknown = (frame) => parseRealtimeEvent({ data: JSON.stringify(frame) }).isGeneric;

const weather = tool({
  name: "weather",
  description: "The weather in a city.",
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => (cities.push(city), `it rains in ${city}`),
});

async function talk(work, config = {}) {
  const agent = new RealtimeAgent({ name: "Vivian", instructions: "Be brief.", tools: [weather] });
  const session = new RealtimeSession(agent, { transport: "websocket", model: "gpt-realtime", config, tracingDisabled: true });
  const inbox = new Inbox();
  const audio = [];
  session.transport.on("*", (frame) => {
    frames.push(frame.type);
    if (unknown(frame)) wrong.push(JSON.stringify(frame).slice(0, 500));
    inbox.put(frame);
  });
  for (const kind of ["audio", "audio_start", "audio_stopped", "audio_interrupted", "agent_start", "agent_end"])
    session.on(kind, (event) => inbox.put({ type: `sdk.${kind}`, event }));
  session.on("agent_tool_start", () => inbox.put({ type: "sdk.agent_tool_start" }));
  session.on("agent_tool_end", (context, of, used, result) => inbox.put({ type: "sdk.agent_tool_end", result }));
  session.on("audio", (event) => audio.push(Buffer.from(event.data)));
  session.on("error", (error) => wrong.push(`error: ${error.error?.message ?? JSON.stringify(error)}`));
  await session.connect({ apiKey: "unused", url: `${url.replace("http://", "ws://")}/v1/realtime?model=gpt-realtime` });
  try {
    return await work({ session, inbox, audio });
  } finally {
    session.close();
  }
}

const kinds = (inbox) => inbox.events.map((event) => event.type).filter((kind) => kind.startsWith("sdk."));
const send = (session) => (piece) => session.sendAudio(new Uint8Array(piece).buffer);
const saying = (event) => event.type === "response.done" && event.response.output.at(-1)?.type === "message";

async function turn({ session, inbox, audio }) {
  const ended = inbox.type("sdk.agent_tool_end");
  const answered = inbox.next(saying, "answer");
  await speak(recorded(recording), send(session));
  const result = (await ended).result;
  const done = await answered;
  fs.writeFileSync(`${folder}/script-agents.pcm`, Buffer.concat(audio));
  const users = session.history.filter((item) => item.type === "message" && item.role === "user");
  const heard = users.flatMap((item) => item.content.map((part) => part.transcript));
  return { result, cities, heard, said: done.response.output.at(-1).content[0].transcript, kinds: kinds(inbox) };
}

async function message({ session, inbox }) {
  const done = inbox.type("response.done");
  session.sendMessage("Where is the key?");
  return { said: (await done).response.output[0].content[0].transcript, kinds: kinds(inbox) };
}

async function inText({ session, inbox, audio }) {
  const done = inbox.type("response.done");
  session.sendMessage("Where is the key?");
  return { said: (await done).response.output[0].content[0].text, audio: audio.length };
}

async function interruption({ session, inbox }) {
  const first = inbox.type("sdk.audio");
  session.sendMessage("Tell me a story.");
  await first;
  const interrupted = inbox.type("sdk.audio_interrupted");
  const cut = inbox.type("response.done");
  const tool = inbox.type("sdk.agent_tool_end");
  await Promise.all([interrupted, tool, speak(recorded(recording), send(session), 100)]);
  const { status, status_details: details } = (await cut).response;
  return { status, reason: details.reason };
}

async function stopped({ session, inbox }) {
  const first = inbox.type("sdk.audio");
  session.sendMessage("Tell me a story.");
  await first;
  const cut = inbox.type("response.done");
  session.interrupt();
  return { status: (await cut).response.status };
}

const seen = await acts({
  turn: () => talk(turn, { audio: { input: { transcription: { model: "whisper-1" } } } }),
  message: () => talk(message),
  "in text": () => talk(inText, { outputModalities: ["text"] }),
  interruption: () => talk(interruption, { audio: { input: { turnDetection: { type: "server_vad" } } } }),
  stopped: () =>
    talk(stopped, { audio: { input: { turnDetection: { type: "server_vad", interruptResponse: false } } } }),
});
const nonsense = [
  { type: "no.such.event", event_id: "e" },
  { type: "input_audio_buffer.speech_started", event_id: "e", audio_start_ms: "soon" },
].filter(unknown).length;
console.log(JSON.stringify({ ...seen, frames, wrong, nonsense }));
process.exit(0);
