// OpenAI's Agents library in a browser, over its own WebRTC transport. esbuild makes a page's script of it; the test asks
// `agents` of what happened. The library opens the microphone and plays the answer by itself.
import { RealtimeAgent, RealtimeSession, tool } from "@openai/agents/realtime";
import { z } from "zod";
// The library's own judge of frames, which it does not export: what it refuses it passes over in silence.
import { parseRealtimeEvent } from "../node/node_modules/@openai/agents-realtime/dist/openaiRealtimeEvents.mjs";

const unknown = (frame) => parseRealtimeEvent({ data: JSON.stringify(frame) }).isGeneric;

const TAP = `
  registerProcessor("ear", class extends AudioWorkletProcessor {
    process([[channel]]) {
      if (channel) this.port.postMessage(Math.sqrt(channel.reduce((sum, value) => sum + value * value, 0) / channel.length));
      return true;
    }
  });
`;

/** The level of every 128 samples of the call's sound, as the browser's own decoder gives it. */
async function listen(peer, levels) {
  const context = new AudioContext({ sampleRate: 48_000 });
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([TAP], { type: "text/javascript" })));
  const tap = new AudioWorkletNode(context, "ear", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
  tap.port.onmessage = ({ data }) => levels.push(data);
  context.createMediaStreamSource(new MediaStream([peer.getReceivers()[0].track])).connect(tap);
}

async function connect({ url, key, config }) {
  const state = { frames: [], wrong: [], cities: [], kinds: [], changes: [], levels: [] };
  const weather = tool({
    name: "weather",
    description: "The weather in a city.",
    parameters: z.object({ city: z.string() }),
    execute: async ({ city }) => (state.cities.push(city), `it rains in ${city}`),
  });
  const agent = new RealtimeAgent({ name: "Vivian", instructions: "Be brief.", tools: [weather] });
  const session = new RealtimeSession(agent, { model: "gpt-realtime", config, tracingDisabled: true });
  session.transport.on("*", (frame) => {
    state.frames.push(frame);
    if (unknown(frame)) state.wrong.push(JSON.stringify(frame).slice(0, 500));
  });
  session.transport.on("connection_change", (status) => state.changes.push(status));
  for (const kind of ["audio_start", "audio_stopped", "agent_start", "agent_end", "agent_tool_start", "agent_tool_end"])
    session.on(kind, () => state.kinds.push(kind));
  session.on("error", ({ error }) => state.wrong.push(`error: ${error?.message ?? JSON.stringify(error)}`));
  await session.connect({ apiKey: key, url });
  await listen(session.transport.connectionState.peerConnection, state.levels);
  Object.assign(agents, { session, ...state });
  return { transport: session.transport.constructor.name, call: session.transport.callId };
}

const agents = {
  connect,
  /** How many of two frames that are none the judge refuses. */
  nonsense: [
    { type: "no.such.event", event_id: "e" },
    { type: "input_audio_buffer.speech_started", event_id: "e", audio_start_ms: "soon" },
  ].filter(unknown).length,
};
globalThis.agents = agents;
