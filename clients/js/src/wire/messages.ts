/** The JSON messages of the wire. Generated from docs/reference/websocket.schema.json by `npm run generate`: do not edit.
 *
 * Vivavoce /ws/audio, version 1
 */

/** Formats in force. */
export interface AudioFormats {
  readonly input: InputFormat;
  readonly output: OutputFormat;
}

/** The audio formats of a connection; always mono PCM s16le. */
export interface AudioWish {
  /** Samples per second of what the client sends. */
  readonly input_rate?: number;
  /** Samples per second of what the client wants to play. */
  readonly output_rate?: number;
  /** Milliseconds of audio per binary message of a reply. */
  readonly frame_ms?: number;
}

export type ClientMessage =
  | Hello
  | Resume
  | Commit
  | Interrupt
  | TypedText
  | Played
  | SetLanguage
  | SetProvider
  | SetVoice
  | SetMode
  | Reset
  | Ping
  | Goodbye;

/** The user's turn is over. */
export interface Commit {
  readonly type: "commit";
}

/** Something went wrong. The session lives on unless the connection is closed behind it. */
export interface ServerError {
  readonly seq: number;
  readonly type: "error";
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
  /** Stable, for programs. */
  readonly code: string;
  /** For people: says what to do. */
  readonly message: string;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** Seconds after which a retry makes sense. */
  readonly retry_after: number | null;
}

/** The last message: the server closes the connection. */
export interface Farewell {
  readonly seq: number;
  readonly type: "goodbye";
  readonly reason: string;
}

/** End the session; the server answers `goodbye` and closes with code 1000. */
export interface Goodbye {
  readonly type: "goodbye";
}

/** Opens the session with the client's wishes. Optional, but only as the first message. */
export interface Hello {
  readonly type: "hello";
  /** Protocol version the client speaks. */
  readonly version?: number;
  /** Formats. */
  readonly audio?: AudioWish;
  /** BCP 47 tag. */
  readonly language?: string | null;
  /** Voice of the text-to-speech provider. */
  readonly voice?: string | null;
  /** Providers. */
  readonly provider?: ProviderWish;
  /** How turns end. */
  readonly mode?: "auto" | "push_to_talk" | "manual" | null;
  /** What the speaker is expected to say; digits and spelling wait longer. */
  readonly hint?: "none" | "digits" | "spelling" | null;
  /** System prompt of the language model. */
  readonly instructions?: string | null;
  /** Preparing replies before the turn is judged over; a client can only lower the server's setting. */
  readonly speculation?: "always" | "local" | "off" | null;
  /** 0 waits patiently for the end of a turn, 1 answers eagerly. */
  readonly eagerness?: number | null;
  /** A fixed silence that ends a turn, in place of the graded wait. */
  readonly silence_ms?: number | null;
  /** Hear nothing until one of these is said, and again after a silence; an empty list listens always. */
  readonly wake_words?: readonly string[] | null;
  /** Seconds of quiet behind the last turn after which a wake word is needed again. */
  readonly wake_timeout?: number | null;
  /** The client will send `played`. Otherwise the server assumes that audio plays in real time as it is sent. */
  readonly acknowledge?: boolean;
}

/** What the client sends. */
export interface InputFormat {
  readonly rate: number;
  readonly encoding: "pcm_s16le";
  readonly channels: 1;
}

/** Cut the reply. */
export interface Interrupt {
  readonly type: "interrupt";
}

/** The reply is over: drop its audio, and that of every older generation. */
export interface Interrupted {
  readonly seq: number;
  readonly type: "interrupted";
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
  /** Samples of the generation that count as heard. */
  readonly at: number;
  /** The reply up to the last word that reached the ear. */
  readonly heard: string;
  /** `speech`, `command`, `reset`, `failed` or `replaced`. */
  readonly reason: string;
}

/** When each thing of a turn happened: milliseconds after the end of the user's speech, null where it did not. */
export interface LatencyWaterfall {
  readonly speech_stopped: number | null;
  readonly turn_scored: number | null;
  readonly transcript: number | null;
  readonly decision: number | null;
  readonly first_token: number | null;
  readonly first_sentence: number | null;
  readonly first_audio: number | null;
  readonly first_sent: number | null;
  readonly first_played: number | null;
  readonly finished: number | null;
  /** The part of `decision` that was decided on. */
  readonly wait: number;
  /** Whether the reply was prepared before the decision. */
  readonly speculated: boolean;
  readonly revisions: number;
  /** From the end of speech to the transcript. */
  readonly stt: number | null;
  /** From the transcript to the first token. */
  readonly llm: number | null;
  /** From the first sentence to the first audio. */
  readonly tts: number | null;
  /** From the end of speech to the first audio played (sent, where nobody acknowledges). */
  readonly total: number | null;
}

/** What the server accepts of this connection. */
export interface Limits {
  /** Smallest and largest binary message. */
  readonly audio_message_bytes: readonly [number, number];
  /** Shortest and longest typed turn. */
  readonly text_characters: readonly [number, number];
  /** JSON messages besides `played`. */
  readonly control_messages_per_minute: number;
  /** Acknowledgements. */
  readonly played_per_second: number;
  /** Microphone audio, in times real time. */
  readonly audio_speed: number;
  /** Audio that may come at once. */
  readonly audio_burst_seconds: number;
}

/** What the server sends: a header of `header_bytes`, then `frame_ms` of audio. */
export interface OutputFormat {
  readonly rate: number;
  readonly frame_ms: number;
  readonly header_bytes: number;
  readonly encoding: "pcm_s16le";
  readonly channels: 1;
}

/** Speech over the reply: stop playing at the current sample, keep what is buffered, and send `played`. */
export interface Paused {
  readonly seq: number;
  readonly type: "paused";
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
}

/** Ask for a `pong`. */
export interface Ping {
  readonly type: "ping";
  /** Comes back in the `pong`. */
  readonly id?: string | number | null;
}

/** The ear has heard the first `samples` samples of the reply `generation`. Send it every 100 to 200 ms of playback. */
export interface Played {
  readonly type: "played";
  /** Generation of the reply. */
  readonly generation: number;
  /** Samples played, counted from the start of the generation at the output rate. */
  readonly samples: number;
}

/** The answer to `ping`. */
export interface Pong {
  readonly seq: number;
  readonly type: "pong";
  /** From the `ping`. */
  readonly id: string | number | null;
}

/** Providers by name; what is left out is the server's default. */
export interface ProviderWish {
  /** Speech to text. */
  readonly stt?: string | null;
  /** Language model. */
  readonly llm?: string | null;
  /** Text to speech. */
  readonly tts?: string | null;
}

/** Names of what can be chosen; the first is the default. */
export interface Providers {
  readonly stt: readonly string[];
  readonly llm: readonly string[];
  readonly tts: readonly string[];
}

/** The session is open. The answer to `hello`, or to the first other message. */
export interface Ready {
  readonly seq: number;
  readonly type: "ready";
  /** Identifier of the session. */
  readonly session: string;
  /** Protocol version in force. */
  readonly version: number;
  readonly audio: AudioFormats;
  /** Settings in force. */
  readonly settings: Settings;
  /** Languages that can be chosen. */
  readonly languages: readonly string[];
  /** Providers that can be chosen. */
  readonly providers: Providers;
  /** Voices of the text-to-speech provider for the language. */
  readonly voices: readonly Voice[];
  /** Modes that can be chosen. */
  readonly modes: readonly ("auto" | "push_to_talk" | "manual")[];
  /** Limits of the connection. */
  readonly limits: Limits;
  /** How to go on after the connection was lost; null where the server has that switched off. */
  readonly resume: Resumption | null;
}

/** The reply of this generation begins; its text and audio follow. */
export interface ReplyStarted {
  readonly seq: number;
  readonly type: "reply_started";
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
}

/** A piece of the reply's text. */
export interface ReplyText {
  readonly seq: number;
  readonly type: "text";
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
  /** Append it to what came before. */
  readonly content: string;
}

/** Forget the conversation. */
export interface Reset {
  readonly type: "reset";
}

/** The exchange is over and in history. */
export interface ResponseComplete {
  readonly seq: number;
  readonly type: "response_complete";
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
  /** What was heard of the reply. */
  readonly text: string;
  /** Whether it was longer. */
  readonly interrupted: boolean;
  /** Where the time went. */
  readonly waterfall: LatencyWaterfall;
}

/** Goes on with a session whose connection was lost. Only as the first message, in place of `hello`. */
export interface Resume {
  readonly type: "resume";
  /** From `ready`. */
  readonly session: string;
  /** From `ready`, or from the last `session_resumed`. */
  readonly token: string;
  /** `seq` of the last message that was received. */
  readonly seq: number;
  /** The newest reply any audio of which was received; null where there was none. */
  readonly generation?: number | null;
  /** Samples of that reply received without a gap from its start, those that were played included. */
  readonly samples?: number;
}

/** It was no interruption: go on playing. */
export interface Resumed {
  readonly seq: number;
  readonly type: "resumed";
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
  /** Sample of the generation to go on with: the one playback stopped at. */
  readonly at: number;
  /** `noise`, `backchannel` or `echo`. */
  readonly reason: string;
}

/** How to go on after the connection was lost. */
export interface Resumption {
  /** For `resume`, once. */
  readonly token: string;
  /** Seconds the session waits for its client. */
  readonly window_s: number;
}

export type ServerMessage =
  | Ready
  | SessionResumed
  | SpeechStarted
  | SpeechStopped
  | TurnDiscarded
  | TurnContinued
  | Transcription
  | ReplyStarted
  | ReplyText
  | Paused
  | Resumed
  | Interrupted
  | ResponseComplete
  | ToolUsed
  | SettingChanged
  | Woke
  | Slept
  | ServerError
  | Pong
  | Farewell;

/** The session goes on: the answer to `resume`. Its `seq` is the client's own; the messages it missed follow, then the audio it missed, then what is new. */
export interface SessionResumed {
  readonly seq: number;
  readonly type: "session_resumed";
  /** Identifier of the session. */
  readonly session: string;
  /** Microphone samples the server has received in this session, at `audio.input.rate`: go on sending from there. */
  readonly input_samples: number;
  /** Messages that follow with the `seq` they had. */
  readonly replayed: number;
  /** For the next time. */
  readonly resume: Resumption;
}

/** Speak and listen in another language. */
export interface SetLanguage {
  readonly type: "setLanguage";
  /** BCP 47 tag. */
  readonly language: string;
}

/** Change how turns end. */
export interface SetMode {
  readonly type: "setMode";
  /** `auto` by the server; `push_to_talk` and `manual` by `commit`. */
  readonly mode: "auto" | "push_to_talk" | "manual";
}

/** Use another provider from the next utterance on. `provider` alone names a language model. */
export interface SetProvider {
  readonly type: "setProvider";
  /** What is to be replaced. */
  readonly kind?: "stt" | "llm" | "tts";
  /** Name of the provider. */
  readonly name?: string | null;
  /** Another spelling of `name`. */
  readonly provider?: string | null;
}

/** Reply with another voice. */
export interface SetVoice {
  readonly type: "setVoice";
  /** Identifier from `ready.voices`. */
  readonly voice: string;
}

/** A setting has a new value. */
export interface SettingChanged {
  readonly seq: number;
  readonly type: "settings";
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
  /** `language`, `voice`, `mode`, `provider`, `speed` or `volume`. */
  readonly name: string;
  readonly value: string;
}

/** Settings in force when the session begins. */
export interface Settings {
  readonly language: string;
  readonly voice: string;
  readonly mode: "auto" | "push_to_talk" | "manual";
  readonly stt: string;
  readonly llm: string;
  readonly tts: string;
  readonly speculation: "always" | "local" | "off";
  readonly acknowledge: boolean;
  /** Words that wake the session, which begins asleep; none: it always listens. */
  readonly wake_words: readonly string[];
  /** Seconds of quiet after which it falls asleep again. */
  readonly wake_timeout: number;
}

/** It was quiet for `wake_timeout` seconds: nothing is listened to but the wake words. */
export interface Slept {
  readonly seq: number;
  readonly type: "slept";
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
  /** From where on: samples at 16 kHz since the session began. */
  readonly at: number;
}

/** The user began to speak. */
export interface SpeechStarted {
  readonly seq: number;
  readonly type: "speech_started";
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
  /** Where: samples at 16 kHz since the session began. */
  readonly at: number;
}

/** The user paused; the turn may still go on. */
export interface SpeechStopped {
  readonly seq: number;
  readonly type: "speech_stopped";
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
  /** The last sample of speech, at 16 kHz since the session began. */
  readonly at: number;
}

/** A tool ran for this turn. */
export interface ToolUsed {
  readonly seq: number;
  readonly type: "tool";
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly result: string;
}

/** The reading of the user's turn so far. */
export interface Transcription {
  readonly seq: number;
  readonly type: "transcription";
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
  /** The whole turn, not only what is new. */
  readonly text: string;
  /** True once per turn, when it is committed; `turn_continued` may take that back. */
  readonly final: boolean;
  /** Characters of `text` that will not change any more. */
  readonly stable: number;
}

/** The speaker goes on: the end of an earlier turn is taken back, before any of its reply was heard that counts.  Forget that turn's transcription and reply; this turn's transcription holds both parts. */
export interface TurnContinued {
  readonly seq: number;
  readonly type: "turn_continued";
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
  /** Number of the earlier turn. */
  readonly continues: number;
}

/** What was heard was no turn. */
export interface TurnDiscarded {
  readonly seq: number;
  readonly type: "turn_discarded";
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
  /** `noise`, `backchannel`, `echo`, `empty` or `reset`. */
  readonly reason: string;
}

/** A typed turn of the user. */
export interface TypedText {
  readonly type: "text";
  /** What the user says; 1 to 5 000 characters besides white space at the ends. */
  readonly text: string;
}

/** A voice of a text-to-speech engine. */
export interface Voice {
  readonly id: string;
  readonly name: string;
  readonly language: string;
  readonly gender: string | null;
}

/** A wake word was recognised: what is said behind it is listened to. */
export interface Woke {
  readonly seq: number;
  readonly type: "woke";
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
  readonly word: string;
  /** Where it ended: samples at 16 kHz since the session began. */
  readonly at: number;
}
