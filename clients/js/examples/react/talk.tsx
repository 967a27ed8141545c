/** A conversation in React. */

import type { RealtimeVoiceClient } from "@vivavoce/client";
import { type TurnView, useLevels, useVoice } from "@vivavoce/client/react";
import { type FormEvent, type ReactElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";

const url = new URLSearchParams(location.search).get("server") ?? "ws/audio";

function Talk(): ReactElement {
  const { client, state, listening, turns, error } = useVoice({ url });
  const toggle = (): void => {
    void client.unlock();
    // What goes wrong is shown as `error`.
    void (listening ? client.stopListening() : client.startListening()).catch(() => undefined);
  };
  return (
    <>
      <p>
        <output id="state">{state}</output> <Meter client={client} />
      </p>
      <button id="talk" type="button" aria-pressed={listening} onClick={toggle}>
        Talk
      </button>
      <Composer client={client} />
      <ol id="turns">
        {turns.map((turn) => (
          <Turn key={turn.key} turn={turn} />
        ))}
      </ol>
      {error && <p role="alert">{error.message}</p>}
    </>
  );
}

/** A component of its own: levels change fifty times a second. */
function Meter({ client }: { client: RealtimeVoiceClient }): ReactElement {
  const { microphone = 0 } = useLevels(client);
  return <meter id="level" max={0.3} value={microphone} aria-label="Microphone" />;
}

function Composer({ client }: { client: RealtimeVoiceClient }): ReactElement {
  const send = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    void client.unlock();
    client.sendText(String(new FormData(event.currentTarget).get("text")));
    event.currentTarget.reset();
  };
  return (
    <form onSubmit={send}>
      <input name="text" aria-label="Say something" autoComplete="off" /> <button>Send</button>
    </form>
  );
}

function Turn({ turn }: { turn: TurnView }): ReactElement {
  return (
    <li>
      <p>{turn.said}</p>
      <p>{turn.heard === null ? turn.reply : `${turn.heard} …`}</p>
    </li>
  );
}

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <Talk />
    </StrictMode>,
  );
}
