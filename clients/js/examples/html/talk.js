// A page without a build step: the library's own files, served beside it. `?server=ws://host:port/ws/audio` names a server.
import { RealtimeVoiceClient } from "./client/index.js";

const element = (id) => document.getElementById(id);
const show = (id) => (text) => {
  element(id).textContent = text;
};

const url = new URLSearchParams(location.search).get("server") ?? "ws/audio";
const client = new RealtimeVoiceClient({ url });

client.on("statechange", ({ to }) => show("state")(to));
client.on("level", ({ microphone }) => {
  if (microphone !== undefined) element("level").value = microphone;
});
client.on("transcription", ({ text }) => show("said")(text));
client.on("reply_started", () => show("reply")(""));
client.on("text", ({ content }) => element("reply").append(content));
client.on("interrupted", ({ heard }) => show("reply")(`${heard} …`));
client.on("session_lost", () => show("problem")("The server has forgotten this conversation; a new one begins."));
client.on("error", ({ message }) => show("problem")(message));

element("talk").addEventListener("click", async () => {
  // Browsers allow sound only from a click.
  void client.unlock();
  await (client.listening ? client.stopListening() : client.startListening()).catch(({ message }) => show("problem")(message));
  element("talk").setAttribute("aria-pressed", String(client.listening));
});
element("type").addEventListener("submit", (event) => {
  event.preventDefault();
  void client.unlock();
  client.sendText(new FormData(event.target).get("text"));
  event.target.reset();
});

client.connect().catch(({ message }) => show("problem")(message));
