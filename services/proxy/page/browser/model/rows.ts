// A server's row in words: what it is, why, and what changes it next.
import type { Policy, Server, State } from './contract.ts';
import { capital, ordinal, outcomeWord } from './words.ts';

/** A state as the page shows it: what is measured, but for a server that an operator has drained. */
export type Shown = State | 'drained';
export const SHOWN: readonly Shown[] = [
  'ready',
  'standby',
  'joining',
  'suspect',
  'evicted',
  'ejected',
  'trial',
  'leaving',
  'drained',
];

export type Phrase =
  | { kind: 'text'; text: string }
  | { kind: 'strong'; text: string }
  /** The time left until `atMs`, behind `lead`; left out when nothing is known any more. */
  | { kind: 'until'; lead: string; atMs: number };

export type Reason = {
  why: string;
  isWarning: boolean;
  /** The good or bad probes of the streak that counts. */
  rings: { good: number; bad: number; of: number } | null;
  /** A penalty that ends at `endsMs` and began at `fromMs`. */
  penalty: { fromMs: number; endsMs: number } | null;
  next: Phrase[];
};

export function shownState({ state, ordered }: Server): Shown {
  return ordered === 'drained' ? 'drained' : state;
}

/** Since when it is as it is shown. */
export function shownSinceMs({ sinceMs, ordered, orderedSinceMs }: Server): number {
  return ordered === 'drained' ? (orderedSinceMs ?? sinceMs) : sinceMs;
}

/** Who drained it and what for: `by root: new disk`. */
export function drainedBy({ orderedBy, orderedReason }: Server): string {
  return `by ${orderedBy || 'an operator'}${orderedReason ? `: ${orderedReason}` : ''}`;
}

/** Why, without the request's client and length: a row has no room for them. */
export function briefly(why: string): string {
  return why.replace(/,? of client .*? \(\d+ bytes\)/g, '');
}

/** Whether it gets requests. */
export function isInRotation(server: Server): boolean {
  const shown = shownState(server);
  return shown === 'ready' || shown === 'trial';
}

/** Whether nothing is wrong with it: it serves, or stands by for those that do. */
export function isGood(server: Server): boolean {
  const shown = shownState(server);
  return shown === 'ready' || shown === 'standby';
}

export function keyOf({ policy, id }: { policy: string; id: string | number }): string {
  return `${policy}/${id}`;
}

export function inRotation({ servers }: Policy): number {
  return servers.filter(isInRotation).length;
}

const text = (words: string): Phrase => ({ kind: 'text', text: words });
const strong = (words: string): Phrase => ({ kind: 'strong', text: words });

function until(lead: string, atMs: number | null): Phrase[] {
  return atMs === null ? [] : [{ kind: 'until', lead, atMs }];
}

/** Why it is as it is, and what changes it next. */
export function reasonOf(server: Server): Reason {
  const reason: Reason = {
    why: `${capital(server.why)}`,
    isWarning: false,
    rings: null,
    penalty: null,
    next: [],
  };
  if (server.ordered === 'drained') return drained(server, reason);
  const { next } = server;
  switch (next?.kind) {
    case 'good-probes':
      return {
        ...reason,
        rings: { good: next.have, bad: 0, of: next.need },
        next: [
          text('Back after '),
          strong(next.need === 1 ? '1 good probe' : `${next.need} good probes`),
          text(`, ${next.have} so far`),
          ...until('; next in ', next.nextProbeMs),
          ...until('; else forgotten in ', next.forgottenMs),
        ],
      };
    case 'penalty':
      return {
        ...reason,
        penalty: { fromMs: server.sinceMs, endsMs: next.endsMs },
        next: [
          text('Gets '),
          strong('one request as a trial'),
          ...until(' in ', next.endsMs),
          ...(server.ejections < 2 ? [] : [text(`; ${ordinal(server.ejections)} ejection`)]),
        ],
      };
    case 'trial':
      return {
        ...reason,
        next: [strong('Ready if its next request is answered'), text(', else out for longer')],
      };
    case 'first-probe':
      return {
        ...reason,
        rings: { good: 0, bad: 0, of: 1 },
        next: [
          text('Ready after '),
          strong('1 good probe'),
          ...until('; next in ', next.nextProbeMs),
          ...until('; dropped if none passes in ', next.givenUpMs),
        ],
      };
    case 'would-leave':
      return wouldLeave(server, next, reason);
    case 'deciding-probe':
      return {
        ...reason,
        next: [
          text('A probe is on its way: '),
          strong('back if it passes'),
          text(', evicted if not'),
          ...until('; known in ', next.byMs),
        ],
      };
    case 'drain':
      return {
        ...reason,
        next:
          next.open === 0
            ? [text('Gone when its last answer is out')]
            : [
                text('Gone when its '),
                strong(next.open === 1 ? '1 open request' : `${next.open} open requests`),
                text(next.open === 1 ? ' is answered' : ' are answered'),
              ],
      };
    case undefined:
      return { ...reason, next: [text('Gets nothing '), strong('while the others serve')] };
    default:
      return next satisfies never;
  }
}

function drained(server: Server, reason: Reason): Reason {
  const { state, inFlight } = server;
  const open = inFlight === 0 ? '' : `; ${inFlight} still open`;
  const measured = state === 'ready' ? '' : `; measured ${state}`;
  return {
    ...reason,
    why: `Drained ${drainedBy(server)}`,
    next: [text('Gets nothing new '), strong('until resumed'), text(`${open}${measured}`)],
  };
}

function wouldLeave(
  server: Server,
  { failed, fall, nextProbeMs }: { failed: number; fall: number; nextProbeMs: number | null },
  reason: Reason,
): Reason {
  if (failed === 0) {
    const probes = fall === 1 ? 'the next probe fails' : `${fall} probes in a row fail`;
    return { ...reason, next: [text(`Out if ${probes}`), ...until('; next in ', nextProbeMs)] };
  }
  const left = fall - failed;
  return {
    ...reason,
    why: `Its last probe failed: ${outcomeOf(server)}`,
    isWarning: true,
    rings: { good: 0, bad: failed, of: fall },
    next: [
      strong(left <= 1 ? 'Out if the next probe fails' : `Out if ${left} more probes fail`),
      text(' too'),
      ...until('; in ', nextProbeMs),
    ],
  };
}

function outcomeOf({ lastProbe }: Server): string {
  if (lastProbe === null) return 'no answer';
  return lastProbe.detail === ''
    ? outcomeWord(lastProbe.outcome)
    : `${lastProbe.outcome}, ${lastProbe.detail}`;
}

/** The row's words without marks, for the search and for screen readers. */
export function sentence({ why, next }: Reason): string {
  const rest = next.map((phrase) => (phrase.kind === 'until' ? '' : phrase.text)).join('');
  return `${why}. ${rest}`;
}
