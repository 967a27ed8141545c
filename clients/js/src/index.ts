/**
 * Talk to a Vivavoce server from browsers, Node, Electron and React Native.
 *
 * @packageDocumentation
 */

export { AudioPlayback, type AudioPlaybackOptions } from "./audio/playback.js";
export type { AudioInput, AudioInputEvents, AudioOutput, AudioOutputEvents, OutputCounts } from "./audio/ports.js";
export { AudioProcessor, type AudioProcessorOptions } from "./audio/processor.js";
export { type Mode, type ProviderKind, RealtimeVoiceClient, type VoiceClientOptions } from "./client.js";
export type { ReconnectOptions } from "./core/reconnection.js";
export type { Wishes } from "./core/wishes.js";
export { VoiceError, type VoiceErrorOptions } from "./errors.js";
export type * from "./events.js";
export type { Line, LineEvents, MediaControl, MediaEvents, Transport } from "./transports/ports.js";
export { WebRtcTransport, type WebRtcTransportOptions } from "./transports/webrtc.js";
export { type SocketLike, type Source, WebSocketTransport, type WebSocketTransportOptions } from "./transports/websocket.js";
export type { AudioFrame, Stamp } from "./wire/frames.js";
export type * from "./wire/messages.js";
