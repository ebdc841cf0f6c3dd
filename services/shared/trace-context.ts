// Which trace a packet belongs to: the field `traceparent`, in the form of W3C Trace Context (level 1, 2021). Others ignore it.
import { membersOf } from './json-text.ts';

const FIELD = 'traceparent';
// "All bytes zero" is no id.
const FORM = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;
const SAMPLED = 1;

/** The span that something belongs to. */
export type TraceContext = Readonly<{
  /** 32 lower-case hex digits. */
  traceId: string;
  /** 16 lower-case hex digits. */
  spanId: string;
  /** Whoever began the trace wants it recorded. */
  isSampled: boolean;
}>;

/** @returns null where the text is not what it has to be: then it is as if it was not there */
export function parseTraceparent(text: string): TraceContext | null {
  const [, traceId, spanId, flags] = FORM.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined) return null;
  return { traceId, spanId, isSampled: (Number.parseInt(flags ?? '', 16) & SAMPLED) !== 0 };
}

export function formatTraceparent({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

/**
 * The trace that a packet belongs to; null when it says nothing of one.
 * @param text one that JSON.parse takes, decoded or as latin1
 */
export function traceOf(text: string): TraceContext | null {
  const value = fieldOf(text);
  return value === null ? null : parseTraceparent(text.slice(value.start + 1, value.end - 1));
}

/** The packet with `traceparent` in the place of its own, or behind its last field. @param text as for `traceOf` */
export function withTraceparent(text: string, traceparent: string): string {
  const value = fieldOf(text);
  if (value !== null) return `${text.slice(0, value.start)}"${traceparent}"${text.slice(value.end)}`;
  const end = text.lastIndexOf('}');
  const comma = text.slice(text.indexOf('{') + 1, end).trim() === '' ? '' : ',';
  return `${text.slice(0, end)}${comma}"${FIELD}":"${traceparent}"${text.slice(end)}`;
}

// Few packets have one, and most of them are found not to have one by a glance.
function fieldOf(text: string): { start: number; end: number } | null {
  // A name may be written with escapes of its letters.
  if (!text.includes(`"${FIELD}"`) && !text.includes('\\u00')) return null;
  return membersOf(text).findLast(({ name }) => name === FIELD) ?? null;
}
