/** What the server's HTTP API answers with; docs/reference/openapi.json is the whole of it. Times are in seconds. */

export interface TurnWaterfall {
  speech_stopped: number | null;
  turn_scored: number | null;
  transcript: number | null;
  decision: number | null;
  first_token: number | null;
  first_sentence: number | null;
  first_audio: number | null;
  first_sent: number | null;
  first_played: number | null;
  finished: number | null;
  wait: number;
  speculated: boolean;
  revisions: number;
  total: number | null;
}

export type Voice = "user" | "reply";

export interface TurnSummary {
  id: string;
  session: string;
  transport: string;
  turn: number;
  began: number;
  ended: number;
  said: string;
  reply: string;
  heard: string;
  interrupted: string;
  tools: string[];
  waterfall: TurnWaterfall;
  recorded: Voice[];
}

export interface TurnStep {
  at: number;
  kind: string;
  text: string;
}

export interface TurnDetail extends TurnSummary {
  steps: TurnStep[];
  speech_end: number;
}

export interface TurnList {
  turns: TurnSummary[];
  keep: number;
  texts: boolean;
  recording: boolean;
}

export interface StagePercentiles {
  p50: number;
  p95: number;
  p99: number | null;
}

export interface LatencyReport {
  window: number;
  width: number;
  count: number;
  overall: Record<string, StagePercentiles>;
  buckets: { start: number; count: number; stages: Record<string, StagePercentiles> }[];
}

export interface Percentiles {
  count: number;
  p50: number | null;
  p95: number | null;
  p99: number | null;
  max: number | null;
}

export interface WorkerStatus {
  group: string;
  state: string;
  pid: number | null;
  engines: string[];
  jobs: number;
  waiting: number;
  restarts: number;
  memory_mb: number | null;
}

export interface SystemReport {
  status: string;
  version: string;
  python: string;
  platform: string;
  uptime: number;
  cores: number;
  machine_memory_mb: number;
  memory_mb: number;
  threads: number;
  loop_lag: Percentiles;
  workers: WorkerStatus[];
  queues: Record<string, number>;
  sound_mb: number;
  every: number;
  samples: { at: number; lag: number; memory_mb: number; sessions: number; jobs: number; waiting: number }[];
}

export interface Pull {
  state: "queued" | "running" | "done" | "failed" | "cancelled";
  file: string;
  received: number;
  bytes: number;
  message: string;
  error: { message: string } | null;
}

export interface ModelInfo {
  name: string;
  kind: string;
  engine: string;
  languages: string[];
  licence: string;
  restricted: string;
  bytes: number;
  description: string;
  quality: string;
  installed: boolean;
  recommended: boolean;
  in_use: boolean;
  pull: Pull | null;
}

export interface ModelList {
  directory: string;
  machine: { cores: number; memory_mb: number };
  offline: boolean;
  models: ModelInfo[];
}

export interface SettingValue {
  key: string;
  type: string;
  range: string;
  value: unknown;
  default: unknown;
  origin: { layer: string; source: string; line: number | null };
  environment: string;
  help: string;
}

export interface SettingsReport {
  settings: SettingValue[];
  files: string[];
}

export interface KeyInfo {
  id: string;
  name: string;
  scopes: string[];
  created: number;
}

export interface KeyList {
  in_force: boolean;
  keys: KeyInfo[];
}

export interface AudioStatistics {
  frames: number;
  seconds: number;
  level: number;
  peak: number;
  clipped: number;
  gaps: number;
  jitter: number;
  dropped: number;
  age: number;
}

export interface SessionRow {
  id: string;
  transport: string;
  state: "idle" | "listening" | "thinking" | "speaking" | "paused";
  /** Whether its client is there. */
  attached: boolean;
  age: number;
  received_samples: number;
  sent_samples: number;
  /** Refused because they came too fast; at 16 kHz. */
  dropped_samples: number;
  late_frames: number;
  audio: AudioStatistics;
  settings: { language: string; voice: string; mode: string; stt: string; llm: string; tts: string };
}

export interface SessionList {
  sessions: SessionRow[];
  max: number;
  detached: number;
}

export interface ProviderRow {
  name: string;
  kind: "stt" | "llm" | "tts";
  /** Where it stands in its chain, from 0; null: only who chooses it asks it. */
  place: number | null;
  found: boolean;
  local: boolean;
  /** Of its breaker. */
  state: "closed" | "open" | "half_open";
  answers: number;
  failures: number;
  last_error: string | null;
  last_error_age: number | null;
  latency_p50: number | null;
  latency_p95: number | null;
}

export interface VoiceRow {
  id: string;
  name: string;
  model: string;
  language: string;
}

export interface ModelRow {
  id: string;
  kind: string;
  alias_of: string | null;
}

export interface ClientConfig {
  language: string;
  languages: string[];
  voice: string;
  providers: Record<"stt" | "llm" | "tts", string[]>;
}
