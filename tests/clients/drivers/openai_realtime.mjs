// OpenAI's JavaScript library on the Realtime protocol: `node openai_realtime.mjs PLAN`. The library insists on TLS, so
// there is a relay with TLS before the server, as the guide advises; its certificate is in NODE_EXTRA_CA_CERTS.
import fs from "node:fs";
import net from "node:net";
import tls from "node:tls";
import { Inbox, acts, load, pause, recorded, speak } from "./acting.mjs";

const { default: OpenAI } = await load("openai");
const { OpenAIRealtimeWS } = await load("openai/realtime/ws");
const plan = JSON.parse(process.argv[2]);
const TOOL = {
  type: "function",
  name: "weather",
  description: "The weather in a city.",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

/** A relay to the server at `url`; its port. */
function relay(url) {
  const { hostname, port } = new URL(url);
  const files = { key: fs.readFileSync(plan.key_file), cert: fs.readFileSync(plan.certificate) };
  const server = tls.createServer(files, (outside) => {
    const inside = net.connect(Number(port), hostname);
    outside.pipe(inside).pipe(outside);
    for (const [one, other] of [[outside, inside], [inside, outside]]) one.on("error", () => other.destroy());
  });
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));
}

const port = await relay(plan.url);
const guarded = await relay(plan.guarded);

async function talk(work, session, client = new OpenAI({ baseURL: `https://127.0.0.1:${port}/v1`, apiKey: "unused" })) {
  const socket = new OpenAIRealtimeWS({ model: "gpt-realtime" }, client);
  const inbox = new Inbox();
  const errors = [];
  const audio = [];
  socket.on("event", (event) => inbox.put(event));
  socket.on("response.output_audio.delta", (event) => audio.push(Buffer.from(event.delta, "base64")));
  const failed = new Promise((_, fail) => {
    socket.on("error", (error) => {
      errors.push({ message: error.message, code: error.error?.code ?? null, event_id: error.error?.event_id ?? null });
      if (!error.error) fail(error);
    });
  });
  failed.catch(() => {});
  const whole = async () => {
    await inbox.type("session.created");
    if (session) {
      const updated = inbox.type("session.updated");
      socket.send({ type: "session.update", session: { type: "realtime", ...session } });
      await updated;
    }
    return work({ socket, inbox, audio, errors });
  };
  try {
    return await Promise.race([whole(), failed]);
  } finally {
    socket.close();
  }
}

function ask(socket, text) {
  const content = [{ type: "input_text", text }];
  socket.send({ type: "conversation.item.create", item: { type: "message", role: "user", content } });
  socket.send({ type: "response.create" });
}

const append = (socket) => (piece) =>
  socket.send({ type: "input_audio_buffer.append", audio: piece.toString("base64") });
const TRANSCRIBED = { audio: { input: { transcription: { model: "whisper-1" } } } };
const transcribed = (inbox) => inbox.type("conversation.item.input_audio_transcription.completed");

async function text({ socket, inbox }) {
  const done = inbox.type("response.done");
  ask(socket, "Where is the key?");
  return { said: (await done).response.output[0].content[0].text };
}

async function turn({ socket, inbox, audio }) {
  const heard = transcribed(inbox);
  const done = inbox.type("response.done");
  await speak(recorded(plan.recording), append(socket));
  const { response } = await done;
  fs.writeFileSync(`${plan.folder}/script-turn.pcm`, Buffer.concat(audio));
  const types = inbox.events.map((event) => event.type);
  return { heard: (await heard).transcript, said: response.output[0].content[0].transcript, types };
}

async function tool({ socket, inbox }) {
  const called = inbox.type("response.function_call_arguments.done");
  const first = inbox.type("response.done");
  ask(socket, "What is the weather like?");
  const { name, arguments: given, call_id } = await called;
  await first;
  const second = inbox.type("response.done");
  const item = { type: "function_call_output", call_id, output: "it rains" };
  socket.send({ type: "conversation.item.create", item });
  socket.send({ type: "response.create" });
  return { name, arguments: JSON.parse(given), said: (await second).response.output[0].content[0].text };
}

async function interruption({ socket, inbox }) {
  const first = inbox.type("response.output_audio.delta");
  ask(socket, "Tell me a story.");
  await first;
  const cut = inbox.type("response.done");
  await speak(recorded(plan.recording), append(socket), 100);
  const { status, status_details: details } = (await cut).response;
  return { status, reason: details.reason };
}

/** An error event is told to the program, and the session lives on. */
async function mistake({ socket, inbox, errors }) {
  socket.send({ type: "conversation.item.delete", item_id: "nobody", event_id: "mine" });
  while (errors.length === 0) await pause(20);
  return { error: errors[0], said: (await text({ socket, inbox })).said };
}

async function ephemeral() {
  const owner = new OpenAI({ baseURL: `https://127.0.0.1:${guarded}/v1`, apiKey: plan.key });
  const session = { type: "realtime", instructions: "Be brief.", output_modalities: ["text"] };
  const made = await owner.realtime.clientSecrets.create({ session });
  const client = new OpenAI({ baseURL: owner.baseURL, apiKey: made.value });
  return talk(async ({ inbox }) => ({ instructions: inbox.events[0].session.instructions }), null, client);
}

const refused = () =>
  talk(() => "let in", null, new OpenAI({ baseURL: `https://127.0.0.1:${guarded}/v1`, apiKey: "vv_wrong" }));

const seen = await acts({
  text: () => talk(text, { output_modalities: ["text"] }),
  turn: () => talk(turn, TRANSCRIBED),
  tool: () => talk(tool, { output_modalities: ["text"], tools: [TOOL] }),
  interruption: () => talk(interruption, TRANSCRIBED),
  mistake: () => talk(mistake, { output_modalities: ["text"] }),
  ephemeral,
  "wrong key": refused,
});
console.log(JSON.stringify(seen));
process.exit(0);
