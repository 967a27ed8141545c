/** The hook in a component that is rendered, updated and taken away. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { act, type ReactElement, StrictMode } from "react";
import { create, type ReactTestRenderer } from "react-test-renderer";
import { RealtimeVoiceClient } from "../src/index.js";
import { useLevels, useVoice, type UseVoiceOptions, type Voice } from "../src/react.js";
import { EMPTY_VIEW, onMessage, type VoiceView } from "../src/view.js";
import { serve, type SocketServer, socket, until } from "./socket-server.js";

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

const LIMIT = { timeout: 20_000 };

/** Shows what the hook says, for the test to see. */
function Page({ options, see }: { options: UseVoiceOptions; see: (voice: Voice) => void }): ReactElement {
  const voice = useVoice(options);
  const levels = useLevels(voice.client);
  see(voice);
  return <p>{`${voice.state} ${levels.reply ?? 0} ${voice.turns.map(({ reply }) => reply).join("|")}`}</p>;
}

async function shown(
  body: (page: { server: SocketServer; voice: () => Voice; tree: ReactTestRenderer }) => Promise<void>,
  extra: UseVoiceOptions = {},
): Promise<void> {
  const server = await serve({ lenient: true });
  let seen: Voice | undefined;
  let tree: ReactTestRenderer | undefined;
  const options = { url: server.url, socket, reconnect: { firstDelay: 0.01 }, ...extra };
  await act(async () => {
    tree = create(
      <StrictMode>
        <Page options={options} see={(voice) => (seen = voice)} />
      </StrictMode>,
    );
  });
  const voice = (): Voice => {
    assert(seen);
    return seen;
  };
  assert(tree);
  try {
    await body({ server, voice, tree });
  } finally {
    await act(async () => tree?.unmount());
    await voice().client.disconnect();
    await server.close();
  }
}

test("a page connects by itself, shows the conversation, and says goodbye when it goes", LIMIT, () =>
  shown(async ({ server, voice, tree }) => {
    await act(() => until(() => voice().state === "CONNECTED"));
    const session = server.model.sessions.at(-1);
    assert(session);
    assert.equal(voice().settings?.voice, "anna");
    await act(async () => {
      voice().client.sendText("hello");
      await until(() => session.texts.length === 1);
      session.reply();
      session.tell({ type: "text", content: "Good " });
      session.tell({ type: "text", content: "day." });
      session.tell({ type: "response_complete", text: "Good day.", interrupted: false });
      await until(() => voice().turns.at(-1)?.phase === "done");
    });
    assert.deepEqual(voice().turns, [
      { key: `${session.id}/1`, said: "hello", final: true, reply: "Good day.", phase: "done", heard: null },
    ]);
    assert.match(JSON.stringify(tree.toJSON()), /CONNECTED 0 Good day\./);
    await act(async () => tree.unmount());
    assert.equal(voice().client.state, "DISCONNECTED");
    await until(() => session.token === "");
  }));

test("a connection that comes back shows the same conversation", LIMIT, () =>
  shown(async ({ server, voice }) => {
    await act(() => until(() => voice().state === "CONNECTED"));
    const session = server.model.sessions.at(-1);
    assert(session);
    await act(async () => {
      session.tell({ type: "transcription", turn: 1, text: "so far", final: false, stable: 0 });
      await until(() => voice().turns.length === 1);
      server.cut();
      await until(() => voice().state === "RECONNECTING");
      session.tell({ type: "transcription", turn: 1, text: "so far so good", final: true, stable: 0 });
      await until(() => voice().state === "PROCESSING");
    });
    assert.deepEqual(voice().turns.map(({ said, final }) => [said, final]), [["so far so good", true]]);
  }));

test("a client of one's own stays connected when the component goes", LIMIT, async () => {
  const server = await serve();
  const client = new RealtimeVoiceClient({ url: server.url, socket });
  await client.connect();
  let tree: ReactTestRenderer | undefined;
  await act(async () => {
    tree = create(<Page options={{ client, autoConnect: false }} see={() => undefined} />);
  });
  await act(async () => tree?.unmount());
  assert.equal(client.state, "CONNECTED");
  await client.disconnect();
  await server.close();
});

test("the view: discarded and continued turns go, cut replies keep what was heard, a hundred turns are kept", () => {
  const stamp = (turn: number): { seq: number; turn: number; revision: number; generation: number } => {
    return { seq: 0, turn, revision: 1, generation: turn };
  };
  let view = { ...EMPTY_VIEW };
  const hear = (message: Parameters<typeof onMessage>[1]): VoiceView => (view = onMessage(view, message));
  hear({ type: "speech_started", ...stamp(1), at: 0 });
  assert(view.speech);
  hear({ type: "transcription", ...stamp(1), text: "uh", final: false, stable: 0 });
  hear({ type: "turn_discarded", ...stamp(1), reason: "noise" });
  assert.deepEqual([view.turns.length, view.speech], [0, false]);
  hear({ type: "transcription", ...stamp(2), text: "turn on", final: true, stable: 0 });
  hear({ type: "reply_started", ...stamp(2) });
  hear({ type: "turn_continued", ...stamp(3), continues: 2 });
  assert.equal(view.turns.length, 0);
  hear({ type: "reply_started", ...stamp(4) });
  hear({ type: "text", ...stamp(4), content: "It is noon." });
  hear({ type: "paused", ...stamp(4) });
  assert.equal(view.turns[0]?.phase, "paused");
  hear({ type: "interrupted", ...stamp(4), at: 9, heard: "It is", reason: "speech" });
  assert.deepEqual([view.turns[0]?.phase, view.turns[0]?.heard, view.turns[0]?.reply], ["interrupted", "It is", "It is noon."]);
  for (let turn = 5; turn < 150; turn += 1) hear({ type: "reply_started", ...stamp(turn) });
  assert.equal(view.turns.length, 100);
});
