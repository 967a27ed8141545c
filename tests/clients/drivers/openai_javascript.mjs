// OpenAI's JavaScript library: `node openai_javascript.mjs PLAN`, the plan as for openai_sdk.py.
// It is run with the folder of its package as the working directory.
import fs from "node:fs";
import { act, load } from "./acting.mjs";

const { default: OpenAI, toFile } = await load("openai");
const plan = JSON.parse(process.argv[2]);
const client = new OpenAI({ baseURL: `${plan.url}/v1`, apiKey: "unused", maxRetries: 0 });

const file = () => fs.createReadStream(plan.recording);
const speech = (more) =>
  client.audio.speech.create({ model: "tts-1", voice: "rms", input: plan.text, response_format: "pcm", ...more });

async function spoken(form) {
  const answer = await speech({ response_format: form });
  fs.writeFileSync(`${plan.folder}/script.${form}`, Buffer.from(await answer.arrayBuffer()));
  return { type: answer.headers.get("content-type") };
}

async function jobs() {
  const status = await (await fetch(`${plan.url}/api/status`)).json();
  return status.workers.reduce((sum, worker) => sum + worker.jobs + worker.waiting, 0);
}

async function streaming() {
  const abort = new AbortController();
  const wanted = { model: "tts-1", voice: "rms", input: plan.long, response_format: "pcm" };
  const answer = await client.audio.speech.create(wanted, { signal: abort.signal });
  const reader = answer.body.getReader();
  const first = await reader.read();
  let atWork = 0;
  for (let look = 0; look < 50; look += 1) {
    await reader.read(); // a voice rests while nobody reads
    atWork = Math.max(atWork, await jobs());
  }
  abort.abort();
  for (let wait = 0; wait < 200 && (await jobs()) > 0; wait += 1) await new Promise((done) => setTimeout(done, 100));
  return { bytes: first.value.length, "at work": atWork, "idle behind": (await jobs()) === 0 };
}

async function pieces() {
  const events = [];
  const stream = await client.audio.transcriptions.create({ model: "gpt-4o-transcribe", file: file(), stream: true });
  for await (const event of stream) events.push(event);
  return events;
}

async function chatStream() {
  let text = "";
  const messages = [{ role: "user", content: plan.question }];
  for await (const chunk of await client.chat.completions.create({ model: "default", messages, stream: true }))
    text += chunk.choices[0]?.delta?.content ?? "";
  return text;
}

/** First the answer as it is, then as the library takes it: it waits as long as it is told, and asks again. */
async function overTheLimit() {
  let told = [];
  const listening = async (...asked) => {
    const answer = await fetch(...asked);
    if (answer.status === 429) told.push(Number(answer.headers.get("retry-after")));
    return answer;
  };
  const say = (input, maxRetries) =>
    new OpenAI({ baseURL: `${plan.guarded}/v1`, apiKey: plan.key, maxRetries, fetch: listening }).audio.speech.create({
      model: "tts-1",
      voice: "rms",
      input,
      response_format: "pcm",
    });
  const refused = async (maxRetries) => {
    try {
      await say("x ".repeat(450), maxRetries);
    } catch (error) {
      return { class: error.constructor.name, status: error.status, after: error.headers.get("retry-after") };
    }
    throw new Error("it was said");
  };
  await (await say("x ".repeat(100), 0)).arrayBuffer();
  const surfaced = await refused(0);
  told = [];
  const really = globalThis.setTimeout;
  const waits = [];
  globalThis.setTimeout = (work, milliseconds, ...more) => {
    const obeys = milliseconds === told.at(-1) * 1000; // not what the network of Node.js waits for
    if (obeys) waits.push(milliseconds / 1000);
    return really(work, obeys ? 0 : milliseconds, ...more);
  };
  try {
    return { surfaced, again: await refused(1), told, waits };
  } finally {
    globalThis.setTimeout = really;
  }
}

const seen = { streaming: await act(streaming) };
for (const form of ["mp3", "opus", "aac", "flac", "wav", "pcm"]) seen[form] = await act(() => spoken(form));
seen["as object"] = await act(async () => (await (await speech({ voice: { id: "rms" } })).arrayBuffer()).byteLength);
for (const form of plan.forms)
  seen[`heard as ${form}`] = await act(() =>
    client.audio.transcriptions.create({ model: "whisper-1", file: file(), response_format: form }),
  );
seen["heard words"] = await act(() =>
  client.audio.transcriptions.create({
    model: "whisper-1",
    file: file(),
    response_format: "verbose_json",
    timestamp_granularities: ["word"],
  }),
);
seen["heard in pieces"] = await act(pieces);
seen.translation = await act(() => client.audio.translations.create({ model: "whisper-1", file: file() }));
seen.models = await act(async () => (await client.models.list()).data.map((model) => model.id));
seen["unknown model"] = await act(() => client.models.retrieve("nobody"));
seen.chat = await act(async () => {
  const messages = [{ role: "user", content: plan.question }];
  const answer = await client.chat.completions.create({ model: "default", messages });
  return { text: answer.choices[0].message.content, request: answer._request_id };
});
seen["chat stream"] = await act(chatStream);
seen["bad voice"] = await act(() => speech({ voice: "nobody" }));
seen["no recording"] = await act(async () =>
  client.audio.transcriptions.create({ model: "whisper-1", file: await toFile(Buffer.from("not audio"), "a.wav") }),
);
seen["wrong key"] = await act(() =>
  new OpenAI({ baseURL: `${plan.guarded}/v1`, apiKey: "vv_wrong", maxRetries: 0 }).audio.speech.create({
    model: "tts-1",
    voice: "rms",
    input: "Hello.",
  }),
);
seen.limit = await act(overTheLimit);
console.log(JSON.stringify(seen));
