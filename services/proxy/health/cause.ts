// Why a server's state has changed: one key of a closed list, and what was decided from. It imports nothing: the page has it too.

/** Every change has exactly one of these; docs/troubleshooting.md says what each means. */
export const CAUSES = [
  'registered',
  'registered-again',
  'moved',
  'address-taken',
  'table-full',
  'probe-passed',
  'probe-refused',
  'probe-unreachable',
  'probe-timeout',
  'probe-reset',
  'probe-closed',
  'probe-garbled',
  'probe-wrong-digest',
  'probe-untrusted',
  'probe-somebody-else',
  'session-lost',
  'request-failed',
  'request-silent',
  'failed-in-a-row',
  'failed-share',
  'wrong-answers',
  'penalty-over',
  'trial-passed',
  'trial-failed',
  'last-of-policy',
  'outside-subset',
  'stepped-in',
  'never-ready',
  'not-back',
  'leave',
  'left',
  'ordered',
] as const;

export type Cause = (typeof CAUSES)[number];

/** What a change was decided from: only what counted for it. */
export type Evidence = Readonly<{
  /** The last probes, oldest first, where probes decided; `atMs` is ms since the epoch. */
  probes?: readonly Readonly<{ atMs: number; outcome: string; roundTripMs: number; detail: string }>[];
  /** How many probes in a row had come out so. */
  probesInARow?: number;
  /** What had spoken against it before a probe decided. */
  before?: Cause;
  /** How its session ended. */
  session?: string;
  /** How a real request failed. */
  failure?: string;
  /** Which one that was: its client and its length. */
  request?: string;
  /** So many real requests in a row failed. */
  failedInARow?: number;
  /** Of its last `of` real requests `failed` failed. */
  failed?: number;
  of?: number;
  wrongAnswers?: number;
  /** How often it has been ejected since it last served for long enough, this time included. */
  ejections?: number;
  penaltyMs?: number;
  /** How long it had been in the state that this ends. */
  waitedMs?: number;
  /** The address that it has registered, or that took its place. */
  address?: string;
  /** Who ordered it and what for, in their own words. */
  by?: string;
  reason?: string;
}>;

/** One cause, the same in words, and what was decided from. */
export type Because = Readonly<{ cause: Cause; why: string; evidence: Evidence }>;
