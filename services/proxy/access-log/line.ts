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

const jsonHead = headMaker((time, message) => {
  return `{"timestamp":"${time}","level":"info","role":"proxy","message":"${message}"`;
});
const textHead = headMaker((time, message) => `${time} info  proxy: ${message}`);

/** The line as one JSON object, with the names of the process's log. */
export const jsonLine: LineFormat = (entry) => {
  const { clientId, policy, server, tried, trace } = entry;
  return (
    jsonHead(entry) +
    (clientId === undefined ? '' : `,"client":${jsonId(clientId)}`) +
    (policy === undefined ? '' : policyField(policy)) +
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
    textHead(entry) +
    (clientId === undefined ? '' : ` client=${textValue(clientId)}`) +
    (policy === undefined ? '' : ` policy=${textValue(policy)}`) +
    (server === null ? '' : ` server=${textValue(server)}`) +
    (tried === null ? '' : ` tried=${textValue(tried)}`) +
    ` attempts=${entry.attempts} waitMs=${msText(entry.waitMs)} serverMs=${msText(entry.serverMs)}` +
    ` outcome=${entry.outcome}${trace === null ? '' : ` trace=${trace}`}\n`
  );
};

// What a line begins with. Many in a row have the same millisecond, and what is the same is made once.
function headMaker(make: (time: string, message: string) => string): (entry: AccessEntry) => string {
  let lastMs = Number.NaN;
  let lastMessage = '';
  let head = '';
  return ({ wallMs, message }) => {
    const wholeMs = Math.floor(wallMs);
    if (wholeMs !== lastMs || message !== lastMessage) {
      lastMs = wholeMs;
      lastMessage = message;
      head = make(new Date(wholeMs).toISOString(), message);
    }
    return head;
  };
}

// Policies are few, and each of their characters is looked at.
const MAX_POLICY_FIELDS = 256;
const policyFields = new Map<string, string>();

function policyField(policy: string): string {
  const known = policyFields.get(policy);
  if (known !== undefined) return known;
  const field = `,"policy":${jsonText(policy)}`;
  // What clients make up must not take memory for ever.
  if (policyFields.size >= MAX_POLICY_FIELDS) policyFields.clear();
  policyFields.set(policy, field);
  return field;
}

function jsonId(id: Id): string {
  return typeof id === 'number' ? String(id) : jsonText(id);
}

// Hundredths of a millisecond are as much as means anything. To write a fraction takes ten times as long as a whole number.
const HUNDREDTHS = Array.from({ length: 100 }, (_, rest) => `.${String(rest).padStart(2, '0')}`);
// Nearly all times are below ten of them.
const SHORT_TEXTS = Array.from({ length: 1000 }, (_, hundredths) => longText(hundredths));

function msText(ms: number): string {
  const hundredths = Math.round(ms * 100);
  return SHORT_TEXTS[hundredths] ?? longText(hundredths);
}

function longText(hundredths: number): string {
  return `${Math.floor(hundredths / 100)}${HUNDREDTHS[hundredths % 100]}`;
}
