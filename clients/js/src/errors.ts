/** Everything that goes wrong, as one kind of error. */

export interface VoiceErrorOptions {
  /** Whether the same thing may succeed later. */
  readonly retryable?: boolean;
  /** Seconds after which another try makes sense. */
  readonly retryAfter?: number | null;
  readonly cause?: unknown;
}

/**
 * What went wrong, with a `code` for programs and a `message` for people.
 *
 * Codes of the server are in its documentation. Codes of this library: `wire_error`, `connection_refused`,
 * `connection_failed`, `connection_lost`, `taken_over`, `gave_up`, `closed`, `queue_full`, `invalid_text`, `no_microphone`,
 * `sequence_gap`, `output_failed`, `offer_failed`, and of the microphone `microphone_insecure`, `microphone_refused`,
 * `microphone_absent`, `microphone_busy`, `microphone_unplugged`, `microphone_failed`.
 */
export class VoiceError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly retryAfter: number | null;

  constructor(code: string, message: string, options: VoiceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "VoiceError";
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.retryAfter = options.retryAfter ?? null;
  }
}
