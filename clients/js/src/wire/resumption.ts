/** Taking up a session again after its connection was lost. */

/** What a session can be taken up again with; `ready` and `session_resumed` carry it. */
export interface ResumeTicket {
  /** Good for one resumption. */
  readonly token: string;
  /** Seconds the server keeps a session whose connection was lost. */
  readonly window_s: number;
}

/** First message on a new connection: go on where the old one broke off. */
export interface ResumeRequest {
  readonly type: "resume";
  readonly session: string;
  readonly token: string;
  /** The last `seq` that was received. */
  readonly seq: number;
  /** The reply whose audio is held, if any. */
  readonly generation: number | null;
  /** Samples of that reply held or played, without a gap from its first. */
  readonly samples: number;
}

/** The session goes on: `replayed` messages follow, then the reply's audio from where it broke off, then what is new. */
export interface SessionResumed {
  readonly type: "session_resumed";
  readonly seq: number;
  readonly session: string;
  /** Microphone samples the server has received in this session. */
  readonly input_samples: number;
  readonly resume: ResumeTicket | null;
  readonly replayed: number;
}
