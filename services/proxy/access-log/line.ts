// One request as a line of the access log. On the data path where the log is on.

import { jsonText, textValue } from '../../shared/log-value.ts';
import type { Id } from '../../shared/packet.ts';

/** What became of a request, or of a packet that is none. Times in ms. */
export type AccessEntry = {
  message: 'request' | 'refused packet';
  /** When it ended, milliseconds since the Unix epoch. */
  wallMs: number;
  clientId: Id | undefined;
  policy: string | undefined;
  /** Who has answered; null when nobody has. */
  server: Id | null;
  /** The other servers that it was handed to; null when there are none. */
  tried: readonly Id[] | null;
  attempts: number;
  /** From when it came until it was last handed to a server; to its end when it never was. */
  waitMs: number;
  /** From then to its end. */
  serverMs: number;
  /** `answered`, `abandoned` (its client has gone), or the code of the refusal. */
  outcome: string;
  /** The id in the refusal; null where there is none. */
  trace: string | null;
};

export type LineFormat = (entry: AccessEntry) => string;

/** The line as one JSON object, with the names of the process's log. */
export const jsonLine: LineFormat = (entry) => {
  const { clientId, policy, server, tried, trace } = entry;
  return (
    `{"timestamp":"${isoTime(entry.wallMs)}","level":"info","role":"proxy","message":"${entry.message}"` +
    (clientId === undefined ? '' : `,"client":${jsonId(clientId)}`) +
    (policy === undefined ? '' : `,"policy":${jsonText(policy)}`) +
    (server === null ? '' : `,"server":${jsonId(server)}`) +
    (tried === null ? '' : `,"tried":[${tried.map(jsonId).join()}]`) +
    `,"attempts":${entry.attempts},"waitMs":${msText(entry.waitMs)},"serverMs":${msText(entry.serverMs)}` +
    `,"outcome":"${entry.outcome}"${trace === null ? '' : `,"trace":"${trace}"`}}\n`
  );
};

/** The line as the process's log writes its own for people. */
export const textLine: LineFormat = (entry) => {
  const { clientId, policy, server, tried, trace } = entry;
  return (
    `${isoTime(entry.wallMs)} info  proxy: ${entry.message}` +
    (clientId === undefined ? '' : ` client=${textValue(clientId)}`) +
    (policy === undefined ? '' : ` policy=${textValue(policy)}`) +
    (server === null ? '' : ` server=${textValue(server)}`) +
    (tried === null ? '' : ` tried=${textValue(tried)}`) +
    ` attempts=${entry.attempts} waitMs=${msText(entry.waitMs)} serverMs=${msText(entry.serverMs)}` +
    ` outcome=${entry.outcome}${trace === null ? '' : ` trace=${trace}`}\n`
  );
};

function jsonId(id: Id): string {
  return typeof id === 'number' ? String(id) : jsonText(id);
}

// Hundredths of a millisecond are as much as means anything. To write a fraction takes ten times as long as a whole number.
const HUNDREDTHS = Array.from({ length: 100 }, (_, rest) => `.${String(rest).padStart(2, '0')}`);

function msText(ms: number): string {
  const hundredths = Math.round(ms * 100);
  return `${Math.floor(hundredths / 100)}${HUNDREDTHS[hundredths % 100]}`;
}

// Many lines have the same millisecond.
let lastMs = Number.NaN;
let lastText = '';

function isoTime(wallMs: number): string {
  const wholeMs = Math.floor(wallMs);
  if (wholeMs === lastMs) return lastText;
  lastMs = wholeMs;
  lastText = new Date(wholeMs).toISOString();
  return lastText;
}
