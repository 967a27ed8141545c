/** The model server behind real sockets. */

import { once } from "node:events";
import { WebSocket, WebSocketServer } from "ws";
import type { SocketLike } from "../src/transports/websocket.js";
import { type ModelOptions, ModelServer } from "./model-server.js";

export interface SocketServer {
  readonly model: ModelServer;
  readonly url: string;
  /** Addresses of the connections made so far, tokens included. */
  readonly visits: string[];
  /** Break every connection, without a word. */
  cut(): void;
  close(): Promise<void>;
}

export const socket = (url: string): SocketLike => new WebSocket(url);

export async function serve(options: ModelOptions = {}): Promise<SocketServer> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  const model = new ModelServer(options);
  const visits: string[] = [];
  server.on("connection", (visitor, request) => {
    visits.push(request.url ?? "");
    const visit = model.visit({
      message: (text) => visitor.send(text),
      audio: (data) => visitor.send(data),
      close: (code) => visitor.close(code),
    });
    visitor.on("message", (data: Buffer, binary) => {
      if (!binary) return visit.message(data.toString());
      visit.audio(new Int16Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length)));
    });
    visitor.on("close", () => visit.lost());
  });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const cut = (): void => {
    for (const visitor of server.clients) visitor.terminate();
  };
  return {
    model,
    url: `http://127.0.0.1:${address.port}/ws/audio`,
    visits,
    cut,
    close: async () => {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}

/** Wait for something that will come about; a test that waits in vain is ended by its timeout. */
export async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 2));
}
