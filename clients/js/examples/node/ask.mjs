// Asks a question, prints the reply and keeps it as a WAV file:
//   node ask.mjs "What time is it?" [ws://127.0.0.1:8765/ws/audio] [reply.wav]
import { writeFile } from "node:fs/promises";
import { RealtimeVoiceClient } from "@vivavoce/client";
import { WebSocket } from "ws";

const [question = "What time is it?", url = "ws://127.0.0.1:8765/ws/audio", file = "reply.wav"] = process.argv.slice(2);

const client = new RealtimeVoiceClient({ url, socket: (address) => new WebSocket(address), reconnect: { attempts: 3 } });
const pcm = [];
client.on("text", ({ content }) => process.stdout.write(content));
client.on("audio", (frame) => pcm.push(frame.pcm));

const { audio } = await client.connect();
const done = new Promise((resolve, reject) => {
  client.on("response_complete", resolve);
  client.on("disconnected", ({ reason, retryIn }) => retryIn ?? reject(new Error(`the connection is gone: ${reason}`)));
});
client.sendText(question);
await done;
await client.disconnect();

const { rate } = audio.output;
const bytes = Buffer.concat(pcm.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength)));
const header = Buffer.alloc(44);
header.write("RIFF");
header.writeUInt32LE(36 + bytes.length, 4);
header.write("WAVEfmt ", 8);
header.writeUInt32LE(16, 16);
header.writeUInt16LE(1, 20);
header.writeUInt16LE(1, 22);
header.writeUInt32LE(rate, 24);
header.writeUInt32LE(2 * rate, 28);
header.writeUInt16LE(2, 32);
header.writeUInt16LE(16, 34);
header.write("data", 36);
header.writeUInt32LE(bytes.length, 40);
await writeFile(file, Buffer.concat([header, bytes]));
console.log(`\n${(bytes.length / 2 / rate).toFixed(1)} s of speech in ${file}`);
